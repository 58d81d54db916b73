/* SPDX-License-Identifier: MIT */
/*
 * A worker's way to the Redis that lends parts of limits (borrow.h, script.h). Accounts are at {prefix}:quota:NAME,
 * where NAME is that of the account, whose parts are separated by a byte 0.
 */
#ifndef SLUICE_SERVICE_QUOTAS_LENDER_H
#define SLUICE_SERVICE_QUOTAS_LENDER_H

#include "service/loop/loop.h"
#include "service/quotas/borrow.h"

struct redis;

struct lender_options {
	struct quotas *quotas; /* of the process; here and below: borrowed */
	struct redis *redis;   /* of the worker */
	struct loop *loop;     /* of the worker */
	const char *prefix;    /* of all keys */
	uint64_t budget_us;    /* that an answer may take */
};

struct lender;

/* Has the limits shared by all replicas from now on. NULL: out of memory. */
struct lender *lender_create(const struct lender_options *options);

/*
 * Turns the loop until no call is under way. The last lender of the process reports all use and gives back what is
 * held. No request runs at this worker; no thread runs. NULL is harmless.
 */
void lender_destroy(struct lender *lender);

/* Starts no call any more by itself. Returns whether none is under way: the loop may end. Requests of other workers
 * wait for calls. NULL is harmless. */
bool lender_rests(struct lender *lender);

struct quota_port *lender_port(const struct lender *lender);

#endif
