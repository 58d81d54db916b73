/* SPDX-License-Identifier: MIT */
/*
 * Requests for which the cache had an answer lately, byte by byte: the same bytes of the same client mean the same key,
 * so that a request which comes again need not be parsed, checked, put into canonical form and hashed once more. One
 * worker's, of bounded memory; what does not fit pushes out what was there. They end with their configuration: another
 * one may have other plans under the same names, so that the same bytes have other keys, and other indexes of models.
 *
 * It says only what a request means. Whether there is an answer to it, and how old that is, the cache says.
 */
#ifndef SLUICE_SERVICE_CACHE_REPEATS_H
#define SLUICE_SERVICE_CACHE_REPEATS_H

#include "lib/span.h"
#include "schemas/endpoint.h"
#include "service/cache/cache_key.h"

struct repeats;

/* A request, and what reading it came to. */
struct repeat {
	enum endpoint endpoint;
	struct span tenant; /* the client's */
	struct span body;
	struct cache_key key;
	size_t model_index; /* in the configuration */
	bool stream;
	bool include_usage;
};

/* NULL: out of memory. */
struct repeats *repeats_create(void);
void repeats_destroy(struct repeats *repeats);

/* What those bytes came to; NULL when they are not known. Valid until the next repeats_note. repeats: NULL = none are
 * known. */
const struct repeat *repeats_find(const struct repeats *repeats, enum endpoint endpoint, struct span tenant,
				  struct span body);

/* Remembers a request; its bytes are copied. Those that are too long are not remembered. */
void repeats_note(struct repeats *repeats, const struct repeat *repeat);

#endif
