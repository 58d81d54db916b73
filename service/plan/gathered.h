/* SPDX-License-Identifier: MIT */
/* What all and quorum have in common: the usage of several answers, told as one. */
#ifndef SLUICE_SERVICE_PLAN_GATHERED_H
#define SLUICE_SERVICE_PLAN_GATHERED_H

#include "service/plan/plan.h"

enum { GATHERED_ANSWER_MOST = 16 * 1024 * 1024 }; /* bytes of one child's answer that are kept until all are there */

/*
 * The event that tells a stream's usage: a chunk when the client asked for it, written to out, else one for our books.
 * False: nothing is known.
 */
bool gathered_usage(const struct run_context *context, const struct usage *usage, struct buf *out, struct event *event);

#endif
