/* SPDX-License-Identifier: MIT */
/*
 * One edge-triggered watch per connection, added at accept, tells of FIN and
 * RST at no cost per request.
 *
 * A FIN alone does not say whether the client closed or only will not send
 * more (fault 31: the answer is still due). TCP tells them apart when it is
 * given something to deliver: a closed peer answers with RST. So a probe is
 * written that every client skips: an interim response before the head (RFC
 * 9110 section 15.2), a comment line inside an event stream. The RST comes back
 * to the same watch. Over TLS, and with HTTP/1.0 before the head, FIN means gone.
 */
#include "service/http/h1_disconnect.h"

#include <errno.h>
#include <unistd.h>

#include "service/http/request.h"

enum {
	PROBES = 2, /* the first may meet a peer whose data was still on its way */
	PROBE_AGAIN_US = 50000,
};

static void probe(struct http_connection *connection);

static void gone(struct http_connection *connection)
{
	connection->peer = PEER_ST_GONE;
	response_client_gone(connection->request);
}

static void on_probe_due(struct timer *timer)
{
	struct http_connection *connection = H2O_STRUCT_FROM_MEMBER(struct http_connection, timer, timer);
	if (connection->request != NULL && connection->peer == PEER_ST_HALF_CLOSED)
		probe(connection);
}

/* False when the peer is not there any more. */
static bool write_interim(h2o_socket_t *sock)
{
	static const char interim[] = "HTTP/1.1 102 Processing\r\n\r\n";
	ssize_t len = write(h2o_socket_get_fd(sock), interim, sizeof(interim) - 1);
	if (len < 0)
		return errno == EAGAIN || errno == EINTR;
	return len == sizeof(interim) - 1; /* a part of it would spoil the response behind it */
}

/* True when a probe was sent or is not needed because the response itself is one; false when the peer is gone. */
static bool send_probe(struct http_connection *connection)
{
	struct http_request *request = connection->request;
	if (request->state == REQUEST_ST_WAITING) {
		if (request->h2o->version < 0x101)
			return false;
		return h2o_socket_is_writing(connection->sock) || write_interim(connection->sock);
	}
	if (request->state == REQUEST_ST_ANSWERING && request->event_stream && request->at_line_start &&
	    request->framing != FRAMING_LENGTH && http_respond_backlog(request) == 0)
		http_respond_write(request, SPAN(":\n"));
	return true;
}

static void probe(struct http_connection *connection)
{
	if (!send_probe(connection)) {
		gone(connection);
		return;
	}
	if (++connection->probes < PROBES)
		timer_start(&connection->server->reactor->timers, &connection->timer, PROBE_AGAIN_US, on_probe_due);
}

void h1_disconnect_check(struct http_connection *connection)
{
	if (connection->request == NULL || connection->peer == PEER_ST_OPEN)
		return;
	if (connection->peer == PEER_ST_GONE) {
		gone(connection);
		return;
	}
	connection->probes = 0;
	probe(connection);
}

static void on_peer(struct watch *watch, unsigned events)
{
	struct http_connection *connection = H2O_STRUCT_FROM_MEMBER(struct http_connection, watch, watch);
	if ((events & REACTOR_ERROR) != 0 || connection->sock->ssl != NULL)
		connection->peer = PEER_ST_GONE;
	else if (connection->peer == PEER_ST_OPEN && (events & REACTOR_PEER_CLOSED) != 0)
		connection->peer = PEER_ST_HALF_CLOSED;
	else
		return;
	h1_disconnect_check(connection);
}

bool h1_disconnect_watch(struct http_connection *connection)
{
	connection->watch.on_ready = on_peer;
	struct reactor *reactor = connection->server->reactor;
	if (connection->watch.slot != 0) {
		reactor->ops->rewatch(reactor, &connection->watch, REACTOR_PEER_CLOSED);
		return true;
	}
	return reactor->ops->watch(reactor, &connection->watch, h2o_socket_get_fd(connection->sock),
				   REACTOR_PEER_CLOSED);
}

void h1_disconnect_unwatch(struct http_connection *connection)
{
	struct reactor *reactor = connection->server->reactor;
	reactor->ops->unwatch(reactor, &connection->watch);
}
