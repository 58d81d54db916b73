/* SPDX-License-Identifier: MIT */
/* Merging of whole answers by a helper thread: for combinators whose answers are too large for a turn. */
#ifndef SLUICE_SERVICE_PLAN_MERGING_H
#define SLUICE_SERVICE_PLAN_MERGING_H

#include "service/plan/plan.h"

struct merging;

/* The answer, in out, which is taken; or why there is none. */
typedef void (*merging_done)(void *owner, enum error_code error, struct buf *out);

/* What is merged. */
struct merging_request {
	struct buf *const *answers; /* taken: they are empty when merging_begin returned true */
	size_t count;
	const struct answer_lane *lanes; /* of all answers; copied */
	const struct usage *usage; /* of one answer, whose own is replaced by it; NULL = answers are merged by lanes */
	size_t most;               /* bytes of the result */
};

/* True when the answers together are too large to be merged in a turn, and there are helpers. */
bool merging_is_worth(const struct run_context *context, const struct merging_request *request);

/* done comes in a later turn, unless it is cancelled. NULL: out of memory. */
struct merging *merging_begin(const struct run_context *context, const struct merging_request *request,
			      merging_done done, void *owner);

/* NULL is fine. */
void merging_cancel(struct merging *merging);

#endif
