/* SPDX-License-Identifier: MIT */
/*
 * h2o makes a handshake in its own read and write callbacks of the socket. They are kept here and called when a turn
 * has come: until then h2o does not read, and a watch of ours reports that something has arrived.
 */
#include "service/http/tls_handshakes.h"

#include "lib/step.h"
#include "service/http/h1_disconnect.h"
#include "service/http/listener.h"

enum { CHEAP_STEP_US = 1000 }; /* the loop's timers have no finer grain */

static void take_turn(struct timer *timer);

bool handshakes_init(struct http_server *server)
{
	return queue_init(&server->handshakes.waiting, server->config->limits.connections, 1);
}

void handshakes_fini(struct http_server *server)
{
	timer_stop(&server->reactor->timers, &server->handshakes.turn);
	queue_fini(&server->handshakes.waiting);
}

/* The turn comes after everything else of the present turn of the loop; the step is made in the next one. */
static void ask_for_turn(struct http_server *server)
{
	struct handshakes *handshakes = &server->handshakes;
	if (handshakes->current != NULL || handshakes->waiting.count == 0 || timer_is_running(&handshakes->turn))
		return;
	uint64_t now_us = timers_monotonic(NULL);
	timer_start(&server->reactor->timers, &handshakes->turn,
		    handshakes->rest_until_us > now_us ? handshakes->rest_until_us - now_us : 0, take_turn);
}

/* Others get as much time as a costly step took: a proxied request needs several turns, and pays for one step only. */
static void rest_after(struct handshakes *handshakes, uint64_t began_us)
{
	uint64_t now_us = timers_monotonic(NULL);
	if (now_us - began_us >= CHEAP_STEP_US)
		handshakes->rest_until_us = 2 * now_us - began_us;
}

static void watch_for(struct http_connection *connection, unsigned interest)
{
	struct reactor *reactor = connection->server->reactor;
	reactor->ops->rewatch(reactor, &connection->watch, interest);
}

static void handshakes_on_read(h2o_socket_t *sock, const char *err);
static void on_written(h2o_socket_t *sock, const char *err);

/* Takes the socket back from h2o after a step: what it waits for is waited for here. */
static void hold(struct http_connection *connection)
{
	struct handshake *handshake = &connection->handshake;
	h2o_socket_t *sock = connection->sock;
	if (sock->_cb.write != NULL && sock->_cb.write != on_written) {
		handshake->write = sock->_cb.write;
		sock->_cb.write = on_written;
	}
	if (!h2o_socket_is_reading(sock))
		return;
	handshake->read = sock->_cb.read;
	h2o_socket_read_stop(sock);
	watch_for(connection, REACTOR_READ);
}

/* Calls one of h2o's callbacks, which may end the handshake or the connection. */
static void step(struct http_connection *connection, h2o_socket_cb callback, const char *err)
{
	struct handshakes *handshakes = &connection->server->handshakes;
	handshakes->stepping = connection;
	struct step_mark before = step_enter("handshake");
	callback(connection->sock, err);
	step_leave(before);
	if (handshakes->stepping == connection)
		hold(connection);
	handshakes->stepping = NULL;
}

static void handshakes_on_read(h2o_socket_t *sock, const char *err)
{
	struct http_connection *connection = connection_of(sock);
	struct http_server *server = connection->server;
	uint64_t began_us = timers_monotonic(NULL);
	server->handshakes.current = NULL;
	metrics_count(server->callbacks.metrics, METRIC_TLS_STEPS);
	step(connection, connection->handshake.read, err);
	rest_after(&server->handshakes, began_us);
	ask_for_turn(server);
}

static void on_written(h2o_socket_t *sock, const char *err)
{
	struct http_connection *connection = connection_of(sock);
	step(connection, connection->handshake.write, err);
}

static void on_done(h2o_socket_t *sock, const char *err)
{
	struct http_connection *connection = connection_of(sock);
	struct http_server *server = connection->server;
	metrics_count(server->callbacks.metrics, METRIC_TLS_HANDSHAKES,
		      err == NULL ? METRICS_HANDSHAKE_DONE : METRICS_HANDSHAKE_FAILED);
	handshake_leave(connection);
	h1_disconnect_watch(connection);
	connection->handshake.done(sock, err);
}

static void take_turn(struct timer *timer)
{
	struct handshakes *handshakes = H2O_STRUCT_FROM_MEMBER(struct handshakes, turn, timer);
	struct queue_lane *lane = NULL;
	struct queue_entry *entry = queue_pop(&handshakes->waiting, &lane);
	if (entry == NULL)
		return;
	queue_end(&handshakes->waiting, lane);
	struct http_connection *connection = H2O_STRUCT_FROM_MEMBER(struct http_connection, handshake.entry, entry);
	struct http_server *server = connection->server;
	metrics_move(server->callbacks.metrics, -1, METRIC_TLS_WAITING);
	if (connection->peer == PEER_ST_GONE) { /* nobody is there to read a signature */
		connection_close(connection);
		ask_for_turn(server);
		return;
	}
	handshakes->current = connection;
	if (connection->sock->ssl == NULL) {
		h2o_socket_ssl_handshake(connection->sock, connection->ssl, NULL, on_done);
		connection->handshake.read = connection->sock->_cb.read;
	}
	h2o_socket_read_start(connection->sock, handshakes_on_read);
}

static void on_bytes(struct watch *watch, unsigned events)
{
	struct http_connection *connection = H2O_STRUCT_FROM_MEMBER(struct http_connection, watch, watch);
	struct http_server *server = connection->server;
	struct handshake *handshake = &connection->handshake;
	if ((events & (REACTOR_ERROR | REACTOR_PEER_CLOSED)) != 0)
		connection->peer = PEER_ST_GONE;
	if ((watch->interest & REACTOR_READ) == 0)
		return;
	watch_for(connection, REACTOR_PEER_CLOSED);
	/* Of one network, those that have begun and those that are new take turns, so that what is begun ends. */
	const struct queue_party party = {.network = connection->network, .client = connection->sock->ssl != NULL};
	if (!queue_push(&server->handshakes.waiting, &handshake->entry, &party)) {
		connection_close(connection);
		return;
	}
	metrics_move(server->callbacks.metrics, 1, METRIC_TLS_WAITING);
	ask_for_turn(server);
}

bool handshake_start(struct http_connection *connection, h2o_socket_cb done)
{
	struct reactor *reactor = connection->server->reactor;
	connection->handshake.done = done;
	connection->watch.on_ready = on_bytes;
	return reactor->ops->watch(reactor, &connection->watch, h2o_socket_get_fd(connection->sock), REACTOR_READ);
}

void handshake_leave(struct http_connection *connection)
{
	struct http_server *server = connection->server;
	struct handshakes *handshakes = &server->handshakes;
	if (connection->handshake.entry.lane != NULL) {
		queue_remove(&handshakes->waiting, &connection->handshake.entry);
		metrics_move(server->callbacks.metrics, -1, METRIC_TLS_WAITING);
	}
	if ((connection->watch.interest & REACTOR_READ) != 0)
		watch_for(connection, REACTOR_PEER_CLOSED);
	if (handshakes->stepping == connection)
		handshakes->stepping = NULL;
	if (handshakes->current == connection) {
		handshakes->current = NULL;
		ask_for_turn(server);
	}
}
