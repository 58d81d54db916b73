/* SPDX-License-Identifier: MIT */
/*
 * Client connections from accept to close: TLS handshake and ALPN, or the look
 * for HTTP/2's preface in cleartext, then the hand-over to a session of HTTP/1.1
 * or HTTP/2.
 */
#include "service/http/connection.h"

#include <stdlib.h>
#include <unistd.h>

#include "service/http/connection_limit.h"
#include "service/http/h1_disconnect.h"
#include "service/http/h1_session.h"
#include "service/http/h2_session.h"
#include "service/http/listener.h"
#include "service/http/spare_descriptors.h"
#include "service/http/tls_handshakes.h"

enum {
	HANDSHAKE_US = 10 * 1000000,   /* until TLS is set up */
	FIRST_BYTES_US = 60 * 1000000, /* until something is sent over a new cleartext connection */
};

struct http_connection *connection_of(h2o_socket_t *sock)
{
	return sock->on_close.data;
}

static void on_socket_closed(void *data)
{
	struct http_connection *connection = data;
	struct http_server *server = connection->server;
	handshake_leave(connection);
	h1_disconnect_unwatch(connection);
	connection_limit_leave(connection);
	timer_stop(&server->reactor->timers, &connection->timer);
	*connection->back = connection->next;
	if (connection->next != NULL)
		connection->next->back = connection->back;
	metrics_move(server->callbacks.metrics, -1, METRIC_CONNECTIONS);
	free(connection->subject);
	SSL_CTX_free(connection->ssl);
	free(connection);
	reserve_fill(server);
	listeners_update(server);
}

void connection_close(struct http_connection *connection)
{
	connection->state = CONNECTION_ST_CLOSING;
	connection_limit_busy(connection);
	handshake_leave(connection);
	timer_stop(&connection->server->reactor->timers, &connection->timer);
	h2o_socket_close(connection->sock);
}

static void on_first_bytes_due(struct timer *timer)
{
	connection_close(H2O_STRUCT_FROM_MEMBER(struct http_connection, timer, timer));
}

static void start_http1(struct http_connection *connection)
{
	timer_stop(&connection->server->reactor->timers, &connection->timer);
	h1_session_start(connection);
}

static void start_http2(struct http_connection *connection)
{
	timer_stop(&connection->server->reactor->timers, &connection->timer);
	h2_session_start(connection);
}

/* A part of the preface and no more: too slow for one version as for the other. */
static void on_preface_due(struct timer *timer)
{
	start_http1(H2O_STRUCT_FROM_MEMBER(struct http_connection, timer, timer));
}

/* Cleartext: HTTP/2 by prior knowledge begins with a preface that is no HTTP/1.1 request (RFC 9113 section 3.4). */
static void on_sniff(h2o_socket_t *sock, const char *err)
{
	struct http_connection *connection = sock->data;
	size_t have = sock->input->size;
	if (err != NULL) {
		connection_close(connection);
		return;
	}
	size_t compare = have < NGHTTP2_CLIENT_MAGIC_LEN ? have : NGHTTP2_CLIENT_MAGIC_LEN;
	if (memcmp(sock->input->bytes, NGHTTP2_CLIENT_MAGIC, compare) != 0)
		start_http1(connection);
	else if (compare == NGHTTP2_CLIENT_MAGIC_LEN)
		start_http2(connection);
	else if (connection->timer.on_due == on_first_bytes_due)
		timer_start(&connection->server->reactor->timers, &connection->timer,
			    connection->server->config->limits.head_time_us, on_preface_due);
}

static void on_handshake(h2o_socket_t *sock, const char *err)
{
	struct http_connection *connection = sock->data;
	if (err != NULL) {
		connection_close(connection);
		return;
	}
	h2o_iovec_t protocol = h2o_socket_ssl_get_selected_protocol(sock);
	if (h2o_memis(protocol.base, protocol.len, H2O_STRLIT("h2")))
		start_http2(connection);
	else
		start_http1(connection);
}

