/* SPDX-License-Identifier: MIT */
/* From what a backend says to the kind of its failure; failure_rules.def is the table. */
#ifndef SLUICE_SCHEMAS_FAILURE_RULES_H
#define SLUICE_SCHEMAS_FAILURE_RULES_H

#include "lib/failures.h"

/* Where a failure was told, and what the gateway wrote into the request. */
enum {
	FAILURE_WHERE_ANYWHERE = 0,
	FAILURE_WHERE_CHOICE = 1,          /* within a choice: its finish_reason, or an error in it */
	FAILURE_WHERE_WRITTEN_USAGE = 2,   /* stream_options, which the client did not send */
	FAILURE_WHERE_WRITTEN_PREFILL = 4, /* the beginning of the answer */
};

struct failure_signs {
	unsigned where;      /* FAILURE_WHERE_*, several */
	int status;          /* of the response, or told within it; 0 = none */
	struct span code;    /* {NULL,0} = not told, as the others */
	struct span type;    /* error.type, or the finish_reason */
	struct span message; /* in the backend's words */
};

/* Returns the kind of a failure that a backend told. */
enum failure_kind failure_classify(const struct failure_signs *signs);

/* True when a choice with that finish_reason failed. */
bool failure_is_finish(struct span reason);

/* Appends the rules as a Markdown table. */
void failure_rules_describe(struct buf *out);

#endif
