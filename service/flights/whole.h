/* SPDX-License-Identifier: MIT */
/* A whole answer, gathered from the events of a run: from its pieces, or from the chunks of a stream. */
#ifndef SLUICE_SERVICE_FLIGHTS_WHOLE_H
#define SLUICE_SERVICE_FLIGHTS_WHOLE_H

#include "schemas/request.h"
#include "service/answer/collection.h"
#include "service/plan/failure.h"

struct whole {
	const struct dialect *dialect; /* that the answer is written in */
	enum endpoint endpoint;
	struct collection events; /* of an answer that is streamed */
	struct buf body;          /* of an answer that comes whole */
	struct arena scratch;     /* of one event */
	struct usage usage;
	const struct config_plan *target; /* of the last event; NULL = several */
	bool joined;                      /* of parts of several answers */
	bool failed;                      /* too much, or not to be understood */
	bool exhausted;                   /* it could not be written for lack of memory */
};

/* request: whose dialect the answer is written in. most: bytes of the answer. */
void whole_init(struct whole *whole, const struct request *request, size_t most, uint32_t party);
void whole_fini(struct whole *whole);

/* Takes what an event has of the answer. */
void whole_add(struct whole *whole, const struct event *event);

/* Bytes that were taken so far. */
size_t whole_bytes(const struct whole *whole);

/* Appends the answer as JSON, usage included; once, behind the END. False when it cannot be had. */
bool whole_write(struct whole *whole, struct buf *out);

#endif
