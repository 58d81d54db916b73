/* SPDX-License-Identifier: MIT */
/*
 * A table of curl's sockets by descriptor. The entry of a connection lives until
 * its socket is closed, not for as long as curl is interested in it.
 *
 * A trap of libcurl 7.88: it closes a socket whose connecting has failed or was
 * given up without calling CURLOPT_CLOSESOCKETFUNCTION. Such a socket's entry
 * must go when curl loses interest, before anybody else on this thread can be
 * given the same descriptor.
 */
#include "clients/http/sockets.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clients/http/call.h"
#include "clients/http/client.h"
#include "clients/http/lookup.h"
#include "clients/http/origin.h"

enum { SOCKETS_FIRST_COUNT = 64 };

enum socket_state {
	SOCKET_ST_USED,   /* curl wants to know when it is ready */
	SOCKET_ST_PAUSED, /* a paused call's: what arrives waits in the kernel */
	SOCKET_ST_IDLE    /* nobody's: between two requests */
};

struct socket_entry {
	struct watch watch;
	struct sockets *sockets;
	enum socket_state state;
	uint64_t origin;              /* number of the origin it was opened for */
	bool retired;                 /* leads to an address of the past: not to be used once more */
	struct http_call *connecting; /* for whom; NULL once it is connected, then closed by sockets_on_close only */
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

/*
 * An idle connection that became readable is worth nothing: it was closed, or
 * holds bytes that would be taken for the answer to the next request. curl finds
 * out before its next use by looking whether there is something to read, and
 * takes late bytes for life, even on a socket that was shut down. So the
 * descriptor is given an end of a pair whose other end is closed: it reads as
 * ended for ever, and the connection itself is closed here and now.
 */
static void socket_discard(const struct socket_entry *entry)
{
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0) {
		shutdown(entry->watch.fd, SHUT_RDWR); /* no descriptor left: the next best */
		return;
	}
	close(pair[1]);
	dup3(pair[0], entry->watch.fd, O_CLOEXEC);
	close(pair[0]);
}

static void socket_unwatch(struct socket_entry *entry)
{
	struct reactor *reactor = entry->sockets->client->reactor;
	reactor->ops->unwatch(reactor, &entry->watch);
	if (entry->state == SOCKET_ST_IDLE)
		socket_discard(entry);
}

static void on_ready(struct watch *watch, unsigned events)
{
	struct socket_entry *entry = (struct socket_entry *)watch;
	struct http_client *client = entry->sockets->client;
	if (entry->state != SOCKET_ST_USED) {
		socket_unwatch(entry);
		return;
	}
	/* An error is told as readiness: curl then gets the errno from the system call, which says more. */
	if ((events & REACTOR_ERROR) != 0)
		events |= watch->interest;
	int bits = 0;
	if ((events & REACTOR_READ) != 0)
		bits |= CURL_CSELECT_IN;
	if ((events & REACTOR_WRITE) != 0)
		bits |= CURL_CSELECT_OUT;
	client_drive_socket(client, watch->fd, bits);
}

static void socket_set_connecting(struct socket_entry *entry, struct http_call *call)
{
	for (int i = 0; i < CALL_MAX_CONNECTING; i++)
		if (call->connecting[i] == NULL) {
			call->connecting[i] = entry;
			entry->connecting = call;
			return;
		}
}

static void socket_set_connected(struct socket_entry *entry)
{
	for (int i = 0; i < CALL_MAX_CONNECTING; i++)
		if (entry->connecting != NULL && entry->connecting->connecting[i] == entry)
			entry->connecting->connecting[i] = NULL;
	entry->connecting = NULL;
}

/*
 * Which of two sockets won is told by curl only if its interest in the winner
 * changes, so that is left to sockets_on_interest. Under TLS it does not change,
 * but the loser has gone by then.
 */
void sockets_connected(const struct http_call *call)
{
	struct socket_entry *only = NULL;
	int count = 0;
	for (int i = 0; i < CALL_MAX_CONNECTING; i++)
		if (call->connecting[i] != NULL) {
			only = call->connecting[i];
			count++;
		}
	if (count == 1)
		socket_set_connected(only);
}

