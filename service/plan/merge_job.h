/* SPDX-License-Identifier: MIT */
/* Merges the answers of several children, and their usage, for combinators: large answers by a helper thread. */
#ifndef SLUICE_SERVICE_PLAN_MERGE_JOB_H
#define SLUICE_SERVICE_PLAN_MERGE_JOB_H

#include "service/plan/plan.h"

enum { MERGING_ANSWER_MOST = 16 * 1024 * 1024 }; /* bytes of one child's answer that are kept until all are there */

struct merge_job;

/* The answer, in out, which is taken; or why there is none. */
typedef void (*merge_job_done)(void *owner, enum error_code error, struct buf *out);

/* What is merged. */
struct merge_job_request {
	struct buf *const *answers; /* taken: they are empty when merge_job_begin returned true */
	size_t count;
	const struct answer_lane *lanes; /* of all answers; copied */
	const struct usage *usage; /* of one answer, whose own is replaced by it; NULL = answers are merged by lanes */
	size_t most;               /* bytes of the result */
};

/* True when the answers together are too large to be merged in a turn, and there are helpers. */
bool merge_job_is_worth(const struct run_context *context, const struct merge_job_request *request);

/* done comes in a later turn, unless it is cancelled. NULL: out of memory. */
struct merge_job *merge_job_begin(const struct run_context *context, const struct merge_job_request *request,
				  merge_job_done done, void *owner);

/* NULL is fine. */
void merge_job_cancel(struct merge_job *merging);

/*
 * Makes the event that reports the usage of a stream: a chunk when the client asked for it, written to out, else one
 * for our books. False: nothing is known.
 */
bool merge_job_usage(const struct run_context *context, const struct usage *usage, struct buf *out,
		     struct event *event);

#endif
