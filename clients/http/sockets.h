/* SPDX-License-Identifier: MIT */
/*
 * curl's sockets on the reactor. A socket stays watched between two requests,
 * which saves two epoll_ctl per request; that it becomes ready while nobody
 * uses it means that the backend closed it or talks out of turn.
 */
#ifndef SLUICE_CLIENTS_HTTP_SOCKETS_H
#define SLUICE_CLIENTS_HTTP_SOCKETS_H

#include <curl/curl.h>

#include "lib/reactor.h"

struct http_call;
struct http_client;
struct socket_entry;

struct sockets {
	struct http_client *client;
	struct socket_entry **entries; /* by descriptor */
	size_t count;
};

void sockets_init(struct sockets *sockets, struct http_client *client);
/* All of curl's sockets must be closed. */
void sockets_fini(struct sockets *sockets);

/* CURL_SOCKET_BAD with errno set when out of memory or descriptors. */
curl_socket_t sockets_open(struct sockets *sockets, const struct curl_sockaddr *address);

/* The call's connection is there and will be used. */
void sockets_connected(const struct http_call *call);

/*
 * Connections that were made for the origin to an address that is not one of these (as of lookup.h) serve nobody any
 * more: the idle ones are closed, those in use when their request is over.
 */
void sockets_retire(struct sockets *sockets, uint64_t origin, const char *addresses);

/* curl's callbacks; context: struct sockets. */
int sockets_on_close(void *context, curl_socket_t fd);
int sockets_on_interest(CURL *easy, curl_socket_t fd, int what, void *context, void *unused);

#endif
