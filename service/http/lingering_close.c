/* SPDX-License-Identifier: MIT */
/*
 * h2o closes its descriptor at once, so a duplicate keeps the TCP connection
 * alive: FIN goes out behind the answer, input is read and dropped, until the
 * client closes or the time is over. These descriptors count as nobody's
 * connections, so they are few: beyond LINGER_MOST the oldest one goes.
 */
#include "service/http/lingering_close.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "service/http/h1_disconnect.h"

enum {
	LINGER_US = 2000000,
	LINGER_MOST = 64, /* per worker */
	LINGER_READS = 16 /* per event, so that a fast sender does not hold up the loop */
};

struct lingering {
	struct http_server *server;
	int fd;
	struct watch watch;
	struct timer timer;
	struct lingering *next;
	struct lingering **back;
};

static void lingering_close(struct lingering *lingering)
{
	struct reactor *reactor = lingering->server->reactor;
	reactor->ops->unwatch(reactor, &lingering->watch);
	timer_stop(&reactor->timers, &lingering->timer);
	*lingering->back = lingering->next;
	if (lingering->next != NULL)
		lingering->next->back = lingering->back;
	close(lingering->fd);
	free(lingering);
}

static void on_input(struct watch *watch, unsigned events)
{
	(void)events;
	struct lingering *lingering = H2O_STRUCT_FROM_MEMBER(struct lingering, watch, watch);
	char dropped[16384];
	ssize_t len = 1;
	for (int i = 0; i < LINGER_READS && len > 0; i++)
		len = recv(lingering->fd, dropped, sizeof(dropped), MSG_DONTWAIT);
	if (len == 0 || (len < 0 && errno != EAGAIN && errno != EINTR))
		lingering_close(lingering);
}

static void linger_on_due(struct timer *timer)
{
	lingering_close(H2O_STRUCT_FROM_MEMBER(struct lingering, timer, timer));
}

/* Closes the oldest, which is the last of the list, if there are as many as there may be. */
static void linger_make_room(const struct http_server *server)
{
	unsigned count = 0;
	struct lingering *oldest = NULL;
	for (struct lingering *at = server->lingering; at != NULL; at = at->next) {
		oldest = at;
		count++;
	}
	if (count >= LINGER_MOST)
		lingering_close(oldest);
}

void linger_start(struct http_connection *connection)
{
	struct http_server *server = connection->server;
	struct lingering *lingering;
	if (server->state == HTTP_SERVER_ST_DESTROYING || (lingering = calloc(1, sizeof(*lingering))) == NULL)
		return;
	linger_make_room(server);
	h1_disconnect_unwatch(connection); /* while h2o's descriptor is still there */
	lingering->server = server;
	lingering->fd = dup(h2o_socket_get_fd(connection->sock));
	lingering->watch.on_ready = on_input;
	lingering->next = server->lingering;
	lingering->back = &server->lingering;
	if (lingering->next != NULL)
		lingering->next->back = &lingering->next;
	server->lingering = lingering;
	if (connection->sock->ssl == NULL) /* TLS has a last word to say */
		shutdown(lingering->fd, SHUT_WR);
	if (!server->reactor->ops->watch(server->reactor, &lingering->watch, lingering->fd, REACTOR_READ) ||
	    !timer_start(&server->reactor->timers, &lingering->timer, LINGER_US, linger_on_due))
		lingering_close(lingering);
}

void linger_close_all(struct http_server *server)
{
	while (server->lingering != NULL)
		lingering_close(server->lingering); /* NOLINT(clang-analyzer-unix.Malloc): it unlinks itself */
}
