/* SPDX-License-Identifier: MIT */
/*
 * One curl easy that connects: name, addresses of both families, TCP, and the
 * TLS handshake with its checks are curl's. A cleartext descriptor is handed
 * over once it is connected, and the attempt is used again; under TLS the
 * attempt stays with its connection. Private to clients/http.
 */
#ifndef SLUICE_CLIENTS_HTTP_CONNECT_ATTEMPT_H
#define SLUICE_CLIENTS_HTTP_CONNECT_ATTEMPT_H

#include <curl/curl.h>
#include <sys/queue.h>

#include "clients/http/channel.h"
#include "clients/http/client.h"
#include "lib/errors.h"

struct http_attempt {
	TAILQ_ENTRY(http_attempt) link; /* origin->spare */
	struct http_origin *origin;     /* borrows */
	struct http_call *call;         /* whose it is while it connects; NULL afterwards */
	CURL *easy;
	struct ssl_st *tls;     /* moves the bytes of its connection by itself; NULL: curl does. The easy's */
	unsigned addresses_set; /* generation of the origin's addresses */
	bool handing;           /* curl's closing leaves the descriptor open */
	char words[CURL_ERROR_SIZE];
};

/* Connects for the call; what comes of it is told by call_attempted. False: out of memory. */
bool attempt_start(struct http_origin *origin, struct http_call *call);
/* Its call gave up, or was told that it failed. */
void attempt_abandon(struct http_attempt *attempt);
/* Closes its connection, if it has one. */
void attempt_destroy(struct http_attempt *attempt);

/* Those of the origin that none is using. */
void attempts_destroy_spare(struct http_origin *origin);

/* Of one that has connected, its descriptor. */
int attempt_descriptor(const struct http_attempt *attempt);
/* The descriptor is the caller's from now on, and the attempt another call's. */
void attempt_hand_over(struct http_attempt *attempt);
/* It stays with its connection. */
struct http_attempt *attempt_keep(struct http_attempt *attempt);

/* The first answer has begun: what TLS tells behind its handshake (session tickets) is with curl by now. */
void attempt_take_tls(struct http_attempt *attempt);

/* Whether bytes were read off the socket that attempt_read has not told yet. */
bool attempt_has_pending(const struct http_attempt *attempt);

/* As channel_read and channel_write, under TLS. */
enum channel_result attempt_read(struct http_attempt *attempt, char *bytes, size_t size, size_t *got, const char **why);
enum channel_result attempt_write(struct http_attempt *attempt, const char *bytes, size_t len, size_t *sent);

#endif
