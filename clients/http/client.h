/* SPDX-License-Identifier: MIT */
/* Inside of a client: what its calls, origins and sockets share. Private to clients/http. */
#ifndef SLUICE_CLIENTS_HTTP_CLIENT_H
#define SLUICE_CLIENTS_HTTP_CLIENT_H

#include <curl/curl.h>
#include <sys/queue.h>

#include "clients/http/http_client.h"
#include "clients/http/lookup.h"
#include "clients/http/sockets.h"

TAILQ_HEAD(call_list, http_call);
TAILQ_HEAD(origin_list, http_origin);

struct http_client {
	struct reactor *reactor; /* borrows */
	CURLM *multi;
	CURLSH *share; /* TLS sessions, so that a new connection resumes an old one's */
	struct sockets sockets;
	struct lookups *lookups;
	struct timer timer; /* curl's next deadline */
	struct timer rest;  /* gives back what is not needed; runs while there is something */
	size_t calls_this_period;
	bool surplus;      /* connections are of a load that is over */
	struct task task;  /* adds the queued calls, delivers to the ready ones */
	bool driving;      /* curl's deadlines are asked for afterwards, not listened to */
	unsigned max_idle; /* idle connections to keep */
	size_t active;     /* calls that are not idle */
	size_t in_multi;   /* calls that curl knows */
	struct call_list queued;
	struct call_list running;     /* known to curl, or ended and not told yet */
	struct call_list ready;       /* have something to tell: by ready_link */
	struct http_call *delivering; /* whose callback is running; NULL once it was cancelled in there */
	struct origin_list origins;
	uint64_t last_origin; /* number */
};

/* Lets curl act on a ready descriptor (bits: CURL_CSELECT_*), then delivers. */
void client_drive_socket(struct http_client *client, int fd, int bits);
/* Runs the task at the end of the turn. */
void client_wake(struct http_client *client);
/* Hands an easy to curl, and takes it back. False: out of memory. */
bool client_add_easy(struct http_client *client, CURL *easy);
void client_remove_easy(struct http_client *client, CURL *easy);
/* Closes all connections: curl knows no call. When there is no memory for a new multi the old one stays. */
void client_renew_multi(struct http_client *client);

#endif
