/* SPDX-License-Identifier: MIT */
/* Requests with several holders; decoded.h holds the contract. */
#include "service/flights/decoded.h"

#include <stdlib.h>

struct decoded *decoded_create(struct bytes *body, size_t limit)
{
	struct decoded *decoded = calloc(1, sizeof(*decoded));
	if (decoded == NULL) {
		bytes_drop(body);
		return NULL;
	}
	atomic_init(&decoded->holders, 1);
	decoded->body = body;
	arena_init(&decoded->arena, limit);
	return decoded;
}

struct decoded *decoded_hold(struct decoded *decoded)
{
	if (decoded != NULL)
		atomic_fetch_add_explicit(&decoded->holders, 1, memory_order_relaxed);
	return decoded;
}

void decoded_drop(struct decoded *decoded)
{
	if (decoded == NULL || atomic_fetch_sub_explicit(&decoded->holders, 1, memory_order_acq_rel) != 1)
		return;
	arena_fini(&decoded->arena);
	bytes_drop(decoded->body);
	free(decoded);
}
