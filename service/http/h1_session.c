/* SPDX-License-Identifier: MIT */
/*
 * HTTP/1.1 as it is read: head, body, dispatch, and the deadlines of each. One
 * request at a time; what a client sends ahead waits in the socket's input, and
 * while a request is answered nothing is read. Whatever is wrong with a request
 * is told by the application in its own form; the connection ends with it.
 *
 * Most functions end with the session possibly freed: nothing may follow a
 * dispatch.
 */
#include "service/http/h1_session.h"

#include <stdlib.h>

#include "service/http/body_limit.h"
#include "service/http/connection_limit.h"
#include "service/http/h1_body.h"
#include "service/http/h1_head.h"
#include "service/http/lingering_close.h"
#include "service/http/request.h"

enum {
	VERSION_1 = 0x100,  /* as h2o writes it */
	LARGE_INPUT = 65536 /* bytes of a body that is a large one */
};

static struct http_server *server_of(const struct h1_session *session)
{
	return session->connection->server;
}

static const struct config_limits *limits_of(const struct h1_session *session)
{
	return &server_of(session)->config->limits;
}

static struct timers *timers_of(const struct h1_session *session)
{
	return &server_of(session)->reactor->timers;
}

static void session_on_read(h2o_socket_t *sock, const char *err);
static void on_deadline(struct timer *timer);

static void session_set_state(struct h1_session *session, enum h1_session_state state)
{
	session->state = state;
	session->since_us = timers_now(timers_of(session));
}

static void set_deadline(struct h1_session *session, uint64_t delay_us)
{
	timer_start(timers_of(session), &session->deadline, delay_us, on_deadline);
}

static void want_input(struct h1_session *session)
{
	if (!h2o_socket_is_reading(session->sock))
		h2o_socket_read_start(session->sock, session_on_read);
}

static void init_request(struct h1_session *session)
{
	h2o_init_request(&session->req, &session->super, NULL);
	session->req.version = VERSION_1 | 1;
	session->req.input.scheme = session->sock->ssl != NULL ? &H2O_URL_SCHEME_HTTPS : &H2O_URL_SCHEME_HTTP;
	h1_response_init(session);
	session->scanned = session->content_length = 0;
	session->chunked = session->unread = false;
	session->chunks = (struct h1_chunks){.state = H1_CHUNKS_ST_SIZE};
}

/*
 * An input buffer is freed after each request, the next one begins with 4 KiB and doubles as the body comes, which for
 * a large prompt is a tenth of its cost. The size of the last request is the best guess of the next one's.
 */
static void choose_input(struct h1_session *session)
{
	bool large = session->req.entity.len >= LARGE_INPUT;
	h2o_buffer_set_prototype(&session->sock->input,
				 large ? &server_of(session)->large_input : &h2o_socket_buffer_prototype);
}

/* Gives the request to the application. The session may be freed. */
static void dispatch(struct h1_session *session)
{
	h2o_req_t *req = &session->req;
	h2o_socket_read_stop(session->sock);
	h1_body_fit_room(session, session->req.entity.len);
	session_set_state(session, H1_SESSION_ST_ANSWERING);
	if (session->unread)
		req->http1_is_persistent = 0;
	choose_input(session);
	h2o_process_request(req);
}

/* Has the application answer what is wrong with the request. */
static void session_refuse(struct h1_session *session, enum error_code error)
{
	session->unread = true;
	session->connection->request->error = error;
	dispatch(session);
}

static void take_fields(struct h1_session *session, const struct h1_head *head)
{
	h2o_req_t *req = &session->req;
	req->version = VERSION_1 | head->minor;
	req->http1_is_persistent = head->keep_alive;
	req->input.method = h2o_iovec_init(head->method.at, head->method.len);
	req->input.path = h2o_iovec_init(head->target.at, head->target.len);
	req->input.authority = h2o_iovec_init(head->host.at, head->host.len);
	for (size_t i = 0; i < head->field_count; i++)
		h2o_add_header_by_str(&req->pool, &req->headers, head->fields[i].name.at, head->fields[i].name.len, 1,
				      NULL, head->fields[i].value.at, head->fields[i].value.len);
}

/* Makes the request of the first len bytes of the input, which are a head or what there is of one. */
static enum error_code read_head(struct h1_session *session, size_t len, struct h1_head *head)
{
	struct http_connection *connection = session->connection;
	h2o_iovec_t text = h2o_strdup(&session->req.pool, session->sock->input->bytes, len);
	enum error_code error = h1_head_parse(text.base, text.len, head);
	h2o_buffer_consume(&session->sock->input, len);
	take_fields(session, head);
	connection_limit_busy(connection);
	connection->request = http_request_create(connection->server, &session->req, connection, NULL);
	return error;
}

