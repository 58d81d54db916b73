/* SPDX-License-Identifier: MIT */
/*
 * A table by descriptor. An entry lives for as long as curl is interested in
 * its socket.
 *
 * A trap of libcurl 7.88: it closes a socket whose connecting has failed or was
 * given up without calling CURLOPT_CLOSESOCKETFUNCTION. Such a socket's entry
 * must go when curl loses interest, before anybody else on this thread can be
 * given the same descriptor.
 */
#include "clients/http/sockets.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clients/http/call.h"
#include "clients/http/connect_attempt.h"

enum { SOCKETS_FIRST_COUNT = 64 };

struct socket_entry {
	struct watch watch; /* first */
	struct sockets *sockets;
};

void sockets_init(struct sockets *sockets, struct http_client *client)
{
	*sockets = (struct sockets){.client = client};
}

void sockets_fini(struct sockets *sockets)
{
	for (size_t i = 0; i < sockets->count; i++)
		assert(sockets->entries[i] == NULL);
	free(sockets->entries);
}

static struct socket_entry *sockets_find(const struct sockets *sockets, curl_socket_t fd)
{
	return (size_t)fd < sockets->count ? sockets->entries[fd] : NULL;
}

static bool sockets_reserve(struct sockets *sockets, curl_socket_t fd)
{
	size_t count = sockets->count == 0 ? SOCKETS_FIRST_COUNT : sockets->count;
	if ((size_t)fd < sockets->count)
		return true;
	while (count <= (size_t)fd)
		count *= 2;
	struct socket_entry **entries = realloc(sockets->entries, count * sizeof(*entries));
	if (entries == NULL)
		return false;
	memset(entries + sockets->count, 0, (count - sockets->count) * sizeof(*entries));
	sockets->entries = entries;
	sockets->count = count;
	return true;
}

static void on_ready(struct watch *watch, unsigned events)
{
	const struct socket_entry *entry = (struct socket_entry *)watch;
	/* An error is told as readiness: curl then gets the errno from the system call, which says more. */
	if ((events & REACTOR_ERROR) != 0)
		events |= watch->interest;
	int bits = 0;
	if ((events & REACTOR_READ) != 0)
		bits |= CURL_CSELECT_IN;
	if ((events & REACTOR_WRITE) != 0)
		bits |= CURL_CSELECT_OUT;
	client_drive_socket(entry->sockets->client, watch->fd, bits);
}

static struct socket_entry *sockets_add(struct sockets *sockets, curl_socket_t fd)
{
	struct socket_entry *entry = sockets_reserve(sockets, fd) ? calloc(1, sizeof(*entry)) : NULL;
	if (entry == NULL)
		return NULL;
	entry->watch.on_ready = on_ready;
	entry->watch.fd = fd;
	entry->sockets = sockets;
	sockets->entries[fd] = entry;
	return entry;
}

static void sockets_remove(struct sockets *sockets, curl_socket_t fd)
{
	struct reactor *reactor = sockets->client->reactor;
	struct socket_entry *entry = sockets_find(sockets, fd);
	if (entry == NULL)
		return;
	reactor->ops->unwatch(reactor, &entry->watch);
	sockets->entries[fd] = NULL;
	free(entry);
}

/*
 * The descriptor may be one that curl gave up without a word a moment ago, say
 * when both address families move on to their next address at once. curl then
 * takes the new socket for the old one and does not ask for it to be watched.
 */
static bool sockets_renew(struct sockets *sockets, curl_socket_t fd)
{
	struct reactor *reactor = sockets->client->reactor;
	struct socket_entry *entry = sockets_find(sockets, fd);
	if (entry == NULL)
		return true;
	reactor->ops->unwatch(reactor, &entry->watch);
	return reactor->ops->watch(reactor, &entry->watch, fd, entry->watch.interest);
}

curl_socket_t sockets_open(struct sockets *sockets, const struct curl_sockaddr *address)
{
	int fd = socket(address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, address->protocol);
	if (fd < 0)
		return CURL_SOCKET_BAD;
	if (sockets_renew(sockets, fd))
		return fd;
	close(fd);
	errno = ENOMEM;
	return CURL_SOCKET_BAD;
}

int sockets_close(struct sockets *sockets, curl_socket_t fd)
{
	sockets_remove(sockets, fd);
	return close(fd);
}

static bool socket_want(struct reactor *reactor, struct socket_entry *entry, unsigned interest)
{
	if (entry->watch.slot == 0)
		return reactor->ops->watch(reactor, &entry->watch, entry->watch.fd, interest);
	if (entry->watch.interest != interest)
		reactor->ops->rewatch(reactor, &entry->watch, interest);
	return true;
}

int sockets_on_interest(CURL *easy, curl_socket_t fd, int what, void *context, void *unused)
{
	(void)unused;
	struct sockets *sockets = context;
	struct socket_entry *entry = sockets_find(sockets, fd);
	struct http_attempt *attempt = NULL;
	unsigned interest = 0;
	if (what == CURL_POLL_REMOVE) {
		sockets_remove(sockets, fd);
		return 0;
	}
	if ((what & CURL_POLL_IN) != 0)
		interest |= REACTOR_READ;
	if ((what & CURL_POLL_OUT) != 0)
		interest |= REACTOR_WRITE;
	if (entry == NULL)
		entry = sockets_add(sockets, fd);
	curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&attempt);
	if (entry == NULL || !socket_want(sockets->client->reactor, entry, interest))
		call_fail(attempt->call, ERROR_OVERLOADED, "the socket cannot be watched");
	return 0; /* -1 would end every transfer of this multi */
}
