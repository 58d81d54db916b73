/* SPDX-License-Identifier: MIT */
/*
 * Stored responses: answers that clients may ask for again and go on from, with the conversations that they answered.
 *
 * Serves all workers and helper threads, which take turns by one lock; texts are copied outside of it. Each tenant has
 * an amount of bytes, and all have one together: a new answer takes the place of the tenant's oldest ones, then of the
 * oldest ones of whoever holds most. Heals as answers expire. What is held is charged to the ledger, to no party.
 */
#ifndef SLUICE_SERVICE_RESPONSES_RESPONSE_STORE_H
#define SLUICE_SERVICE_RESPONSES_RESPONSE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/span.h"

struct response_store;
struct stored_response;

struct response_store_limits {
	size_t size;        /* bytes of all answers; 0 = none are kept */
	size_t tenant_size; /* bytes of one tenant's */
	uint64_t ttl_us;    /* how long each is kept */
};

/* NULL: out of memory. */
struct response_store *response_store_create(void);
void response_store_destroy(struct response_store *store);

/* All of these are thread-safe. now_us: monotonic. */

/* Keeps copies, in the place of what has the same id; nothing when they are larger than a tenant may have, or memory
 * runs out. */
void response_store_put(struct response_store *store, const struct response_store_limits *limits, struct span tenant,
			struct span id, struct span answer, struct span input, uint64_t now_us);

/* Returns the tenant's answer of that id, held; NULL: there is none. */
struct stored_response *response_store_get(struct response_store *store, struct span tenant, struct span id,
					   uint64_t now_us);
void stored_response_drop(struct stored_response *record);

struct span stored_response_answer(const struct stored_response *record);
/* Items by commas. */
struct span stored_response_input(const struct stored_response *record);

/* Notes that Redis has the tenant's answer of that id; and forgets an answer that Redis had. */
void response_store_mark(struct response_store *store, struct span tenant, struct span id);
void response_store_unmark(struct response_store *store, struct span tenant, struct span id, uint64_t now_us);

/* Forgets the tenant's answer of that id. False: there is none. */
bool response_store_remove(struct response_store *store, struct span tenant, struct span id, uint64_t now_us);

/* Returns the bytes of all answers, with all that belongs to them. */
size_t response_store_bytes(struct response_store *store);

#endif
