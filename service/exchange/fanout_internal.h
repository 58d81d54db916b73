/* SPDX-License-Identifier: MIT */
/*
 * What the files of fan-outs share: fanout.c (from the request to a plan, and the exchange's events) and fanout_lanes.c
 * (the observer: what becomes of each lane, and what is told of it). Nobody else includes this.
 */
#ifndef SLUICE_SERVICE_EXCHANGE_FANOUT_INTERNAL_H
#define SLUICE_SERVICE_EXCHANGE_FANOUT_INTERNAL_H

#include "schemas/fanout_request.h"
#include "service/answer/collection.h"
#include "service/exchange/internal.h"
#include "service/exchange/reading.h"

enum {
	FANOUT_ANSWER_MOST = 64 << 20,  /* bytes of a whole answer */
	FANOUT_ASSEMBLY_MOST = 8 << 20, /* bytes of text gathered from a stream; of more the lanes' deltas must do */
};

enum lane_status { LANE_RUNS, LANE_FINISHED, LANE_FAILED, LANE_CANCELLED };

/* One leaf's run, from its start on. In the flight's arena. */
struct lane {
	struct lane *next;
	unsigned index;
	const struct config_plan *leaf;
	enum lane_status status;
	struct span title;         /* index, name and target as members of an object, without its braces */
	struct span finish_reason; /* {NULL,0} = not known */
	struct usage usage;        /* that it told last */
	struct span error;         /* of a failed one, a JSON object; {NULL,0} when there was no memory for it */
};

struct fanout_run {
	struct exchange_observer observer; /* first: a fan-out observes the leaves of its plan */
	struct exchange *exchange;
	struct fanout_request request;
	const char *strategy; /* the outermost combinator; NULL = the plan is a target */
	struct span id;
	int64_t created; /* Unix seconds */
	struct lane *first;
	struct lane *last;
	struct task give_up; /* the client could not be written to within an event of a leaf */
	bool given_up;
	struct buf answer;        /* the plan's answer so far, when it is not streamed */
	struct collection events; /* of a stream that is gathered from several lanes */
	struct buf json;          /* of what is told next */
};

/* The methods of the observer. */
extern const struct exchange_observer_ops fanout_observer_ops;

/* The lane that gave an answer that came from leaf; NULL = there is none, or leaf is NULL. */
const struct lane *fanout_winner(const struct fanout_run *fanout, const struct config_plan *leaf);

/*
 * The whole answer, or the data of the last event, up to the result, which is JSON; FANOUT_AFTER_RESULT goes after it.
 * winner: NULL = several. Written to fanout->json, which is emptied first.
 */
void fanout_write_before_result(struct fanout_run *fanout, const struct lane *winner);
#define FANOUT_AFTER_RESULT "}"

#endif
