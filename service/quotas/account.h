/* SPDX-License-Identifier: MIT */
/*
 * One limit and what was used of it: so many tokens a minute, or so many requests at once. What requests under way may
 * still use is reserved; what they have used counts in the window from then on.
 *
 *   used in the window + reserved <= limit      whenever something was granted
 *
 * An answer that turns out larger than its reservation makes the sum larger than the limit; nothing is granted until it
 * fits again.
 *
 * The limit may be shared by all replicas. Then the account counts what this process used and reserved, and grants what
 * the process holds of the limit (holding.h).
 */
#ifndef SLUICE_SERVICE_QUOTAS_ACCOUNT_H
#define SLUICE_SERVICE_QUOTAS_ACCOUNT_H

#include "service/quotas/window.h"

struct holding;

/* Unit of an account of requests that run at once, besides those of config/quota.h. It has no window. */
enum { QUOTA_CONCURRENT = QUOTA_UNITS, QUOTA_ACCOUNT_UNITS };

struct quota_account {
	const char *name; /* of its quota; borrowed */
	unsigned unit;    /* enum quota_unit, or QUOTA_CONCURRENT */
	enum quota_window kind;
	bool by_model; /* a model has an account of its own */
	uint64_t limit;
	uint64_t reserved; /* as it was asked for: may be more than the limit, which may change */
	struct window window;
	struct holding
	    *shared; /* its part of a limit that all replicas share; borrowed; NULL = it is this process' alone */
};

/*
 * Returns whether the amount may be granted now. least: what will be used whatever the answer; the rest is a guess.
 * When nothing else is reserved a guess may be larger than what is left: it takes all of that, so that nobody is
 * refused for a guess alone.
 */
bool account_has_room(struct quota_account *account, struct quota_now now, uint64_t amount, uint64_t least);

/* Returns what is reserved, no more than what was left then. */
uint64_t account_reserved(struct quota_account *account, struct quota_now now);

/* Grants it: a request is used from now on, anything else is reserved. */
void account_reserve(struct quota_account *account, struct quota_now now, uint64_t amount);

/* Undoes account_reserve() of the same time and amount. */
void account_take_back(struct quota_account *account, struct quota_now now, uint64_t amount);

/* Ends a reservation of that amount, of which so much was used. */
void account_settle(struct quota_account *account, struct quota_now now, uint64_t reserved, uint64_t used);

/* Returns what may still be granted. */
uint64_t account_left(struct quota_account *account, struct quota_now now);

/* Returns the microseconds until the amount may be granted, if nothing else is, and at least a second while something
 * is reserved; 0 = now. least: no more than the limit. */
uint64_t account_wait(struct quota_account *account, struct quota_now now, uint64_t amount, uint64_t least);

/* Returns the microseconds until all of the limit is there again, if nothing is used from now on. */
uint64_t account_reset(struct quota_account *account, struct quota_now now);

/* Returns whether it is as if new: nobody loses anything when it is forgotten. */
bool account_is_idle(struct quota_account *account, struct quota_now now);

/* "requests", "tokens", …, "concurrent". */
const char *account_unit_name(unsigned unit);

#endif
