/* SPDX-License-Identifier: MIT */
/*
 * A complete answer on its way out in the form that the client asked for, whichever form it has: kept answers,
 * those of a shared flight whose leader asked for the other form, and those of fan-outs.
 *
 * One of more than RECAST_IN_TURN bytes is made by a helper and sent in slices, as fast as the client reads.
 */
#ifndef SLUICE_SERVICE_EXCHANGE_RECAST_H
#define SLUICE_SERVICE_EXCHANGE_RECAST_H

#include "schemas/dialect.h"
#include "service/cache/store.h"
#include "service/exchange/internal.h"
#include "service/flights/whole.h"

enum { RECAST_IN_TURN = 256 << 10 };

/* The parts of the answer: a kept body, the events of a flight, or a part that goes into a frame. */
struct recast_source {
	struct answer_replay replay;
	struct store_value *held; /* of a kept body: holds replay.body; takes */
	struct whole *whole;      /* of events: malloc'ed; takes; NULL = none */
	struct buf part;          /* of a frame: a whole chat answer; takes */
	struct buf before;        /* of a frame: what goes before the part; takes */
	const char *after;        /* of a frame: what goes after it; static; NULL = there is no frame */
};

/*
 * Sends the answer, which becomes the source of the exchange: now, or later when it is a large one. Returns what comes
 * next. source: its parts are taken, whatever is returned. target: who answered, for the head; NULL = several, or none.
 */
enum exchange_step recast_begin(struct exchange *exchange, const struct recast_source *source,
				const struct config_plan *target);

#endif
