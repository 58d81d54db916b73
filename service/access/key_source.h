/* SPDX-License-Identifier: MIT */
/*
 * Fetches the JWK Sets of issuers that have a URL: by one worker, on its loop, for all of the process.
 *
 *   due ─► GET ─► 200, whole, at most 256 KiB, a set with a usable key ─► issuers_replace
 *    ▲              └─ anything else: the present set stays
 *    └── after max-age within [refresh_least, refresh], or sooner when a token names an unknown key
 *
 * Two fetches of a source begin at least refresh_least apart, whatever tokens name; only while there is no set at all a
 * failed one is repeated after 1 s, 2 s, 4 s, … A fetch takes ten seconds at most.
 */
#ifndef SLUICE_SERVICE_ACCESS_KEY_SOURCE_H
#define SLUICE_SERVICE_ACCESS_KEY_SOURCE_H

#include "clients/http/http_client.h"
#include "service/access/issuers.h"

struct loop;
struct key_sources;

struct key_sources_options {
	struct loop *loop; /* borrows all of these */
	struct http_client *client;
	const struct config *config;
	struct issuers *issuers;
};

/* Starts fetching at the loop's next turn. NULL with a line in errors: a URL or a file cannot be used; without one: out
 * of memory. */
struct key_sources *key_sources_create(const struct key_sources_options *options, struct buf *errors);

/* Stops: what is under way is cancelled. On the loop's thread, or once no thread runs. NULL and a second time are
 * harmless. */
void key_sources_stop(struct key_sources *sources);
/* Frees everything. Between stopping and this the loop must have turned, since workers may have left messages. */
void key_sources_destroy(struct key_sources *sources);

/* Returns for how long a set may be used: max-age of a Cache-Control field within [least, most]; without one most, with
 * no-store or no-cache least. */
uint64_t key_source_age_us(struct span cache_control, uint64_t least_us, uint64_t most_us);

#endif
