/* SPDX-License-Identifier: MIT */
/*
 * A large request that was read by a helper thread, with all that it is made of: its body, its nodes and texts. It has
 * several holders, the client's exchange and the flight that it leads, which end in any order; nobody changes it.
 */
#ifndef SLUICE_SERVICE_FLIGHTS_DECODED_H
#define SLUICE_SERVICE_FLIGHTS_DECODED_H

#include <stdatomic.h>

#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/hash.h"
#include "schemas/openai/request.h"

struct decoded {
	_Atomic unsigned holders;
	struct bytes *body;
	struct arena arena;
	struct openai_request request;
	char checksum[HASH_CHECKSUM_SIZE]; /* of the body */
};

/* Nothing is read yet. body: takes a holder, also on failure. limit: bytes of the arena. NULL: out of memory. */
struct decoded *decoded_create(struct bytes *body, size_t limit);

/* One holder more. Returns decoded; NULL stays NULL. */
struct decoded *decoded_hold(struct decoded *decoded);
/* One holder less; the last one frees it. NULL is fine. */
void decoded_drop(struct decoded *decoded);

#endif
