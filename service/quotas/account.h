/* SPDX-License-Identifier: MIT */
/*
 * One limit and what was used of it: so many tokens a minute, or so many requests at once. What requests under way may
 * still use is reserved; what they have used counts in the window from then on.
 *
 *   used in the window + reserved <= limit      whenever something was granted
 *
 * An answer that turns out larger than its reservation makes the sum larger than the limit; nothing is granted until it
 * fits again. By how much it may be larger is added up, and bounded: account_may_exceed().
 *
 * A limit of which tenants have shares has an account for each of them (shares.h). The limit may be shared by all
 * replicas. Then the account counts what this process used and reserved, and grants what
 * the process holds of the limit (holding.h).
 */
#ifndef SLUICE_SERVICE_QUOTAS_ACCOUNT_H
#define SLUICE_SERVICE_QUOTAS_ACCOUNT_H

#include "service/quotas/window.h"

struct holding;
struct quota_shares;

/* Unit of an account of requests that run at once, besides those of config/quota.h. It has no window. */
enum { QUOTA_CONCURRENT = QUOTA_UNITS, QUOTA_ACCOUNT_UNITS };

struct quota_account {
	const char *name; /* of its quota; borrowed */
	unsigned unit;    /* enum quota_unit, or QUOTA_CONCURRENT */
	enum quota_window kind;
	bool by_model; /* a model has an account of its own */
	uint64_t limit;
	unsigned overdraft; /* percent of the limit by which the answers under way may exceed it together */
	uint64_t reserved;  /* as it was asked for: may be more than the limit, which may change */
	uint64_t beyond;    /* what the answers under way may come to besides */
	struct window window;
	struct quota_shares *shares; /* NULL = the limit has this account alone; borrowed */
	size_t member;               /* its place among the shares */
	uint64_t asked_us;           /* by the last request; 0 = never */
	uint64_t since_us;           /* it asks without a pause */
	uint64_t lost, lost_period;  /* of the share, in that day or month: it was not used in time */
	uint64_t excess;             /* of a guess that took what was left: the other accounts do not bear it */
	struct holding
	    *shared; /* its part of a limit that all replicas share; borrowed; NULL = it is this process' alone */
};

/* What a request asks of an account. */
struct quota_ask {
	uint64_t amount; /* that is reserved */
	uint64_t least;  /* of it, what will be used whatever the answer; the rest is a guess */
	uint64_t beyond; /* what the answer may come to besides */
};

/*
 * Returns whether the amount may be granted now. When nothing else is reserved a guess may be larger than what is left:
 * it takes all of that, so that nobody is refused for a guess alone. Without an overdraft it may not.
 */
bool account_has_room(struct quota_account *account, struct quota_now now, const struct quota_ask *ask);

/* Returns whether one more answer may be larger than what is reserved for it: with an overdraft the only one may be,
 * whatever it may come to, and several by the overdraft together. */
bool account_may_exceed(const struct quota_account *account, uint64_t beyond);

/* Returns what is reserved, no more than what was left then. */
uint64_t account_reserved(struct quota_account *account, struct quota_now now);

/* Grants it: a request is used from now on, anything else is reserved. */
void account_reserve(struct quota_account *account, struct quota_now now, const struct quota_ask *ask);

/* Undoes account_reserve() of the same time. */
void account_take_back(struct quota_account *account, struct quota_now now, const struct quota_ask *ask);

/* Ends what account_reserve() began; so much was used. */
void account_settle(struct quota_account *account, struct quota_now now, const struct quota_ask *ask, uint64_t used);

/* Returns what may still be granted. */
uint64_t account_left(struct quota_account *account, struct quota_now now);

/* Returns the microseconds until the amount may be granted, if nothing else is, and at least a second while something
 * is reserved; 0 = now. ask->least: no more than the limit. */
uint64_t account_wait(struct quota_account *account, struct quota_now now, const struct quota_ask *ask);

/* Returns the microseconds until all of the limit is there again, if nothing is used from now on. */
uint64_t account_reset(struct quota_account *account, struct quota_now now);

/* Returns whether it is as if new: nobody loses anything when it is forgotten. */
bool account_is_idle(struct quota_account *account, struct quota_now now);

/* Returns what will be used of that account whatever the answer. Without an overdraft no guess counts as such. */
uint64_t account_least(const struct quota_account *account, const struct quota_ask *ask);

/* Returns with how much left the request would be taken, when more is not to be had. */
uint64_t account_enough(const struct quota_account *account, const struct quota_ask *ask);

/* "requests", "tokens", …, "concurrent". */
const char *account_unit_name(unsigned unit);

#endif
