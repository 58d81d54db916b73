/* SPDX-License-Identifier: MIT */
/* Why a run of a plan failed: what its ERROR event tells (schemas/event.h). */
#ifndef SLUICE_SERVICE_PLAN_FAILURE_H
#define SLUICE_SERVICE_PLAN_FAILURE_H

#include "config/config.h"
#include "lib/failures.h"
#include "schemas/event.h"

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

#endif
