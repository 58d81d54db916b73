/* SPDX-License-Identifier: MIT */
/*
 * Listening sockets, one set per worker (SO_REUSEPORT). h2o would spin at full
 * speed when accept finds no descriptor, so accepting stops at our own cap; if
 * the process runs out all the same, a descriptor kept in reserve is spent to
 * answer one client with 503, and accepting pauses for a moment.
 */
#include "service/http/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "service/http/connection.h"
#include "service/http/connection_limit.h"
#include "service/http/h1_refusal.h"
#include "service/http/listener_bind.h"
#include "service/http/spare_descriptors.h"
#include "service/http/tls.h"

enum {
	REFUSAL_BYTES_MAX = 8192,
	ACCEPT_BATCH = 16,      /* connections taken from one listener per event, so that the others get their turn */
	REFUSE_PAUSE_US = 50000 /* between refusals; also the time a refused client has to read its answer */
};

bool listeners_create(struct http_server *server, struct buf *error)
{
	const struct config *config = server->config;
	size_t count = config_listener_total(config);
	server->listeners = calloc(count, sizeof(*server->listeners));
	if (server->listeners == NULL && count > 0) {
		buf_printf(error, "out of memory\n");
		return false;
	}
	server->listener_count = count;
	for (size_t i = 0; i < count; i++) {
		struct http_listener *listener = &server->listeners[i];
		listener->server = server;
		listener->crowd = &server->crowds[listener_is_admin(config, i) ? HTTP_CROWD_ADMIN : HTTP_CROWD_CLIENTS];
		if (config_listener_at(config, i)->tls_certificate == NULL)
			continue;
		listener->ssl = tls_create(server, i, error);
		if (listener->ssl == NULL)
			return false;
	}
	return true;
}

static void on_connection(h2o_socket_t *sock, const char *err);

bool listeners_bind(struct http_server *server, struct http_listener_address *addresses, struct buf *error)
{
	for (size_t i = 0; i < server->listener_count; i++)
		if (!listener_bind(server, i, &addresses[i], error))
			return false;
	listeners_update(server);
	return true;
}

static bool may_accept(const struct http_crowd *crowd)
{
	return crowd->server->state == HTTP_SERVER_ST_RUNNING && !crowd->pauses && connection_limit_admits(crowd);
}

static void on_patience_due(struct timer *timer)
{
	listeners_update(H2O_STRUCT_FROM_MEMBER(struct http_crowd, patience, timer)->server);
}

/* Returns whether the crowd's listeners accept; looks again when a connection that has just come may yield. */
static bool update_crowd(struct http_crowd *crowd)
{
	struct http_server *server = crowd->server;
	bool accept = may_accept(crowd);
	uint64_t patience_us = connection_limit_patience_us(crowd);
	if (!accept && patience_us > 0 && server->state == HTTP_SERVER_ST_RUNNING &&
	    !timer_is_running(&crowd->patience))
		timer_start(&server->reactor->timers, &crowd->patience, patience_us, on_patience_due);
	return accept;
}

void listeners_update(struct http_server *server)
{
	bool accepts[HTTP_CROWDS];
	for (size_t i = 0; i < HTTP_CROWDS; i++)
		accepts[i] = update_crowd(&server->crowds[i]);
	for (size_t i = 0; i < server->listener_count; i++) {
		h2o_socket_t *sock = server->listeners[i].sock;
		bool accept = accepts[server->listeners[i].crowd - server->crowds];
		if (sock == NULL || accept == (h2o_socket_is_reading(sock) != 0))
			continue;
		if (accept)
			h2o_socket_read_start(sock, on_connection);
		else
			h2o_socket_read_stop(sock);
	}
}

static void close_refused(struct http_server *server)
{
	char dropped[4096];
	if (server->refused_fd < 0)
		return;
	while (recv(server->refused_fd, dropped, sizeof(dropped), MSG_DONTWAIT) > 0)
		; /* closing with unread input would send RST and destroy the answer */
	close(server->refused_fd);
	server->refused_fd = -1;
}

static void on_listen_again(struct timer *timer)
{
	struct http_server *server = H2O_STRUCT_FROM_MEMBER(struct http_server, listen_again, timer);
	close_refused(server);
	if (server->spare_fd < 0)
		server->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	reserve_fill(server);
	for (size_t i = 0; i < HTTP_CROWDS; i++)
		server->crowds[i].pauses = false;
	listeners_update(server);
}

