/* SPDX-License-Identifier: MIT */
/*
 * What failed below a combinator, and which of it to tell when nothing is left
 * to try: the most telling failure, with all of them as its causes.
 *
 * From most to least telling: the client's own fault as a backend sees it;
 * what was wrong with an answer or its status; a quorum that was missed;
 * a backend that is busy; timeouts; broken and refused connections; our own
 * queues; targets that are not called at present; our own shortage. Among
 * equals it is the latest, but of two that nobody was called for the one that is
 * over sooner.
 */
#ifndef SLUICE_SERVICE_PLAN_CAUSES_H
#define SLUICE_SERVICE_PLAN_CAUSES_H

#include "service/plan/plan.h"

struct causes {
	struct cause *first; /* NULL = nothing failed yet */
	struct cause *last;
	struct failure telling; /* the most telling failure so far */
	bool called;            /* for at least one of them a call was made */
};

/* Takes note of a child's failure; what it borrows and may be told is copied into the flight's arena. */
void causes_add(struct causes *causes, const struct run *child, const struct failure *failure);

/* What to tell. At least one must have been added. */
struct failure causes_failure(const struct causes *causes);

/* How much a failure tells: the more the higher. */
unsigned causes_rank(enum error_code code);

/* Appends the JSON array of error.details. */
void causes_write(struct buf *out, const struct cause *first);

#endif
