/* SPDX-License-Identifier: MIT */
/* Accepting connections. When descriptors run out, one is accepted by the spare and closed, so the loop cannot spin. */
#include "tools/sim/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "lib/container.h"
#include "tools/sim/conn.h"

enum { BACKLOG = 65535, ACCEPTS_PER_TURN = 256, REOPEN_RETRY_US = 10000 };

static void refuse_one(struct sim *sim, int listening)
{
	if (sim->spare_fd < 0)
		return;
	close(sim->spare_fd);
	int fd = accept(listening, NULL, NULL);
	if (fd >= 0)
		close(fd);
	sim->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void on_connection(struct source *source, uint32_t events)
{
	struct listener *listener = (struct listener *)source;
	(void)events;
	for (int i = 0; i < ACCEPTS_PER_TURN && source->fd >= 0; i++) {
		int fd = accept4(source->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0 && (errno == EMFILE || errno == ENFILE)) {
			refuse_one(listener->sim, source->fd);
			return;
		}
		if (fd < 0 && (errno == ECONNABORTED || errno == EINTR))
			continue;
		if (fd < 0)
			return;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
		conn_create(listener->sim, fd, listener == &listener->sim->control);
	}
}

static bool bind_and_listen(int fd, struct address *address)
{
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
	address->len =
	    address->socket.any.sa_family == AF_INET6 ? sizeof address->socket.v6 : sizeof address->socket.v4;
	return bind(fd, &address->socket.any, address->len) == 0 && listen(fd, BACKLOG) == 0 &&
	       getsockname(fd, &address->socket.any, &address->len) == 0;
}

bool listener_reopen(struct listener *listener)
{
	timer_stop(&listener->sim->timers, &listener->reopen);
	if (listener->source.fd >= 0)
		return true;
	int fd = socket(listener->address.socket.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = &listener->source};
	if (!bind_and_listen(fd, &listener->address) ||
	    epoll_ctl(listener->sim->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
		int error = errno;
		close(fd);
		errno = error;
		return false;
	}
	listener->source.fd = fd;
	return true;
}

bool listener_open(struct listener *listener, struct sim *sim, const struct address *address)
{
	*listener = (struct listener){.source = {on_connection, -1}, .sim = sim, .address = *address};
	return listener_reopen(listener);
}

void listener_close(struct listener *listener)
{
	if (listener->source.fd >= 0)
		close(listener->source.fd);
	listener->source.fd = -1;
}

static void on_reopen(struct timer *timer)
{
	struct listener *listener = container_of(timer, struct listener, reopen);
	if (!listener_reopen(listener))
		timer_start(&listener->sim->timers, timer, REOPEN_RETRY_US, on_reopen);
}

void listener_close_for(struct listener *listener, uint64_t after_us)
{
	listener_close(listener);
	timer_stop(&listener->sim->timers, &listener->reopen);
	if (after_us > 0)
		timer_start(&listener->sim->timers, &listener->reopen, after_us, on_reopen);
}
