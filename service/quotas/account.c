/* SPDX-License-Identifier: MIT */
/* One limit and its use; account.h holds the contract. */
#include "service/quotas/amounts.h"
#include "service/quotas/holding.h"
#include "service/quotas/shares.h"

enum { SECOND_US = 1000000 /* how soon what runs is expected to end */ };

static const uint64_t amount_most = 1000000000000000; /* of one request; no limit is larger */

static uint64_t used_of(struct quota_account *account, struct quota_now now)
{
	return account->unit == QUOTA_CONCURRENT ? 0 : window_used(&account->window, account->kind, now);
}

bool account_has_room(struct quota_account *account, struct quota_now now, const struct quota_ask *ask)
{
	if (account->shared != NULL)
		return holding_has_room(account, now, ask->amount, account_least(account, ask));
	uint64_t left = account_left(account, now);
	/* an estimate larger than the limit takes all of it */
	return left >= least_of(ask->amount, account->limit) ||
	       (account->reserved == 0 && left > 0 && left >= account_least(account, ask));
}

bool account_may_exceed(const struct quota_account *account, uint64_t beyond)
{
	uint64_t limit = account->shared == NULL ? account->limit : holding_part(account);
	if (account->shares != NULL)
		limit = shares_portion(account, limit);
	if (beyond == 0 || account->overdraft == 0)
		return beyond == 0;
	return account->beyond == 0 ||
	       account->beyond + least_of(beyond, amount_most) <= limit * account->overdraft / 100;
}

uint64_t account_least(const struct quota_account *account, const struct quota_ask *ask)
{
	return account->overdraft == 0 ? ask->amount : ask->least;
}

uint64_t account_enough(const struct quota_account *account, const struct quota_ask *ask)
{
	uint64_t least = account_least(account, ask);
	return account->reserved > 0 ? ask->amount : least > 0 ? least : 1;
}

uint64_t account_reserved(struct quota_account *account, struct quota_now now)
{
	uint64_t used = used_of(account, now), most = minus(account->limit, used);
	return account->reserved < most ? account->reserved : most;
}

/* Returns by how much an estimate is larger than what is left for it. */
static uint64_t excess_of(const struct quota_account *account, struct quota_now now, uint64_t amount)
{
	uint64_t left = shares_left(account, now, account->limit);
	amount = least_of(amount, amount_most);
	return account->shared == NULL && amount > left ? amount - left : 0;
}

void account_reserve(struct quota_account *account, struct quota_now now, const struct quota_ask *ask)
{
	if (account->shares != NULL)
		account->excess += excess_of(account, now, ask->amount);
	if (account->unit == QUOTA_REQUESTS)
		window_add(&account->window, account->kind, now, ask->amount);
	else
		account->reserved += least_of(ask->amount, amount_most); /* whatever the limit is when it ends */
	account->beyond += least_of(ask->beyond, amount_most);
	if (account->shared != NULL)
		holding_grant(account, now, ask->amount);
}

static void release(struct quota_account *account, const struct quota_ask *ask)
{
	uint64_t amount = least_of(ask->amount, amount_most);
	account->reserved -= amount;
	if (account->reserved == 0 || amount > account->excess) /* it may be the one that is larger */
		account->excess = 0;
	account->beyond -= least_of(ask->beyond, amount_most);
}

void account_take_back(struct quota_account *account, struct quota_now now, const struct quota_ask *ask)
{
	if (account->unit == QUOTA_REQUESTS)
		window_take_back(&account->window, account->kind, now, ask->amount);
	else
		release(account, ask);
	if (account->shared != NULL)
		holding_take_back(account, now, ask->amount);
}

void account_settle(struct quota_account *account, struct quota_now now, const struct quota_ask *ask, uint64_t used)
{
	if (account->unit == QUOTA_REQUESTS)
		return; /* it was used when it was granted */
	release(account, ask);
	if (account->unit == QUOTA_CONCURRENT || used == 0)
		return;
	window_add(&account->window, account->kind, now, used);
	if (account->shared != NULL)
		holding_use(account, now, used);
}

uint64_t account_left(struct quota_account *account, struct quota_now now)
{
	if (account->shared != NULL)
		return holding_left(account, now);
	if (account->shares != NULL)
		return shares_left(account, now, account->limit);
	uint64_t taken = used_of(account, now) + account->reserved;
	return minus(account->limit, taken);
}

uint64_t account_wait(struct quota_account *account, struct quota_now now, const struct quota_ask *ask)
{
	if (account->shared != NULL)
		return holding_wait(account, now, ask->amount, account_least(account, ask));
	if (account_has_room(account, now, ask))
		return 0;
	if (account->unit == QUOTA_CONCURRENT)
		return SECOND_US;
	uint64_t least = account_least(account, ask),
		 need = least > 0 ? least : 1; /* when what runs has ended, so much will do */
	uint64_t wait_us = account->shares != NULL
			       ? shares_wait(account, now, account->limit, need)
			       : window_wait(&account->window, account->kind, now, account->limit - need);
	bool until_others_end = wait_us == 0; /* what they have reserved, of a limit with shares */
	return (account->reserved > 0 || until_others_end) && wait_us < SECOND_US ? SECOND_US : wait_us;
}

uint64_t account_reset(struct quota_account *account, struct quota_now now)
{
	if (account->shared != NULL)
		return holding_reset(account, now);
	if (account->unit == QUOTA_CONCURRENT)
		return 0;
	return account->shares != NULL ? shares_reset(account, now)
				       : window_wait(&account->window, account->kind, now, 0);
}

bool account_is_idle(struct quota_account *account, struct quota_now now)
{
	bool idle = account->reserved == 0 && used_of(account, now) == 0 &&
		    (account->shares == NULL || !shares_is_asking(account, now));
	return account->shared == NULL ? idle : idle && holding_is_forgettable(account, now);
}

const char *account_unit_name(unsigned unit)
{
	return unit == QUOTA_CONCURRENT ? "concurrent" : quota_unit_name((enum quota_unit)unit);
}
