/* SPDX-License-Identifier: MIT */
/*
 * One limit of which children of a tenant are guaranteed shares. Each child with a share has an account of its own, and
 * everybody else has one together; all of them are counted against the one limit.
 *
 *   taken by all + what is granted + kept for others <= limit
 *
 * What a child has not used of its share is kept for it while it asks: for as long as the window is, after each of its
 * requests. Otherwise nothing is, and the others may use all of the limit. A child that begins to ask may find that
 * others have taken what is its share. Until that has left the window, what falls free is kept for the child; of
 * several, first for those that have asked for longer, so that nobody loses a share to one who begins. Proof: a grant
 * out of a child's own share leaves the sum of max(taken, share) over the children that ask as it was, and every other
 * grant leaves room for that sum.
 *
 * Days and months do not slide: what others took is gone until the period ends. There a share is kept for every child
 * whether it asks or not, in proportion to the time that is left: what a child is behind by is lost for it.
 */
#ifndef SLUICE_SERVICE_QUOTAS_SHARES_H
#define SLUICE_SERVICE_QUOTAS_SHARES_H

#include "service/quotas/account.h"

/* The accounts of one limit. */
struct quota_shares {
	const struct config_share *list; /* of the quota; borrowed */
	size_t count;
	struct quota_account *accounts[]; /* in the order of the list, then everybody else's; NULL = as if new */
};

/* Returns the shares with an account that joins them. first: another account of the same limit; NULL = there is none.
 * The last account to leave frees them. NULL: out of memory. */
struct quota_shares *shares_join(const struct config_quota *quota, const struct quota_account *first,
				 struct quota_account *account, size_t member);
/* Harmless without shares. */
void shares_leave(struct quota_account *account);

/* Notes that a request asks for some of it. */
void shares_note_ask(struct quota_account *account, struct quota_now now);

/* Returns whether something is kept for it because it asks. */
bool shares_is_asking(const struct quota_account *account, struct quota_now now);

/* Returns the microseconds for which an account counts as asking after a request. */
uint64_t shares_asking_us(const struct quota_account *account, struct quota_now now);

/* Returns what the account is guaranteed of a limit; of everybody else's: 0. */
uint64_t shares_guaranteed(const struct quota_account *account, uint64_t limit);

/* Returns the part of a limit up to which the account may go by itself: its share, or what all shares leave. */
uint64_t shares_portion(const struct quota_account *account, uint64_t limit);

/* Returns what the account may be granted of a limit, by what this process counts. */
uint64_t shares_left(const struct quota_account *account, struct quota_now now, uint64_t limit);

/* Returns the microseconds until so much may be granted when nothing is reserved and those who ask now go on asking. At
 * most the rest of the window: by then they may have stopped. */
uint64_t shares_wait(const struct quota_account *account, struct quota_now now, uint64_t limit, uint64_t amount);

/* Returns the microseconds until all of the limit is there again, if nothing is used from now on. */
uint64_t shares_reset(const struct quota_account *account, struct quota_now now);

#endif
