/* SPDX-License-Identifier: MIT */
/* Descriptors of /dev/null, closed when one is needed; spare_descriptors.h holds the contract. */
#include "service/http/spare_descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

void reserve_fill(struct http_server *server)
{
	while (server->reserved < RESERVE_DESCRIPTORS && config_admin_is_on(server->config)) {
		int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return;
		server->reserve[server->reserved++] = fd;
	}
}

/* Another thread may be quicker to use a descriptor that is given up, so that several may be. */
int reserve_accept(struct http_server *server, int listening_fd)
{
	int fd = accept4(listening_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	while (fd < 0 && (errno == EMFILE || errno == ENFILE) && server->reserved > 0) {
		close(server->reserve[--server->reserved]);
		fd = accept4(listening_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	}
	return fd;
}

void reserve_close(struct http_server *server)
{
	while (server->reserved > 0)
		close(server->reserve[--server->reserved]);
}