void listener_send_refusal(int fd, enum error_code error)
{
	struct buf text;
	buf_init(&text, REFUSAL_BYTES_MAX);
	if (h1_refusal_write(&text, error))
		send(fd, buf_span(&text).at, buf_len(&text), MSG_DONTWAIT | MSG_NOSIGNAL);
	shutdown(fd, SHUT_WR);
	buf_fini(&text);
}

/* Spends the spare descriptor on a refusal, so that one client knows. */
static void listener_refuse(struct http_listener *listener)
{
	struct http_server *server = listener->server;
	if (server->spare_fd < 0)
		return;
	close(server->spare_fd);
	server->spare_fd = -1;
	server->refused_fd = accept4(h2o_socket_get_fd(listener->sock), NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (server->refused_fd >= 0 && listener->ssl == NULL)
		listener_send_refusal(server->refused_fd, ERROR_OVERLOADED);
}

static bool is_operators(const struct http_listener *listener)
{
	return listener->crowd == &listener->server->crowds[HTTP_CROWD_ADMIN];
}

/*
 * There is no descriptor: accepting pauses, and who comes waits in the kernel's queue. Among operators one who is idle
 * gives way instead. True: try again.
 */
static bool run_short(struct http_listener *listener)
{
	struct http_server *server = listener->server;
	if (is_operators(listener) && connection_limit_yield(listener->crowd))
		return true;
	if (!is_operators(listener))
		listener_refuse(listener);
	listener->crowd->pauses = true;
	if (!timer_is_running(&server->listen_again))
		timer_start(&server->reactor->timers, &server->listen_again, REFUSE_PAUSE_US, on_listen_again);
	return false;
}

static int accept_from(const struct http_listener *listener)
{
	int fd = h2o_socket_get_fd(listener->sock);
	return is_operators(listener) ? reserve_accept(listener->server, fd)
				      : accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

static bool is_short(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/* Sockets of the file system are shared by all workers already, and operators' connections are few. */
static bool passes_on(const struct http_listener *listener, int fd)
{
	const struct http_server *server = listener->server;
	return server->callbacks.passes_on != NULL && !is_operators(listener) &&
	       server->callbacks.passes_on(server->callbacks.context, (size_t)(listener - server->listeners), fd);
}

void http_server_take(struct http_server *server, size_t index, int fd)
{
	struct http_listener *listener = &server->listeners[index];
	if (server->state != HTTP_SERVER_ST_RUNNING || !connection_limit_admits(listener->crowd)) {
		if (listener->ssl == NULL)
			listener_send_refusal(fd, ERROR_OVERLOADED);
		close(fd);
		return;
	}
	connection_limit_make_room(listener->crowd);
	connection_accept(listener, fd);
	listeners_update(server);
}

static void on_connection(h2o_socket_t *sock, const char *err)
{
	struct http_listener *listener = sock->data;
	struct http_server *server = listener->server;
	if (err != NULL)
		return;
	for (int i = 0; i < ACCEPT_BATCH && may_accept(listener->crowd); i++) {
		int fd = accept_from(listener);
		if (fd >= 0 && passes_on(listener, fd))
			continue;
		if (fd >= 0) {
			connection_limit_make_room(listener->crowd);
			connection_accept(listener, fd);
			continue;
		}
		if (errno != ECONNABORTED && errno != EINTR && !(is_short(errno) && run_short(listener)))
			break;
	}
	listeners_update(server);
}

void listeners_close(struct http_server *server)
{
	for (size_t i = 0; i < server->listener_count; i++) {
		if (server->listeners[i].sock != NULL)
			h2o_socket_close(server->listeners[i].sock);
		server->listeners[i].sock = NULL;
	}
	timer_stop(&server->reactor->timers, &server->listen_again);
	for (size_t i = 0; i < HTTP_CROWDS; i++)
		timer_stop(&server->reactor->timers, &server->crowds[i].patience);
	close_refused(server);
}

void listeners_destroy(struct http_server *server)
{
	listeners_close(server);
	for (size_t i = 0; i < server->listener_count; i++)
		tls_destroy(server->listeners[i].ssl);
	free(server->listeners);
}