static struct http_connection *connection_create(const struct http_listener *listener, int fd)
{
	struct http_server *server = listener->server;
	struct http_connection *connection = calloc(1, sizeof(*connection));
	if (connection == NULL)
		return NULL;
	connection->server = server;
	connection->listener = listener;
	connection->sock = h2o_evloop_socket_create(server->h2o.loop, fd, H2O_SOCKET_FLAG_IS_ACCEPTED_CONNECTION);
	connection->sock->data = connection;
	connection->sock->on_close.cb = on_socket_closed;
	connection->sock->on_close.data = connection;
	connection->next = server->connections;
	connection->back = &server->connections;
	if (connection->next != NULL)
		connection->next->back = &connection->next;
	server->connections = connection;
	metrics_move(server->callbacks.metrics, 1, METRIC_CONNECTIONS);
	return connection;
}

void connection_accept(const struct http_listener *listener, int fd)
{
	struct http_server *server = listener->server;
	SSL_CTX *ssl = listener->ssl;
	struct http_connection *connection = connection_create(listener, fd);
	if (connection == NULL) {
		close(fd);
		return;
	}
	enum error_code error = connection_limit_enter(connection);
	if (error != ERROR_NONE) {
		if (ssl == NULL)
			listener_send_refusal(fd, error);
		connection_close(connection);
		return;
	}
	connection_limit_idle(connection);
	if (ssl != NULL) {
		SSL_CTX_up_ref(ssl);
		connection->ssl = ssl;
	}
	bool is_watched = ssl != NULL ? handshake_start(connection, on_handshake) : h1_disconnect_watch(connection);
	if (!is_watched || !timer_start(&server->reactor->timers, &connection->timer,
					ssl != NULL ? HANDSHAKE_US : FIRST_BYTES_US, on_first_bytes_due)) {
		connection_close(connection);
		return;
	}
	connection->state = ssl != NULL ? CONNECTION_ST_HANDSHAKE : CONNECTION_ST_SNIFFING;
	if (ssl == NULL)
		h2o_socket_read_start(connection->sock, on_sniff);
}

/* TLS says goodbye until a read or write fails, so it is told that one did. */
static void fail_socket(struct http_connection *connection)
{
	h2o_socket_t *sock = connection->sock;
	if (sock->_cb.write != NULL)
		sock->_cb.write(sock, h2o_socket_error_io);
	else if (sock->_cb.read != NULL)
		sock->_cb.read(sock, h2o_socket_error_closed);
}

void connection_end(struct http_connection *connection)
{
	switch (connection->state) {
	case CONNECTION_ST_HANDSHAKE:
	case CONNECTION_ST_SNIFFING:
		connection_close(connection);
		return;
	case CONNECTION_ST_HTTP2:
		h2_session_close(connection->session);
		return;
	case CONNECTION_ST_HTTP1:
		h1_session_close(connection->h1);
		return;
	case CONNECTION_ST_CLOSING:
		fail_socket(connection);
		return;
	}
}

static void for_each(struct http_server *server, void (*visit)(struct http_connection *connection))
{
	struct http_connection *next;
	for (struct http_connection *connection = server->connections; connection != NULL; connection = next) {
		next = connection->next;
		visit(connection);
	}
}

void connections_close_all(struct http_server *server)
{
	while (server->connections != NULL) {
		for_each(server, connection_end);
		h2o_evloop_run(server->h2o.loop, 0);
	}
}

static void drain(struct http_connection *connection)
{
	if (connection->state == CONNECTION_ST_HTTP2)
		h2_session_drain(connection->session);
	else if (connection->state == CONNECTION_ST_SNIFFING && connection->sock->input->size == 0)
		connection_close(connection);
	else if (connection->state == CONNECTION_ST_HTTP1)
		h1_session_drain(connection->h1);
}

void connections_drain(struct http_server *server)
{
	for_each(server, drain);
}
