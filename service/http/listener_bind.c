/* SPDX-License-Identifier: MIT */
/* Sockets of listeners, one for each worker (SO_REUSEPORT); listener_bind.h holds the contract. */
#include "service/http/listener_bind.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "service/http/unix_socket.h"

enum { BACKLOG = 4096 };

static void bind_complain(const struct http_server *server, size_t index, const char *what, const char *why,
			  struct buf *error)
{
	const struct config *config = server->config;
	const struct config_listener *listener = config_listener_at(config, index);
	buf_printf(error, "%s:", config->file);
	if (listener->line != 0)
		buf_printf(error, "%u:", listener->line);
	if (listener_is_admin(config, index))
		buf_printf(error, " admin: %s ", what);
	else
		buf_printf(error, " listen[%zu]: %s ", index, what);
	if (listener->socket != NULL)
		buf_printf(error, "unix:%s: %s", listener->socket, why);
	else
		buf_printf(error, "%s:%s: %s", listener->host, listener->port, why);
	buf_printf(error, "%s\n",
		   listener_is_admin(config, index) ? "; expected another address, unix:PATH or off" : "");
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

static bool is_loopback(const struct sockaddr_storage *address)
{
	if (address->ss_family == AF_INET)
		return ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	return address->ss_family == AF_INET6 &&
	       IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)address)->sin6_addr);
}

/* A page whose own name points to the listener cannot be told from ours but by that name; none reaches a socket. */
static enum http_hosts hosts_of(int fd, bool admin)
{
	struct sockaddr_storage address = {0};
	socklen_t len = sizeof(address);
	if (getsockname(fd, (struct sockaddr *)&address, &len) != 0 || address.ss_family == AF_UNIX)
		return HTTP_HOSTS_ANY;
	if (is_loopback(&address))
		return HTTP_HOSTS_LOOPBACK;
	return admin ? HTTP_HOSTS_ADDRESSES : HTTP_HOSTS_ANY;
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

/* Returns the descriptor; -1 with what failed in *what, and *why. */
static int bind_address(const struct config_listener *listener, struct http_listener_address *address,
			const char **what, const char **why)
{
	struct addrinfo *found = NULL;
	int failed = resolve(listener, address, &found);
	if (failed != 0) {
		*what = "cannot resolve";
		*why = gai_strerror(failed);
		return -1;
	}
	bool is_first = address->text[0] == '\0';
	int fd = is_first && !is_free(found) ? -1 : open_socket(found);
	*why = strerror(errno);
	freeaddrinfo(found);
	if (fd >= 0 && describe(fd, address))
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

static int bind_socket(const struct config_listener *listener, struct http_listener_address *address, const char **why)
{
	int fd = unix_socket_open(listener->socket, address);
	*why = strerror(errno);
	return fd;
}

/* Who is not asked for a key must be of this machine, unless the file says that anybody may come. A name is known to be
 * a loopback address only now. */
static bool may_serve(const struct config *config, size_t index, int fd)
{
	return config->auth.mode != CONFIG_AUTH_UNSAID || config_listener_at(config, index)->socket != NULL ||
	       hosts_of(fd, false) == HTTP_HOSTS_LOOPBACK;
}

static const char unguarded[] = "it is no loopback address";

bool listener_bind(struct http_server *server, size_t index, struct http_listener_address *address, struct buf *error)
{
	const struct config_listener *configured = config_listener_at(server->config, index);
	const char *what = "cannot listen on", *why = "";
	int fd = configured->socket != NULL ? bind_socket(configured, address, &why)
					    : bind_address(configured, address, &what, &why);
	if (fd < 0) {
		bind_complain(server, index, what, why, error);
		return false;
	}
	if (!may_serve(server->config, index, fd)) {
		close(fd);
		bind_complain(server, index, "nobody is asked for a key (see auth), but other machines may reach",
			      unguarded, error);
		return false;
	}
	struct http_listener *listener = &server->listeners[index];
	listener->sock = h2o_evloop_socket_create(server->h2o.loop, fd, H2O_SOCKET_FLAG_DONT_READ);
	listener->sock->data = listener;
	listener->hosts = hosts_of(fd, listener_is_admin(server->config, index));
	return true;
}
