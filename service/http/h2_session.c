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

#include "service/http/h2_stream.h"

static struct reactor *reactor_of(const struct h2_session *session)
{
	return session->connection->server->reactor;
}

void h2_session_want_flush(struct h2_session *session)
{
	task_queue(reactor_of(session), &session->flush);
}

/* False when the peer has used up what it may do. */
static bool allow(struct h2_allowance *allowance, uint64_t now_us, unsigned burst, unsigned per_second)
{
	uint64_t cost_us = 1000000 / per_second;
	if (allowance->at_us < now_us)
		allowance->at_us = now_us;
	allowance->at_us += cost_us;
	return allowance->at_us - now_us <= burst * cost_us;
}

static int calm(struct h2_session *session)
{
	nghttp2_session_terminate_session(session->nghttp2, NGHTTP2_ENHANCE_YOUR_CALM);
	return NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int count_control(struct h2_session *session)
{
	uint64_t now_us = timers_now(&reactor_of(session)->timers);
	return allow(&session->controls, now_us, H2_CONTROLS_BURST, H2_CONTROLS_PER_SECOND) ? 0 : calm(session);
}

static int count_reset(struct h2_session *session)
{
	uint64_t now_us = timers_now(&reactor_of(session)->timers);
	return allow(&session->resets, now_us, H2_RESETS_BURST, H2_RESETS_PER_SECOND) ? 0 : calm(session);
}

static bool is_request(const nghttp2_frame *frame)
{
	return frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST;
}

static int on_begin_frame(nghttp2_session *nghttp2, const nghttp2_frame_hd *frame, void *context)
{
	const struct h2_session *session = context;
	if (frame->type == NGHTTP2_HEADERS && h2_skipped_has(&session->skipped, frame->stream_id))
		nghttp2_session_terminate_session(nghttp2, NGHTTP2_PROTOCOL_ERROR);
	return 0;
}

static int on_begin_headers(nghttp2_session *nghttp2, const nghttp2_frame *frame, void *context)
{
	struct h2_session *session = context;
	if (!is_request(frame))
		return 0;
	h2_skipped_open(&session->skipped, frame->hd.stream_id);
	struct h2_stream *stream = h2_stream_create(context, frame->hd.stream_id);
	if (stream == NULL)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	nghttp2_session_set_stream_user_data(nghttp2, frame->hd.stream_id, stream);
	return 0;
}

static int on_header(nghttp2_session *nghttp2, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
		     const uint8_t *value, size_t value_len, uint8_t flags, void *context)
{
	(void)flags, (void)context;
	struct h2_stream *stream = nghttp2_session_get_stream_user_data(nghttp2, frame->hd.stream_id);
	if (stream == NULL || !is_request(frame)) /* trailers are read and dropped */
		return 0;
	h2_stream_on_field(stream, (struct span){(const char *)name, name_len},
			   (struct span){(const char *)value, value_len});
	return 0;
}

static int on_data_chunk(nghttp2_session *nghttp2, uint8_t flags, int32_t id, const uint8_t *data, size_t len,
			 void *context)
{
	(void)flags, (void)context;
	struct h2_stream *stream = nghttp2_session_get_stream_user_data(nghttp2, id);
	if (stream != NULL)
		h2_stream_on_data(stream, (struct span){(const char *)data, len});
	return 0;
}

static void send_continue(struct h2_session *session, int32_t id)
{
	static const nghttp2_nv status = {(uint8_t *)":status", (uint8_t *)"100", 7, 3, NGHTTP2_NV_FLAG_NONE};
	nghttp2_submit_headers(session->nghttp2, NGHTTP2_FLAG_NONE, id, NULL, &status, 1, NULL);
}

/* A client that asks first is refused before it has sent its body. */
static void answer_expectation(struct h2_session *session, struct h2_stream *stream)
{
	const struct http_server_callbacks *callbacks = &session->connection->server->callbacks;
	if (callbacks->refuses != NULL && callbacks->refuses(callbacks->context, stream->request))
		h2_stream_on_complete(stream);
	else
		send_continue(session, stream->id);
}

static void on_request_frame(struct h2_session *session, const nghttp2_frame *frame)
{
	struct h2_stream *stream = nghttp2_session_get_stream_user_data(session->nghttp2, frame->hd.stream_id);
	if (stream == NULL)
		return;
	session->active_us = timers_now(&reactor_of(session)->timers);
	if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
		stream->complete = true;
	if (is_request(frame))
		h2_stream_on_head(stream);
	if (stream->complete || stream->error != ERROR_NONE)
		h2_stream_on_complete(stream);
	else if (is_request(frame) && stream->expects_continue)
		answer_expectation(session, stream);
}

static int on_frame(nghttp2_session *nghttp2, const nghttp2_frame *frame, void *context)
{
	(void)nghttp2;
	struct h2_session *session = context;
	switch (frame->hd.type) {
	case NGHTTP2_DATA:
		on_request_frame(session, frame);
		return frame->hd.length == 0 ? count_control(session) : 0;
	case NGHTTP2_HEADERS:
		on_request_frame(session, frame);
		return 0;
	case NGHTTP2_PING:
	case NGHTTP2_SETTINGS:
	case NGHTTP2_PRIORITY:
		return count_control(session);
	case NGHTTP2_RST_STREAM:
		return count_reset(session);
	default:
		return 0;
	}
}

/* The response is out; what the client still uploads is not wanted (RFC 9113 section 8.1). */
static int on_frame_sent(nghttp2_session *nghttp2, const nghttp2_frame *frame, void *context)
{
	(void)context;
	if ((frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS) ||
	    (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0)
		return 0;
	const struct h2_stream *stream = nghttp2_session_get_stream_user_data(nghttp2, frame->hd.stream_id);
	if (stream != NULL && !stream->complete)
		nghttp2_submit_rst_stream(nghttp2, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_NO_ERROR);
	return 0;
}

static int on_stream_close(nghttp2_session *nghttp2, int32_t id, uint32_t code, void *context)
{
	(void)code, (void)context;
	struct h2_stream *stream = nghttp2_session_get_stream_user_data(nghttp2, id);
	if (stream == NULL)
		return 0;
	nghttp2_session_set_stream_user_data(nghttp2, id, NULL);
	h2_stream_destroy(stream);
	return 0;
}

bool h2_setup(struct http_server *server)
{
	if (nghttp2_session_callbacks_new(&server->h2_callbacks) != 0 || nghttp2_option_new(&server->h2_options) != 0)
		return false;
	nghttp2_session_callbacks *callbacks = server->h2_callbacks;
	nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
	nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_sent);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
	nghttp2_option_set_max_outbound_ack(server->h2_options, H2_ACKS_WAITING);
	/* nghttp2's own count must not come first: it says INTERNAL_ERROR */
	nghttp2_option_set_stream_reset_rate_limit(server->h2_options, H2_RESETS_BURST * 2, H2_RESETS_PER_SECOND * 2);
	return true;
}

void h2_teardown(struct http_server *server)
{
	nghttp2_session_callbacks_del(server->h2_callbacks);
	nghttp2_option_del(server->h2_options);
}

void h2_session_close(struct h2_session *session)
{
	struct http_connection *connection = session->connection;
	task_drop(reactor_of(session), &session->flush);
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

/* Says FIN and waits for the peer's: closing with unread input would destroy the last frames on their way. */
static void linger(struct h2_session *session)
{
	struct http_connection *connection = session->connection;
	if (session->state == H2_SESSION_ST_LINGERING)
		return;
	session->state = H2_SESSION_ST_LINGERING;
	while (session->streams != NULL)
		h2_stream_destroy(session->streams);
	if (session->sock->ssl == NULL)
		shutdown(h2o_socket_get_fd(session->sock), SHUT_WR);
	if (!timer_start(&reactor_of(session)->timers, &connection->timer, H2_LINGER_US, on_linger_due))
		h2_session_close(session);
}

static void on_written(h2o_socket_t *sock, const char *err)
{
	struct h2_session *session = sock->data;
	if (err != NULL) {
		h2_session_close(session);
		return;
	}
	session->written_us = timers_now(&reactor_of(session)->timers);
	if (session->out.capacity > H2_WRITE_BYTES)
		buf_fini(&session->out);
	else
		buf_reset(&session->out);
	h2_session_want_flush(session);
}

/* Serialises frames until the write is big enough or there are none. False: the session is beyond repair. */
static bool fill_out(struct h2_session *session)
{
	while (buf_len(&session->out) < H2_WRITE_BYTES) {
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

static void on_flush(struct task *task)
{
	struct h2_session *session = H2O_STRUCT_FROM_MEMBER(struct h2_session, flush, task);
	if (h2o_socket_is_writing(session->sock) || session->state == H2_SESSION_ST_LINGERING)
		return;
	if (!fill_out(session)) {
		h2_session_close(session);
		return;
	}
	struct span out = buf_span(&session->out);
	if (out.len > 0) {
		h2o_iovec_t bytes = h2o_iovec_init(out.at, out.len);
		h2o_socket_write(session->sock, &bytes, 1, on_written);
	} else if (session->state == H2_SESSION_ST_ENDING || !nghttp2_session_want_read(session->nghttp2)) {
		linger(session);
	}
}

static void dispatch_ready(struct h2_session *session)
{
	while (session->ready != NULL)
		h2_stream_dispatch(session->ready);
}

/* nghttp2 gave up on the input: says why, if it has not yet. */
static void end(struct h2_session *session, ssize_t error)
{
	struct http_connection *connection = session->connection;
	session->state = H2_SESSION_ST_ENDING;
	if (error != NGHTTP2_ERR_CALLBACK_FAILURE)
		nghttp2_session_terminate_session(session->nghttp2, error == NGHTTP2_ERR_FLOODED
									? NGHTTP2_ENHANCE_YOUR_CALM
									: NGHTTP2_PROTOCOL_ERROR);
	timer_start(&reactor_of(session)->timers, &connection->timer, H2_LINGER_US, on_linger_due);
}

static void take_input(struct h2_session *session)
{
	h2o_socket_t *sock = session->sock;
	if (session->state < H2_SESSION_ST_ENDING && sock->input->size > 0) {
		ssize_t taken =
		    nghttp2_session_mem_recv(session->nghttp2, (const uint8_t *)sock->input->bytes, sock->input->size);
		if (taken < 0)
			end(session, taken);
		else
			dispatch_ready(session);
		h2_session_want_flush(session);
	}
	h2o_buffer_consume(&sock->input, sock->input->size);
}

static void on_read(h2o_socket_t *sock, const char *err)
{
	struct h2_session *session = sock->data;
	if (err != NULL)
		h2_session_close(session);
	else
		take_input(session);
}

static void watch_idleness(struct h2_session *session);

static void on_idle_due(struct timer *timer)
{
	struct h2_session *session = H2O_STRUCT_FROM_MEMBER(struct http_connection, timer, timer)->session;
	uint64_t now_us = timers_now(&reactor_of(session)->timers);
	if (h2o_socket_is_writing(session->sock) && now_us - session->written_us >= H2_STALL_US) {
		h2_session_close(session);
		return;
	}
	if (session->streams == NULL && now_us - session->active_us >= H2_IDLE_US / 2) {
		nghttp2_session_terminate_session(session->nghttp2, NGHTTP2_NO_ERROR);
		h2_session_want_flush(session);
	}
	watch_idleness(session);
}

/* One timer per connection that comes round, so that a request costs no timer. */
static void watch_idleness(struct h2_session *session)
{
	timer_start(&reactor_of(session)->timers, &session->connection->timer, H2_IDLE_US / 2, on_idle_due);
}

static void on_drain_due(struct timer *timer)
{
	struct h2_session *session = H2O_STRUCT_FROM_MEMBER(struct http_connection, timer, timer)->session;
	nghttp2_submit_goaway(session->nghttp2, NGHTTP2_FLAG_NONE,
			      nghttp2_session_get_last_proc_stream_id(session->nghttp2), NGHTTP2_NO_ERROR, NULL, 0);
	h2_session_want_flush(session);
	watch_idleness(session);
}

void h2_session_drain(struct h2_session *session)
{
	if (session->state != H2_SESSION_ST_OPEN)
		return;
	session->state = H2_SESSION_ST_DRAINING;
	nghttp2_submit_shutdown_notice(session->nghttp2);
	h2_session_want_flush(session);
	timer_start(&reactor_of(session)->timers, &session->connection->timer, H2_DRAIN_US, on_drain_due);
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
	const struct config_limits *limits = &session->connection->server->config->limits;
	const nghttp2_settings_entry settings[] = {
	    {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits->streams},
	    {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, H2_STREAM_WINDOW},
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
	watch_idleness(session);
	if (server->state != HTTP_SERVER_ST_RUNNING)
		h2_session_drain(session);
	h2o_socket_read_start(connection->sock, on_read);
	h2_session_want_flush(session);
	take_input(session);
}