/* Refuses a head that is no whole one. */
static void refuse_head(struct h1_session *session, enum error_code error)
{
	struct h1_head head;
	size_t len = session->sock->input->size;
	if (len > limits_of(session)->header_list)
		len = limits_of(session)->header_list;
	read_head(session, len, &head);
	session_refuse(session, error);
}

static void on_continue_sent(h2o_socket_t *sock, const char *err)
{
	if (err != NULL)
		h1_session_close(sock->data);
	else
		want_input(sock->data);
}

/* Tells a client that waits with its body to send it; nothing is read until that is written. */
static void send_continue(struct h1_session *session)
{
	h2o_iovec_t text = h2o_iovec_init(H2O_STRLIT("HTTP/1.1 100 Continue\r\n\r\n"));
	h2o_socket_read_stop(session->sock);
	h2o_socket_write(session->sock, &text, 1, on_continue_sent);
}

static size_t body_len(const struct h1_session *session)
{
	return session->chunked ? buf_len(&session->body) : session->sock->input->size;
}

/* Takes what is there of the body, and dispatches the request when it is complete. */
static void take_body(struct h1_session *session)
{
	h2o_buffer_t *input = session->sock->input;
	if (!session->chunked) {
		if (input->size < session->content_length)
			return;
		session->req.entity = h2o_iovec_init(input->bytes, session->content_length);
		dispatch(session);
		return;
	}
	size_t taken;
	enum error_code error = h1_chunks_decode(&session->chunks, (struct span){input->bytes, input->size},
						 limits_of(session)->body, &session->body, &taken);
	h2o_buffer_consume(&session->sock->input, taken);
	if (error == ERROR_NONE)
		error = h1_body_take_room(session, buf_len(&session->body));
	if (error != ERROR_NONE) {
		session_refuse(session, error);
	} else if (session->chunks.state == H1_CHUNKS_ST_DONE) {
		buf_fit(&session->body); /* it stays until the answer is over */
		struct span body = buf_span(&session->body);
		session->req.entity = h2o_iovec_init(body.at, body.len);
		dispatch(session);
	}
}

/*
 * Room for the whole of a large body whose length is known: doubling would copy it again and again, all within the turn
 * in which the client's bytes come. Pages that no bytes come for are never touched.
 */
static bool reserve_body(struct h1_session *session)
{
	size_t have = session->sock->input->size;
	if (session->content_length < LARGE_INPUT || have >= session->content_length)
		return true;
	return h2o_buffer_reserve(&session->sock->input, session->content_length - have).base != NULL;
}

static void start_body(struct h1_session *session, bool expects_continue)
{
	bool has_memory = http_request_has_memory(session->connection->request);
	enum error_code error = has_memory ? h1_body_take_room(session, session->content_length) : ERROR_MEMORY_FULL;
	if (error == ERROR_NONE && !reserve_body(session))
		error = ERROR_OVERLOADED;
	if (error != ERROR_NONE) {
		session->connection->request->announced = session->content_length;
		session_refuse(session, error);
		return;
	}
	session_set_state(session, H1_SESSION_ST_BODY);
	session->body_seen = 0;
	set_deadline(session, limits_of(session)->body_stall_us);
	if (expects_continue && session->sock->input->size == 0)
		send_continue(session);
	else
		take_body(session);
}

static void on_head(struct h1_session *session, size_t len)
{
	struct h1_head head;
	enum error_code error = read_head(session, len, &head);
	bool expects = head.expects_continue && head.minor > 0;
	if (error != ERROR_NONE) {
		session_refuse(session, error);
	} else if (head.content_length > 0 &&
		   body_limit_check(limits_of(session)->body, 0, (uint64_t)head.content_length) != ERROR_NONE) {
		session->connection->request->announced = (size_t)head.content_length;
		session_refuse(session, ERROR_BODY_TOO_LARGE);
	} else if (!head.chunked && head.content_length <= 0) {
		dispatch(session);
	} else if ((expects || head.chunked || body_is_long((uint64_t)head.content_length)) &&
		   request_is_refused(session->connection->request)) {
		session->unread = true;
		dispatch(session);
	} else {
		session->chunked = head.chunked;
		session->content_length = head.chunked ? 0 : (size_t)head.content_length;
		start_body(session, expects);
	}
}

static void take_head(struct h1_session *session)
{
	const h2o_buffer_t *input = session->sock->input;
	size_t limit = limits_of(session)->header_list;
	bool begins = session->scanned == 0;
	enum error_code error = ERROR_NONE;
	size_t len = h1_head_end((struct span){input->bytes, input->size}, &session->scanned, &error);
	if (error == ERROR_NONE && (len > limit || (len == 0 && input->size > limit)))
		error = ERROR_HEADERS_TOO_LARGE;
	if (error != ERROR_NONE)
		refuse_head(session, error);
	else if (len > 0)
		on_head(session, len);
	else if (begins) /* a head that comes in one piece needs no deadline */
		set_deadline(session, limits_of(session)->head_time_us);
}

