/* SPDX-License-Identifier: MIT */
/*
 * Watches a whole answer that is too long to be kept and passes in pieces. Finds out whether it is a complete document
 * and whether it reports a failure, as openai_answer_read does for one that is kept.
 */
#ifndef SLUICE_SCHEMAS_OPENAI_FAILURE_SCAN_H
#define SLUICE_SCHEMAS_OPENAI_FAILURE_SCAN_H

#include "lib/json_scan.h"
#include "schemas/dialect.h"
#include "schemas/openai/openai.h"

enum { OPENAI_WATCH_DEPTH = 4 };

struct openai_failure_scan {
	struct json_scan scan;
	enum endpoint endpoint;
	unsigned char places[OPENAI_WATCH_DEPTH + 1]; /* what the brackets open at each depth mean */
	char plain[JSON_SCAN_STRING];                 /* the last string without escapes */
	unsigned char name;                           /* which member's value comes next */
	bool choices;                                 /* one began, or a vector of embeddings */
	bool failed;
};

void openai_failure_scan_init(struct openai_failure_scan *watch, enum endpoint endpoint);

/* Takes the next piece of the answer. */
enum watch_step openai_failure_scan_add(struct openai_failure_scan *watch, struct span piece);

/* Returns whether the answer may end here: FINE, CUT, or BROKEN when it has no choices. */
enum watch_step openai_failure_scan_end(const struct openai_failure_scan *watch);

#endif
