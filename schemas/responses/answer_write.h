/* SPDX-License-Identifier: MIT */
/* The response object: a whole answer, or what a stream's first and last events hold. */
#ifndef SLUICE_SCHEMAS_RESPONSES_ANSWER_WRITE_H
#define SLUICE_SCHEMAS_RESPONSES_ANSWER_WRITE_H

#include "schemas/error_body.h"
#include "schemas/responses/items.h"

struct responses_answer {
	const struct responses_echo *echo;
	struct span model;
	int64_t created;        /* Unix seconds */
	int64_t completed;      /* the same; -1 = it is not complete */
	const char *status;     /* in_progress, completed, incomplete or failed */
	const char *incomplete; /* why it is incomplete: max_output_tokens or content_filter; NULL = it is not */
	const struct responses_items *items; /* NULL = none are told */
	const struct usage *usage;           /* NULL = none is told */
	const struct error_told *error;      /* of one that failed; NULL = it did not */
};

/* Appends the object. */
void responses_answer_write(struct buf *out, const struct responses_answer *answer);

/* Appends usage as an object; an unknown count is 0, an unknown total the sum. */
void responses_usage_write(struct buf *out, const struct usage *usage);

#endif