static void take_input(struct h1_session *session)
{
	want_input(session);
	if (session->sock->input->size == 0)
		return;
	if (session->state == H1_SESSION_ST_IDLE)
		session_set_state(session, H1_SESSION_ST_HEAD);
	if (session->state == H1_SESSION_ST_HEAD)
		take_head(session);
	else
		take_body(session);
}

static void session_on_read(h2o_socket_t *sock, const char *err)
{
	if (err != NULL)
		h1_session_close(sock->data);
	else
		take_input(sock->data);
}

/* A body must keep coming: a byte now and then is no progress. */
static void check_body(struct h1_session *session)
{
	size_t have = body_len(session);
	if (have - session->body_seen < CONFIG_PROGRESS) {
		session_refuse(session, ERROR_REQUEST_TIMEOUT);
		return;
	}
	session->body_seen = have;
	set_deadline(session, limits_of(session)->body_stall_us);
}

static void on_deadline(struct timer *timer)
{
	struct h1_session *session = H2O_STRUCT_FROM_MEMBER(struct h1_session, deadline, timer);
	uint64_t passed_us = timers_now(timers_of(session)) - session->since_us;
	if (session->state == H1_SESSION_ST_HEAD)
		refuse_head(session, ERROR_REQUEST_TIMEOUT);
	else if (session->state == H1_SESSION_ST_BODY)
		check_body(session);
	else if (session->state == H1_SESSION_ST_IDLE && passed_us >= H1_IDLE_US)
		h1_session_close(session);
	else
		set_deadline(session, session->state == H1_SESSION_ST_IDLE ? H1_IDLE_US - passed_us : H1_IDLE_US);
}

void h1_session_on_answered(struct h1_session *session)
{
	struct http_connection *connection = session->connection;
	if (session->unread)
		linger_start(connection);
	if (!session->req.http1_is_persistent || session->unread ||
	    connection->server->state != HTTP_SERVER_ST_RUNNING) {
		h1_session_close(session);
		return;
	}
	size_t body = session->content_length;
	h2o_dispose_request(&session->req);
	buf_fini(&session->body);
	h2o_buffer_consume(&session->sock->input, body);
	h1_body_fit_room(session, 0);
	init_request(session);
	connection_limit_idle(connection);
	session_set_state(session, H1_SESSION_ST_IDLE);
	take_input(session);
}

void h1_session_drain(struct h1_session *session)
{
	if (session->state == H1_SESSION_ST_IDLE)
		h1_session_close(session);
}

void h1_session_close(struct h1_session *session)
{
	struct http_connection *connection = session->connection;
	timer_stop(timers_of(session), &session->deadline);
	h1_body_fit_room(session, 0);
	connection->h1 = NULL;
	h2o_dispose_request(&session->req); /* the application hears of it, if it is not done */
	buf_fini(&session->body);
	connection_close(connection);
	free(session);
}

static socklen_t get_sockname(h2o_conn_t *conn, struct sockaddr *address)
{
	return h2o_socket_getsockname(((struct h1_session *)conn)->sock, address);
}

static socklen_t get_peername(h2o_conn_t *conn, struct sockaddr *address)
{
	return h2o_socket_getpeername(((struct h1_session *)conn)->sock, address);
}

static h2o_socket_t *get_socket(h2o_conn_t *conn)
{
	return ((struct h1_session *)conn)->sock;
}

void h1_session_start(struct http_connection *connection)
{
	static const h2o_conn_callbacks_t callbacks = {
	    .get_sockname = get_sockname,
	    .get_peername = get_peername,
	    .get_socket = get_socket,
	};
	struct http_server *server = connection->server;
	struct timeval now = *h2o_get_timestamp(&server->h2o, NULL, NULL);
	struct h1_session *session =
	    (void *)h2o_create_connection(sizeof(*session), &server->h2o, server->h2o_accept.hosts, now, &callbacks);
	session->connection = connection;
	session->sock = connection->sock;
	session->deadline = (struct timer){0};
	session->room = session->charged = 0;
	connection->state = CONNECTION_ST_HTTP1;
	connection->h1 = session;
	connection->sock->data = session;
	buf_init(&session->body, server->config->limits.body);
	init_request(session);
	session_set_state(session, H1_SESSION_ST_IDLE);
	set_deadline(session, H1_IDLE_US);
	h2o_socket_read_start(session->sock, session_on_read); /* in place of whoever found out the version */
	take_input(session);
}
