/* SPDX-License-Identifier: MIT */
/*
 * An nghttp2 server session on an h2o socket. Input is given to nghttp2 as it
 * arrives; complete requests are dispatched only when all input at hand was
 * read, so that a request and its reset in one packet cost nothing. Output is
 * collected at the end of the turn into one write; there is one write at a time.
 *
 * nghttp2 must not be re-entered: nothing here sends or closes from inside one
 * of its callbacks.
 */
#include "service/http/h2_session.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "lib/ledger.h"
#include "service/http/h2_stream.h"
#include "service/http/h2_upload.h"

static struct reactor *reactor_of(const struct h2_session *session)
{
	return session->connection->server->reactor;
}

void h2_session_want_flush(struct h2_session *session)
{
	task_queue(reactor_of(session), &session->flush);
}

void h2_session_close(struct h2_session *session)
{
	struct http_connection *connection = session->connection;
	task_drop(reactor_of(session), &session->flush);
	timer_stop(h2_timers(session), &session->tick);
	connection->session = NULL;
	while (session->streams != NULL)
		h2_stream_destroy(session->streams);
	nghttp2_session_del(session->nghttp2);
	connection_close(connection);
	buf_fini(&session->out);
	free(session);
}

static void on_linger_due(struct timer *timer)
{
	h2_session_close(H2O_STRUCT_FROM_MEMBER(struct http_connection, timer, timer)->session);
}

static void session_on_read(h2o_socket_t *sock, const char *err);

/* Says FIN and waits for the peer's: closing with unread input would destroy the last frames on their way. */
static void linger(struct h2_session *session)
{
	struct http_connection *connection = session->connection;
	if (session->state == H2_SESSION_ST_LINGERING)
		return;
	session->state = H2_SESSION_ST_LINGERING;
	while (session->streams != NULL)
		h2_stream_destroy(session->streams);
	session->dropped = 0;
	h2o_socket_read_start(session->sock, session_on_read); /* for the peer's FIN */
	if (session->sock->ssl == NULL)
		shutdown(h2o_socket_get_fd(session->sock), SHUT_WR);
	if (!timer_start(h2_timers(session), &connection->timer, H2_LINGER_US, on_linger_due))
		h2_session_close(session);
}

static void on_written(h2o_socket_t *sock, const char *err)
{
	struct h2_session *session = sock->data;
	if (err != NULL) {
		h2_session_close(session);
		return;
	}
	session->written_us = h2_now(session);
	if (session->out.capacity > H2_WRITE_BYTES)
		buf_fini(&session->out);
	else
		buf_reset(&session->out);
	h2_session_want_flush(session);
}

/* Serialises frames until the write is big enough or there are none. False: the session is beyond repair. */
static bool fill_out(struct h2_session *session)
{
	bool tight = ledger_is_tight(session->connection->party);
	while (buf_len(&session->out) < (tight ? H2_WRITE_BYTES_TIGHT : H2_WRITE_BYTES)) {
		const uint8_t *bytes;
		ssize_t len = nghttp2_session_mem_send(session->nghttp2, &bytes);
		if (len < 0)
			return false;
		if (len == 0)
			return true;
		if (!buf_append(&session->out, (struct span){(const char *)bytes, (size_t)len}))
			return false;
	}
	return true;
}

/* Nothing that comes matters any more: it stays in the kernel, where a peer that goes on costs nothing. */
static void stop_reading(struct h2_session *session)
{
	session->state = H2_SESSION_ST_ENDING;
	h2o_socket_read_stop(session->sock);
	timer_start(h2_timers(session), &session->connection->timer, H2_LINGER_US, on_linger_due);
	h2_session_want_flush(session);
}

static void on_flush(struct task *task)
{
	struct h2_session *session = H2O_STRUCT_FROM_MEMBER(struct h2_session, flush, task);
	if (h2o_socket_is_writing(session->sock) || session->state == H2_SESSION_ST_LINGERING)
		return;
	if (!fill_out(session)) {
		h2_session_close(session);
		return;
	}
	if (session->provoked && session->state < H2_SESSION_ST_ENDING)
		stop_reading(session);
	struct span out = buf_span(&session->out);
	if (out.len > 0) {
		h2o_iovec_t bytes = h2o_iovec_init(out.at, out.len);
		h2o_socket_write(session->sock, &bytes, 1, on_written);
	} else if (session->state == H2_SESSION_ST_ENDING || !nghttp2_session_want_read(session->nghttp2)) {
		linger(session);
	}
}

void h2_session_dispatch(struct h2_session *session)
{
	while (session->ready != NULL)
		h2_stream_dispatch(session->ready);
}

void h2_session_end(struct h2_session *session, uint32_t code)
{
	if (session->state >= H2_SESSION_ST_ENDING)
		return;
	nghttp2_session_terminate_session(session->nghttp2, code);
	stop_reading(session);
}

