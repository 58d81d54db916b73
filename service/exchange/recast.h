/* SPDX-License-Identifier: MIT */
/*
 * A complete answer on its way out in the form that the client asked for, whichever form it has: kept answers, and
 * those of a shared flight whose leader asked for the other form.
 *
 * One of more than RECAST_IN_TURN bytes is made by a helper and sent in slices, as fast as the client reads.
 */
#ifndef SLUICE_SERVICE_EXCHANGE_RECAST_H
#define SLUICE_SERVICE_EXCHANGE_RECAST_H

#include "schemas/openai_replay.h"
#include "service/cache/store.h"
#include "service/exchange/whole.h"

enum { RECAST_IN_TURN = 256 << 10 };

struct exchange;
struct recast;

/* What the answer is. */
struct recast_source {
	struct openai_replay replay;
	struct store_value *held; /* holds replay.body: takes; NULL with whole */
	struct whole *whole; /* the answer is put together from these events, malloc'ed: takes; NULL = replay.body */
};

/*
 * Sends the answer and ends the exchange, now (returns true: the exchange is gone) or later.
 * The head says what the exchange's caching knows.
 */
bool recast_begin(struct exchange *exchange, struct recast_source *source);

/* Backpressure of the client. recast: NULL = nothing to do, as below. */
void recast_pause(struct recast *recast, bool paused);

/* The exchange ends before the answer did. */
void recast_cancel(struct recast *recast);

#endif
