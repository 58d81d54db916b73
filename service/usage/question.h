/* SPDX-License-Identifier: MIT */
/* A question about the record of use, and its answer as JSON or CSV (GET /admin/usage). */
#ifndef SLUICE_SERVICE_USAGE_QUESTION_H
#define SLUICE_SERVICE_USAGE_QUESTION_H

#include "lib/arena.h"
#include "lib/buf.h"
#include "lib/errors.h"
#include "schemas/finding.h"
#include "service/usage/store.h"

struct usage_question {
	struct arena arena; /* of what it is asked with */
	struct usage_filter filter;
	bool csv;
	/* the answer */
	enum error_code error; /* not ERROR_NONE: message says why, in the arena */
	struct span message;
	struct buf answer;
};

void usage_question_init(struct usage_question *question);
void usage_question_fini(struct usage_question *question);

/* Reads a query into the question. wants_csv: the client prefers it, where the query does not say. False with
 * findings. */
bool usage_question_read(struct usage_question *question, struct span query, bool wants_csv, struct findings *findings);

/* Asks the store, which has everything. */
void usage_question_answer(struct usage_question *question, struct usage_store *store);

#endif