static struct socket_entry *sockets_add(struct sockets *sockets, curl_socket_t fd, struct http_call *call)
{
	struct socket_entry *entry = sockets_reserve(sockets, fd) ? calloc(1, sizeof(*entry)) : NULL;
	if (entry == NULL)
		return NULL;
	entry->watch.on_ready = on_ready;
	entry->watch.fd = fd;
	entry->sockets = sockets;
	entry->origin = call->origin->number;
	sockets->entries[fd] = entry;
	if (call->state == CALL_ST_CONNECTING)
		socket_set_connecting(entry, call);
	return entry;
}

static void sockets_remove(struct sockets *sockets, struct socket_entry *entry)
{
	struct reactor *reactor = sockets->client->reactor;
	reactor->ops->unwatch(reactor, &entry->watch);
	socket_set_connected(entry);
	sockets->entries[entry->watch.fd] = NULL;
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

int sockets_on_close(void *context, curl_socket_t fd)
{
	struct sockets *sockets = context;
	struct socket_entry *entry = sockets_find(sockets, fd);
	if (entry != NULL)
		sockets_remove(sockets, entry);
	return close(fd);
}

/* curl lost interest: the request is over, or its call is paused, or the socket is closed or about to be. */
static void socket_release(struct sockets *sockets, struct socket_entry *entry, const struct http_call *call)
{
	if (entry->connecting != NULL) {
		sockets_remove(sockets, entry);
		return;
	}
	entry->state = call != NULL && call->stalled ? SOCKET_ST_PAUSED : SOCKET_ST_IDLE;
	if (entry->retired && entry->state == SOCKET_ST_IDLE)
		socket_unwatch(entry);
}

/* Whether the descriptor leads to one of the addresses. One that is not connected yet may lead anywhere. */
static bool socket_leads_to(int fd, const char *addresses)
{
	struct sockaddr_storage peer;
	socklen_t size = sizeof(peer);
	char text[LOOKUP_ADDRESS_CHARS];
	if (getpeername(fd, (struct sockaddr *)&peer, &size) != 0 ||
	    !lookup_write_address((struct sockaddr *)&peer, text))
		return false;
	size_t len = strlen(text);
	for (const char *at = addresses; (at = strstr(at, text)) != NULL; at += len)
		if ((at == addresses || at[-1] == ',') && (at[len] == ',' || at[len] == '\0'))
			return true;
	return false;
}

void sockets_retire(struct sockets *sockets, uint64_t origin, const char *addresses)
{
	for (size_t i = 0; i < sockets->count; i++) {
		struct socket_entry *entry = sockets->entries[i];
		if (entry == NULL || entry->origin != origin || entry->retired ||
		    socket_leads_to(entry->watch.fd, addresses))
			continue;
		entry->retired = true;
		if (entry->state == SOCKET_ST_IDLE)
			socket_unwatch(entry);
	}
}

static bool socket_use(struct reactor *reactor, struct socket_entry *entry, unsigned interest)
{
	entry->state = SOCKET_ST_USED;
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
	struct http_call *call = NULL;
	unsigned interest = 0;
	curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&call);
	if (what == CURL_POLL_REMOVE) {
		if (entry != NULL)
			socket_release(sockets, entry, call);
		return 0;
	}
	if ((what & CURL_POLL_IN) != 0)
		interest |= REACTOR_READ;
	if ((what & CURL_POLL_OUT) != 0)
		interest |= REACTOR_WRITE;
	if (entry == NULL)
		entry = sockets_add(sockets, fd, call);
	else if (call->state != CALL_ST_CONNECTING)
		socket_set_connected(entry);
	if (entry == NULL || !socket_use(sockets->client->reactor, entry, interest))
		call_fail(call, ERROR_OVERLOADED, "the socket cannot be watched");
	return 0; /* -1 would end every transfer of this multi */
}