/* nghttp2 gave up on the input: says why, if a callback has not. */
static void on_broken(struct h2_session *session, ssize_t error)
{
	if (error == NGHTTP2_ERR_CALLBACK_FAILURE)
		stop_reading(session);
	else
		h2_session_end(session,
			       error == NGHTTP2_ERR_FLOODED ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_PROTOCOL_ERROR);
}

static void take_input(struct h2_session *session)
{
	h2o_socket_t *sock = session->sock;
	if (session->state < H2_SESSION_ST_ENDING && sock->input->size > 0) {
		ssize_t taken =
		    nghttp2_session_mem_recv(session->nghttp2, (const uint8_t *)sock->input->bytes, sock->input->size);
		if (taken < 0)
			on_broken(session, taken);
		else
			h2_session_dispatch(session);
		if (session->room_freed)
			h2_upload_check(session, h2_now(session));
		h2_session_want_flush(session);
	}
	session->dropped += sock->input->size;
	h2o_buffer_consume(&sock->input, sock->input->size);
	if (session->state == H2_SESSION_ST_LINGERING && session->dropped > H2_LINGER_BYTES)
		h2_session_close(session);
}

static void session_on_read(h2o_socket_t *sock, const char *err)
{
	struct h2_session *session = sock->data;
	if (err != NULL)
		h2_session_close(session);
	else
		take_input(session);
}

static void on_drain_due(struct timer *timer)
{
	struct h2_session *session = H2O_STRUCT_FROM_MEMBER(struct http_connection, timer, timer)->session;
	nghttp2_submit_goaway(session->nghttp2, NGHTTP2_FLAG_NONE,
			      nghttp2_session_get_last_proc_stream_id(session->nghttp2), NGHTTP2_NO_ERROR, NULL, 0);
	h2_session_want_flush(session);
}

void h2_session_drain(struct h2_session *session)
{
	if (session->state != H2_SESSION_ST_OPEN)
		return;
	session->state = H2_SESSION_ST_DRAINING;
	nghttp2_submit_shutdown_notice(session->nghttp2);
	h2_session_want_flush(session);
	timer_start(h2_timers(session), &session->connection->timer, H2_DRAIN_US, on_drain_due);
}

static socklen_t get_sockname(h2o_conn_t *conn, struct sockaddr *address)
{
	return h2o_socket_getsockname(((struct h2_session *)conn)->sock, address);
}

static socklen_t get_peername(h2o_conn_t *conn, struct sockaddr *address)
{
	return h2o_socket_getpeername(((struct h2_session *)conn)->sock, address);
}

static h2o_socket_t *get_socket(h2o_conn_t *conn)
{
	return ((struct h2_session *)conn)->sock;
}

static void greet(struct h2_session *session)
{
	const struct config_limits *limits = h2_limits(session);
	const nghttp2_settings_entry settings[] = {
	    {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits->streams},
	    {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)limits->header_list},
	};
	nghttp2_submit_settings(session->nghttp2, NGHTTP2_FLAG_NONE, settings, sizeof(settings) / sizeof(settings[0]));
	nghttp2_session_set_local_window_size(session->nghttp2, NGHTTP2_FLAG_NONE, 0, H2_CONNECTION_WINDOW);
}

static struct h2_session *session_create(struct http_connection *connection)
{
	static const h2o_conn_callbacks_t callbacks = {
	    .get_sockname = get_sockname,
	    .get_peername = get_peername,
	    .get_socket = get_socket,
	};
	struct http_server *server = connection->server;
	struct timeval now = *h2o_get_timestamp(&server->h2o, NULL, NULL);
	struct h2_session *session =
	    (void *)h2o_create_connection(sizeof(*session), &server->h2o, server->h2o_accept.hosts, now, &callbacks);
	h2o_conn_t super = session->super;
	*session = (struct h2_session){
	    .super = super,
	    .connection = connection,
	    .sock = connection->sock,
	    .flush = {.run = on_flush},
	    .ready_tail = &session->ready,
	    .active_us = timers_now(&server->reactor->timers),
	    .written_us = timers_now(&server->reactor->timers),
	};
	buf_init(&session->out, H2_WRITE_BYTES * 4);
	return session;
}

void h2_session_start(struct http_connection *connection)
{
	struct http_server *server = connection->server;
	struct h2_session *session = session_create(connection);
	if (nghttp2_session_server_new2(&session->nghttp2, server->h2_callbacks, session, server->h2_options) != 0) {
		free(session);
		connection_close(connection);
		return;
	}
	connection->state = CONNECTION_ST_HTTP2;
	connection->session = session;
	connection->sock->data = session;
	greet(session);
	h2_timeouts_start(session);
	if (server->state != HTTP_SERVER_ST_RUNNING)
		h2_session_drain(session);
	h2o_socket_read_start(connection->sock, session_on_read);
	h2_session_want_flush(session);
	take_input(session);
}
