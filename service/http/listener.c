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
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "service/http/connection.h"
#include "service/http/crowd.h"
#include "service/http/h1_refusal.h"
#include "service/http/tls.h"

enum {
	BACKLOG = 4096,
	REFUSAL_BYTES_MAX = 8192,
	ACCEPT_BATCH = 16,      /* connections taken from one listener per event, so that the others get their turn */
	REFUSE_PAUSE_US = 50000 /* between refusals; also the time a refused client has to read its answer */
};

bool listeners_create(struct http_server *server, struct buf *error)
{
	const struct config *config = server->config;
	server->listeners = calloc(config->listener_count, sizeof(*server->listeners));
	if (server->listeners == NULL && config->listener_count > 0) {
		buf_printf(error, "out of memory\n");
		return false;
	}
	server->listener_count = config->listener_count;
	for (size_t i = 0; i < config->listener_count; i++) {
		struct http_listener *listener = &server->listeners[i];
		listener->server = server;
		if (config->listeners[i].tls_certificate == NULL)
			continue;
		listener->ssl = tls_create(config, i, error);
		if (listener->ssl == NULL)
			return false;
	}
	return true;
}

static void complain(const struct http_server *server, size_t index, const char *what, const char *why,
		     struct buf *error)
{
	const struct config_listener *listener = &server->config->listeners[index];
	buf_printf(error, "%s:%u: listen[%zu]: %s %s:%s: %s\n", server->config->file, listener->line, index, what,
		   listener->host, listener->port, why);
}

/*
 * SO_REUSEPORT would let a second process of the same user take half of our clients without a word. So the first
 * worker asks for the port without it, which fails when anybody has it.
 */
static bool is_free(const struct addrinfo *address)
{
	int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int on = 1;
	if (fd < 0)
		return false;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (address->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	bool is_bound = bind(fd, address->ai_addr, address->ai_addrlen) == 0;
	int why = errno;
	close(fd);
	errno = why;
	return is_bound;
}

static int open_socket(const struct addrinfo *address)
{
	int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	int on = 1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* accepted sockets inherit it */
	if (address->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	int why = errno;
	close(fd);
	errno = why;
	return -1;
}

/* Writes the bound address, "127.0.0.1:8080" or "[::1]:8080". */
static bool describe(int fd, struct http_listener_address *out)
{
	struct sockaddr_storage address = {0};
	socklen_t len = sizeof(address);
	char host[48];
	char port[8];
	if (getsockname(fd, (struct sockaddr *)&address, &len) != 0 ||
	    getnameinfo((struct sockaddr *)&address, len, host, sizeof(host), port, sizeof(port),
			NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		return false;
	snprintf(out->text, sizeof(out->text), address.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
	return true;
}

static bool is_local(int fd)
{
	struct sockaddr_storage address = {0};
	socklen_t len = sizeof(address);
	if (getsockname(fd, (struct sockaddr *)&address, &len) != 0)
		return false;
	if (address.ss_family == AF_INET)
		return ntohl(((struct sockaddr_in *)&address)->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	return address.ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&((struct sockaddr_in6 *)&address)->sin6_addr);
}

/* Resolves the listener's address; a port chosen by an earlier worker replaces "0". */
static int resolve(const struct config_listener *listener, const struct http_listener_address *bound,
		   struct addrinfo **found)
{
	const struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
	const char *colon = strrchr(bound->text, ':');
	const char *host = listener->host[0] == '\0' || strcmp(listener->host, "*") == 0 ? NULL : listener->host;
	return getaddrinfo(host, colon != NULL ? colon + 1 : listener->port, &hints, found);
}

static void on_connection(h2o_socket_t *sock, const char *err);

static bool bind_listener(struct http_server *server, size_t index, struct http_listener_address *address,
			  struct buf *error)
{
	struct addrinfo *found = NULL;
	int failed = resolve(&server->config->listeners[index], address, &found);
	if (failed != 0) {
		complain(server, index, "cannot resolve", gai_strerror(failed), error);
		return false;
	}
	bool is_first = address->text[0] == '\0';
	int fd = is_first && !is_free(found) ? -1 : open_socket(found);
	int why = errno;
	freeaddrinfo(found);
	if (fd < 0 || !describe(fd, address)) {
		complain(server, index, "cannot listen on", strerror(why), error);
		if (fd >= 0)
			close(fd);
		return false;
	}
	struct http_listener *listener = &server->listeners[index];
	listener->sock = h2o_evloop_socket_create(server->h2o.loop, fd, H2O_SOCKET_FLAG_DONT_READ);
	listener->sock->data = listener;
	listener->local = is_local(fd);
	return true;
}

bool listeners_bind(struct http_server *server, struct http_listener_address *addresses, struct buf *error)
{
	for (size_t i = 0; i < server->listener_count; i++)
		if (!bind_listener(server, i, &addresses[i], error))
			return false;
	listeners_update(server);
	return true;
}

static bool may_accept(const struct http_server *server)
{
	return server->state == HTTP_SERVER_ST_RUNNING && !timer_is_running(&server->listen_again) &&
	       crowd_admits(server);
}

static void on_patience_due(struct timer *timer)
{
	listeners_update(H2O_STRUCT_FROM_MEMBER(struct http_server, patience, timer));
}

void listeners_update(struct http_server *server)
{
	bool accept = may_accept(server);
	uint64_t patience_us = crowd_patience_us(server);
	if (!accept && patience_us > 0 && server->state == HTTP_SERVER_ST_RUNNING &&
	    !timer_is_running(&server->patience))
		timer_start(&server->reactor->timers, &server->patience, patience_us, on_patience_due);
	for (size_t i = 0; i < server->listener_count; i++) {
		h2o_socket_t *sock = server->listeners[i].sock;
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
	listeners_update(server);
}

void listener_send_refusal(int fd)
{
	struct buf text;
	buf_init(&text, REFUSAL_BYTES_MAX);
	if (h1_refusal_write(&text, ERROR_OVERLOADED))
		send(fd, buf_span(&text).at, buf_len(&text), MSG_DONTWAIT | MSG_NOSIGNAL);
	shutdown(fd, SHUT_WR);
	buf_fini(&text);
}

/* No descriptor for a client: spends the spare one on a refusal, and lets others wait in the kernel's queue. */
static void refuse(struct http_listener *listener)
{
	struct http_server *server = listener->server;
	if (server->spare_fd >= 0) {
		close(server->spare_fd);
		server->spare_fd = -1;
		server->refused_fd =
		    accept4(h2o_socket_get_fd(listener->sock), NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (server->refused_fd >= 0 && listener->ssl == NULL)
			listener_send_refusal(server->refused_fd);
	}
	timer_start(&server->reactor->timers, &server->listen_again, REFUSE_PAUSE_US, on_listen_again);
	listeners_update(server);
}

static void on_connection(h2o_socket_t *sock, const char *err)
{
	struct http_listener *listener = sock->data;
	struct http_server *server = listener->server;
	if (err != NULL)
		return;
	for (int i = 0; i < ACCEPT_BATCH && may_accept(server); i++) {
		int fd = accept4(h2o_socket_get_fd(sock), NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			crowd_make_room(server);
			connection_accept(listener, fd);
			continue;
		}
		if (errno == ECONNABORTED || errno == EINTR)
			continue;
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			refuse(listener);
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
	timer_stop(&server->reactor->timers, &server->patience);
	close_refused(server);
}

void listeners_destroy(struct http_server *server)
{
	listeners_close(server);
	for (size_t i = 0; i < server->listener_count; i++)
		SSL_CTX_free(server->listeners[i].ssl);
	free(server->listeners);
}
