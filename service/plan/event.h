/* SPDX-License-Identifier: MIT */
/*
 * The pieces of an answer on their way from a call, up through the plan, to the
 * exchange. An event borrows everything it points to: whoever keeps it past the
 * callback copies.
 *
 * A run of a plan gives any number of CHUNK and USAGE events (a streamed
 * answer) or of BODY events (a whole one), then exactly one END or ERROR, then
 * nothing.
 */
#ifndef SLUICE_SERVICE_PLAN_EVENT_H
#define SLUICE_SERVICE_PLAN_EVENT_H

#include "config/config.h"
#include "lib/failures.h"
#include "schemas/openai/answer.h"

enum event_kind {
	EVENT_CHUNK, /* one event of a streamed answer */
	EVENT_USAGE, /* usage that the client did not ask for: for our books only */
	EVENT_BODY,  /* bytes of a whole answer */
	EVENT_END,   /* the answer is complete */
	EVENT_ERROR, /* the answer failed; nothing more will come */
};

/* One failure of several. In the flight's arena. */
struct cause {
	struct cause *next;
	struct span loc; /* where in the plan, a JSON array: ["plan",1,"b/large"] */
	struct span message;
	enum error_code code;
	const struct config_plan *target; /* NULL = no single one */
};

/* Why a run failed. */
struct failure {
	enum error_code code;    /* what the client receives */
	enum failure_kind kind;  /* what combinators and breakers go by */
	int status;              /* the backend's own HTTP status when it is to be relayed, else 0: the code's */
	bool retryable;          /* another target may do better */
	bool again;              /* the same target may do better */
	bool should_retry;       /* the client may do better by asking again */
	bool refused;            /* the gateway itself let no call start */
	struct span message;     /* {NULL,0} = the code's text */
	struct span param;       /* of the request, that is at fault; {NULL,0} = none */
	struct span details;     /* more that is wrong, a JSON array; {NULL,0} = none */
	struct span body;        /* the backend's own error answer (JSON), relayed as it is; {NULL,0} = none */
	struct span retry_after; /* value of the backend's Retry-After, empty = none */
	const struct config_plan *target; /* where it happened; NULL = nowhere */
	const struct cause *causes;       /* all that failed on the way to it, in order; NULL = nothing but itself */
};

/* Returns a failure of that kind, which the client receives as code. */
static inline struct failure failure_make(enum failure_kind kind, enum error_code code)
{
	bool client = error_row(code)->retryable;
	return (struct failure){.code = code,
				.kind = kind,
				.retryable = failure_row(kind)->elsewhere,
				.again = failure_row(kind)->again && client,
				.should_retry = client};
}

/* Returns the failure that a code alone means. */
static inline struct failure failure_of(enum error_code code)
{
	return failure_make(failure_kind_of(code), code);
}

struct event {
	enum event_kind kind;
	const struct config_plan *target; /* the leaf that answers; NULL for what was gathered from several */
	unsigned carries;                 /* CHUNK: CARRIES_* */
	struct span data;                 /* CHUNK: the JSON text; BODY: bytes */
	struct span raw;    /* CHUNK: the backend's own bytes, ready to relay; {NULL,0} = frame the data anew */
	int64_t total;      /* BODY: bytes of the whole body; -1 = not known */
	bool joined;        /* an answer broke off, and another one goes on from here */
	bool gathered;      /* its choices already say which target they came from */
	struct usage usage; /* CHUNK with CARRIES_USAGE, USAGE, BODY */
	const struct failure *failure; /* ERROR */
};

#endif
