/* SPDX-License-Identifier: MIT */
/*
 * The key of a cached answer: SHA-256 over the length and bytes of each part,
 * so that no two lists of parts look alike: the format's version, whose answer
 * it is, the endpoint, the plan that gives it, and the request in canonical
 * form. Whatever could change the answer is in it.
 */
#ifndef SLUICE_SERVICE_CACHE_KEY_H
#define SLUICE_SERVICE_CACHE_KEY_H

#include "config/config.h"
#include "lib/buf.h"
#include "schemas/request.h"
#include "service/cache/cache_key.h"

struct key_parts {
	struct span tenant; /* who may see the answer: any bytes */
	const struct config_model *model;
	const struct request *request;
	struct span canonical; /* of the request */
};

/* False when the digest is not to be had. */
bool cache_key_compute(const struct key_parts *parts, struct cache_key *key);

/* The key of several in their order; of one, that key. False when the digest is not to be had. */
bool cache_key_combine(const struct cache_key *keys, size_t count, struct cache_key *key);

/* Appends the plan as text: combinators, options and targets, with the URL of each backend. */
void cache_key_write_plan(const struct config_plan *plan, struct buf *out);

/* Appends the key in hexadecimal, 64 digits. */
void cache_key_write(const struct cache_key *key, struct buf *out);

/* As cache_key_write, with a NUL behind. */
void cache_key_text(const struct cache_key *key, char hex[2 * CACHE_KEY_SIZE + 1]);

/* From hexadecimal. False when it is none. */
bool cache_key_read(struct span hex, struct cache_key *key);

#endif
