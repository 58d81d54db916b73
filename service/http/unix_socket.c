/* SPDX-License-Identifier: MIT */
/* Binding a path, and removing what is there; unix_socket.h holds the contract. */
#include "service/http/unix_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { UNIX_BACKLOG = 64 };

static const char scheme[] = "unix:";

/* False when the path is too long, which the configuration has ruled out. */
static bool name(const char *path, struct sockaddr_un *address)
{
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	size_t len = strlen(path);
	errno = ENAMETOOLONG;
	if (len >= sizeof(address->sun_path))
		return false;
	memcpy(address->sun_path, path, len + 1);
	return true;
}

/* Connects, which fails with ECONNREFUSED when nobody listens. */
static bool is_served(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool served =
	    fd < 0 || connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 || errno != ECONNREFUSED;
	if (fd >= 0)
		close(fd);
	return served;
}

/* Removes a socket that nobody serves. False with errno when something else is there. */
static bool make_room(const struct sockaddr_un *address)
{
	struct stat file;
	if (lstat(address->sun_path, &file) != 0)
		return errno == ENOENT;
	errno = EEXIST;
	if (!S_ISSOCK(file.st_mode))
		return false;
	bool served = is_served(address);
	errno = EADDRINUSE;
	return !served && unlink(address->sun_path) == 0;
}

static bool note(const char *path, int fd, struct http_listener_address *address)
{
	struct stat file;
	if (lstat(path, &file) != 0)
		return false;
	snprintf(address->text, sizeof(address->text), "%s%s", scheme, path);
	address->fd = fd;
	address->device = file.st_dev;
	address->inode = file.st_ino;
	return true;
}

int unix_socket_open(const char *path, struct http_listener_address *address)
{
	struct sockaddr_un at;
	if (address->text[0] != '\0')
		return fcntl(address->fd, F_DUPFD_CLOEXEC, 0);
	if (!name(path, &at) || !make_room(&at))
		return -1;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	/* the mode of the socket becomes that of its file: there is no moment in which others may connect */
	if (fchmod(fd, S_IRUSR | S_IWUSR) == 0 && bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0 &&
	    listen(fd, UNIX_BACKLOG) == 0 && note(path, fd, address))
		return fd;
	int why = errno;
	close(fd);
	errno = why;
	return -1;
}

void http_listener_address_remove(const struct http_listener_address *address)
{
	struct stat file;
	const char *path = address->text + sizeof(scheme) - 1;
	if (strncmp(address->text, scheme, sizeof(scheme) - 1) == 0 && lstat(path, &file) == 0 &&
	    file.st_dev == address->device && file.st_ino == address->inode)
		unlink(path);
}
