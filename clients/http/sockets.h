/* SPDX-License-Identifier: MIT */
/* The sockets of attempts on the reactor, for as long as curl connects them. Private to clients/http. */
#ifndef SLUICE_CLIENTS_HTTP_SOCKETS_H
#define SLUICE_CLIENTS_HTTP_SOCKETS_H

#include <curl/curl.h>

#include "lib/reactor.h"

struct http_client;
struct socket_entry;

struct sockets {
	struct http_client *client;
	struct socket_entry **entries; /* by descriptor */
	size_t count;
};

void sockets_init(struct sockets *sockets, struct http_client *client);
/* curl must have lost interest in all of them. */
void sockets_fini(struct sockets *sockets);

/* CURL_SOCKET_BAD with errno set when out of memory or descriptors. */
curl_socket_t sockets_open(struct sockets *sockets, const struct curl_sockaddr *address);
int sockets_close(struct sockets *sockets, curl_socket_t fd);

/* CURLMOPT_SOCKETFUNCTION; context: struct sockets. The easy's private pointer is its attempt. */
int sockets_on_interest(CURL *easy, curl_socket_t fd, int what, void *context, void *unused);

#endif
