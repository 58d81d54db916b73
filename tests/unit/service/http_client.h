/* SPDX-License-Identifier: MIT */
/* A raw HTTP/1.1 client socket in the same thread as the server under test: every wait turns the server's loop. */
#ifndef SLUICE_TESTS_HTTP_CLIENT_H
#define SLUICE_TESTS_HTTP_CLIENT_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <time.h>

#include "tests/unit/service/http_app.h"

enum { CLIENT_GUARD_US = 120000000 };

struct client {
	struct app *app;
	int fd;
	char *in; /* NUL-terminated */
	size_t len;
	size_t capacity;
	bool closed; /* FIN or RST came */
	bool reset;
};

/* A socket that is not connected yet. */
static inline void client_prepare(struct client *client, struct app *app)
{
	*client = (struct client){.app = app, .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .capacity = 65536};
	client->in = calloc(1, client->capacity + 1);
}

static inline void client_connect(struct client *client, int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(client->fd, (struct sockaddr *)&address, sizeof(address)), 0);
	fcntl(client->fd, F_SETFL, O_NONBLOCK);
}

static inline void client_open_port(struct client *client, struct app *app, int port, int receive_buffer)
{
	client_prepare(client, app);
	if (receive_buffer > 0)
		setsockopt(client->fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
	client_connect(client, port);
}

static inline void client_open(struct client *client, struct app *app)
{
	client_open_port(client, app, app->port, 0);
}

static inline void client_close(struct client *client)
{
	if (client->fd >= 0)
		close(client->fd);
	client->fd = -1;
	free(client->in);
	client->in = NULL;
}

/* close() that sends RST. */
static inline void client_reset(struct client *client)
{
	struct linger linger = {1, 0};
	setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	client_close(client);
}

static inline void client_send_bytes(struct client *client, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t sent = send(client->fd, bytes, len, MSG_NOSIGNAL);
		if (sent < 0 && errno == EAGAIN) {
			app_turn(client->app);
			continue;
		}
		if (sent < 0)
			return; /* the server closed: the test will see it */
		bytes += sent;
		len -= (size_t)sent;
	}
}

static inline void client_send(struct client *client, const char *text)
{
	client_send_bytes(client, text, strlen(text));
}

/* Reads what is there. */
static inline void client_read(struct client *client)
{
	for (;;) {
		if (client->len == client->capacity) {
			client->capacity *= 2;
			client->in = realloc(client->in, client->capacity + 1);
		}
		ssize_t len = recv(client->fd, client->in + client->len, client->capacity - client->len, 0);
		if (len < 0) {
			if (errno == ECONNRESET || errno == EPIPE)
				client->closed = client->reset = true;
			break;
		}
		if (len == 0) {
			client->closed = true;
			break;
		}
		client->len += (size_t)len;
	}
	client->in[client->len] = '\0';
}

/* Waits until text has arrived, or the connection ended. */
static inline bool client_wait(struct client *client, const char *text)
{
	uint64_t until = app_now_us(client->app) + CLIENT_GUARD_US;
	for (;;) {
		app_turn(client->app);
		client_read(client);
		if (strstr(client->in, text) != NULL)
			return true;
		if (client->closed || app_now_us(client->app) > until)
			return false;
	}
}

static inline void client_wait_close(struct client *client)
{
	uint64_t until = app_now_us(client->app) + CLIENT_GUARD_US;
	while (!client->closed) {
		app_turn(client->app);
		client_read(client);
		assert_true(app_now_us(client->app) < until);
	}
}

static inline size_t client_count(const struct client *client, const char *text)
{
	size_t count = 0;
	for (const char *at = client->in; (at = strstr(at, text)) != NULL; at += strlen(text))
		count++;
	return count;
}

/* Turns the loop for some time, and then until nothing is left to do: a machine that stalls has had no turn in it. */
static inline void app_run_us(struct app *app, uint64_t us)
{
	enum { TURNS = 20 };
	uint64_t until = app_now_us(app) + us;
	while (app_now_us(app) < until)
		app_turn(app);
	for (unsigned i = 0; i < TURNS; i++)
		loop_turn(app->loop, 0);
}

/* A clock that the test can set forward, for the limits that are minutes. */
static inline uint64_t *app_clock_skew_us(void)
{
	static uint64_t skew_us;
	return &skew_us;
}

static inline uint64_t app_skewed_clock(void *context)
{
	(void)context;
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000 + *app_clock_skew_us();
}

static inline void app_skip_seconds(struct app *app, unsigned seconds)
{
	loop_reactor(app->loop)->timers.clock = app_skewed_clock;
	*app_clock_skew_us() += (uint64_t)seconds * 1000000;
	for (int i = 0; i < 5; i++)
		app_turn(app);
}

#define WAIT_UNTIL(app, condition)                                   \
	do {                                                         \
		uint64_t until_ = app_now_us(app) + CLIENT_GUARD_US; \
		while (!(condition)) {                               \
			app_turn(app);                               \
			if (app_now_us(app) > until_)                \
				fail_msg("never: %s", #condition);   \
		}                                                    \
	} while (0)

#endif
