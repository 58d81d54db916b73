/* SPDX-License-Identifier: MIT */
/*
 * A scripted HTTP server for tests: raw sockets, one thread per connection,
 * each of which runs the script. Header only.
 */
#ifndef SLUICE_TESTS_UNIT_CLIENTS_TEST_SERVER_H
#define SLUICE_TESTS_UNIT_CLIENTS_TEST_SERVER_H

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TEST_SERVER_BUFFER = 1 << 20 };

struct test_peer;
typedef void (*test_script)(struct test_peer *peer);

struct test_server {
	int listener;
	int port;
	test_script script;
	void *context;
	pthread_t thread;
	atomic_int connections; /* accepted */
	atomic_int requests;    /* read completely */
	atomic_int closed;      /* ended by the client, as seen by peer_await_close */
	atomic_int running;     /* connection threads */
	atomic_bool release;    /* scripts may wait for it */
};

/* One connection of the server. */
struct test_peer {
	struct test_server *server;
	int fd;
	int number; /* of the connection, from 1 */
	size_t len;
	size_t body_at, body_len; /* of the last request, in bytes */
	size_t request_len;
	char bytes[TEST_SERVER_BUFFER + 1];
};

/* Reads one request, head and body; false when the client closed. */
static inline bool peer_read(struct test_peer *peer)
{
	memmove(peer->bytes, peer->bytes + peer->request_len, peer->len - peer->request_len);
	peer->len -= peer->request_len;
	peer->request_len = 0;
	for (;;) {
		peer->bytes[peer->len] = '\0';
		char *end = strstr(peer->bytes, "\r\n\r\n");
		if (end != NULL) {
			char *length = strcasestr(peer->bytes, "content-length:");
			peer->body_at = (size_t)(end - peer->bytes) + 4;
			peer->body_len = length != NULL && length < end ? strtoul(length + 15, NULL, 10) : 0;
			if (peer->len >= peer->body_at + peer->body_len) {
				peer->request_len = peer->body_at + peer->body_len;
				peer->server->requests++;
				return true;
			}
		}
		ssize_t got = recv(peer->fd, peer->bytes + peer->len, TEST_SERVER_BUFFER - peer->len, 0);
		if (got <= 0)
			return false;
		peer->len += (size_t)got;
	}
}

static inline bool peer_write(struct test_peer *peer, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t sent = send(peer->fd, bytes, len, MSG_NOSIGNAL);
		if (sent <= 0)
			return false;
		bytes += sent;
		len -= (size_t)sent;
	}
	return true;
}

static inline bool peer_say(struct test_peer *peer, const char *text)
{
	return peer_write(peer, text, strlen(text));
}

/* Waits until the client has closed; unread input is thrown away. */
static inline void peer_await_close(struct test_peer *peer)
{
	char bytes[4096];
	while (recv(peer->fd, bytes, sizeof(bytes), 0) > 0)
		continue;
	peer->server->closed++;
}

/* The close that follows sends a RST. */
static inline void peer_reset(struct test_peer *peer)
{
	struct linger linger = {1, 0};
	setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

static inline void peer_await_release(struct test_peer *peer)
{
	while (!atomic_load(&peer->server->release))
		usleep(1000);
}

static inline void *test_server_serve(void *context)
{
	struct test_peer *peer = context;
	peer->server->script(peer);
	close(peer->fd);
	peer->server->running--;
	free(peer);
	return NULL;
}

static inline void *test_server_listen(void *context)
{
	struct test_server *server = context;
	int fd;
	while ((fd = accept(server->listener, NULL, NULL)) >= 0 || errno == EMFILE) {
		if (fd < 0) {
			usleep(1000); /* a test took the descriptors away for a while */
			continue;
		}
		struct test_peer *peer = malloc(sizeof(*peer));
		pthread_t thread;
		pthread_attr_t attributes;
		int one = 1;
		assert(peer != NULL);
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		peer->server = server;
		peer->fd = fd;
		peer->len = peer->request_len = 0;
		peer->number = ++server->connections;
		server->running++;
		pthread_attr_init(&attributes);
		pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
		pthread_attr_setstacksize(&attributes, 256 * 1024);
		if (pthread_create(&thread, &attributes, test_server_serve, peer) != 0)
			abort();
		pthread_attr_destroy(&attributes);
	}
	return NULL;
}

/* A port of one address only; of all when address is "::". */
static inline int test_listen_on(const char *text, int *port)
{
	union {
		struct sockaddr any;
		struct sockaddr_in four;
		struct sockaddr_in6 six;
	} address = {.any.sa_family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET};
	socklen_t len = sizeof(address);
	void *bytes =
	    address.any.sa_family == AF_INET6 ? (void *)&address.six.sin6_addr : (void *)&address.four.sin_addr;
	int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (inet_pton(address.any.sa_family, text, bytes) != 1 || bind(fd, &address.any, len) != 0 ||
	    listen(fd, 1024) != 0)
		abort();
	getsockname(fd, &address.any, &len);
	*port = ntohs(address.any.sa_family == AF_INET6 ? address.six.sin6_port : address.four.sin_port);
	return fd;
}

static inline int test_listen(int *port)
{
	return test_listen_on("127.0.0.1", port);
}

static inline struct test_server *test_server_start_on(const char *address, test_script script, void *context)
{
	struct test_server *server = calloc(1, sizeof(*server));
	assert(server != NULL);
	server->script = script;
	server->context = context;
	server->listener = test_listen_on(address, &server->port);
	if (pthread_create(&server->thread, NULL, test_server_listen, server) != 0)
		abort();
	return server;
}

static inline struct test_server *test_server_start(test_script script, void *context)
{
	return test_server_start_on("127.0.0.1", script, context);
}

/* The client must have closed its connections. */
static inline void test_server_stop(struct test_server *server)
{
	atomic_store(&server->release, true);
	shutdown(server->listener, SHUT_RDWR);
	pthread_join(server->thread, NULL);
	close(server->listener);
	while (atomic_load(&server->running) > 0)
		usleep(1000);
	free(server);
}

#endif
