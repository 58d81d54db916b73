/* SPDX-License-Identifier: MIT */
/*
 * Host names to addresses without blocking the loop: each lookup is one
 * getaddrinfo in a thread of its own, its answer is delivered on the loop.
 * A lookup that hangs costs a thread, nothing else; it can be abandoned.
 */
#ifndef SLUICE_CLIENTS_HTTP_DNS_LOOKUP_H
#define SLUICE_CLIENTS_HTTP_DNS_LOOKUP_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "lib/reactor.h"

enum { LOOKUP_ADDRESS_CHARS = INET6_ADDRSTRLEN + 3 }; /* one address in brackets, a comma or the end */

struct lookups; /* the loop's side: one per client */
struct lookup;  /* one question */

/* addresses: numeric, comma separated, IPv6 in brackets, NULL = failed because of why. Both live during the call. */
typedef void (*lookup_cb)(void *context, const char *addresses, const char *why);

/* reactor: borrows. NULL: out of memory or descriptors. */
struct lookups *lookups_create(struct reactor *reactor);
/* Abandons what is under way. */
void lookups_destroy(struct lookups *lookups);

/* Asks for both families. host: copied. context: borrowed until the answer or lookup_abandon. NULL: no thread. */
struct lookup *lookup_start(struct lookups *lookups, const char *host, lookup_cb on_answer, void *context);
/* No callback follows. */
void lookup_abandon(struct lookup *lookup);

/* One address as answers write it. False: of another family. */
bool lookup_write_address(const struct sockaddr *address, char text[LOOKUP_ADDRESS_CHARS]);

#endif
