/* SPDX-License-Identifier: MIT */
/* Shares of a limit; shares.h holds the contract. script.c has the same rule for all replicas. */
#include "service/quotas/shares.h"

#include <stdlib.h>

#include "service/quotas/amounts.h"

enum { SECOND_US = 1000000, ASKING_US = 60 * SECOND_US /* of what has no window that slides */ };

/* A time from now on: what reservations leave, and after so many more slots of the window or seconds of the period. */
struct later {
	struct quota_now now;
	unsigned slots;
	uint64_t s;
	bool bare; /* what is reserved does not count */
};

static bool is_calendar(const struct quota_account *account)
{
	return account->unit != QUOTA_CONCURRENT && account->kind >= QUOTA_DAY;
}

/* ---- members ---- */

struct quota_shares *shares_join(const struct config_quota *quota, const struct quota_account *first,
				 struct quota_account *account, size_t member)
{
	struct quota_shares *shares = first != NULL ? first->shares : NULL;
	if (shares == NULL)
		shares = calloc(1, sizeof(*shares) + (quota->share_count + 1) * sizeof(shares->accounts[0]));
	if (shares == NULL)
		return NULL;
	shares->list = quota->shares;
	shares->count = quota->share_count;
	shares->accounts[member] = account;
	account->member = member;
	account->shares = shares;
	return shares;
}

void shares_leave(struct quota_account *account)
{
	struct quota_shares *shares = account->shares;
	if (shares == NULL)
		return;
	shares->accounts[account->member] = NULL;
	account->shares = NULL;
	for (size_t i = 0; i <= shares->count; i++)
		if (shares->accounts[i] != NULL)
			return;
	free(shares);
}

/* ---- who asks ---- */

void shares_note_ask(struct quota_account *account, struct quota_now now)
{
	if (!shares_is_asking(account, now))
		account->since_us = now.us;
	account->asked_us = now.us;
}

uint64_t shares_asking_us(const struct quota_account *account, struct quota_now now)
{
	/* use counts a slot longer than the window is */
	return account->unit == QUOTA_CONCURRENT || is_calendar(account)
		   ? ASKING_US
		   : window_rest(account->kind, now) / (WINDOW_SLOTS - 1) * WINDOW_SLOTS;
}

bool shares_is_asking(const struct quota_account *account, struct quota_now now)
{
	return account->asked_us > 0 && now.us < account->asked_us + shares_asking_us(account, now);
}

/* ---- what is left ---- */

static uint64_t share_of(const struct quota_shares *shares, size_t member, uint64_t limit)
{
	return member == shares->count ? 0 : quota_share(limit, shares->list[member].percent);
}

uint64_t shares_guaranteed(const struct quota_account *account, uint64_t limit)
{
	return share_of(account->shares, account->member, limit);
}

uint64_t shares_portion(const struct quota_account *account, uint64_t limit)
{
	const struct quota_shares *shares = account->shares;
	if (account->member < shares->count)
		return share_of(shares, account->member, limit);
	uint64_t rest = limit;
	for (size_t i = 0; i < shares->count; i++)
		rest -= share_of(shares, i, limit);
	return rest;
}

/* Returns what counts of an account. A guess that took what was left counts no more than that. */
static uint64_t taken_by(struct quota_account *account, const struct later *at)
{
	uint64_t taken = at->bare ? 0 : minus(account->reserved, account->excess);
	if (account->unit != QUOTA_CONCURRENT)
		taken += window_used_later(&account->window, account->kind, at->now, at->slots);
	return taken;
}

/* Returns what is lost of a share of which so much was taken: what remains is at most in proportion to the time that is
 * left of the day or month. */
static uint64_t lost_of(const struct quota_account *of, const struct quota_account *member, uint64_t share,
			uint64_t taken, const struct later *at)
{
	uint64_t rest_s = minus(window_rest(of->kind, at->now) / SECOND_US, at->s);
	double part = (double)share * (double)rest_s / (double)window_length(of->kind, at->now);
	uint64_t behind = minus(share, taken + (uint64_t)part);
	return member == NULL || member->lost_period != member->window.last ? behind : most_of(behind, member->lost);
}

/* Returns how much of an unused share is kept. */
static uint64_t kept_of(const struct quota_account *of, const struct quota_account *member, uint64_t share,
			uint64_t taken, const struct later *at)
{
	if (is_calendar(of))
		return minus(share, taken + lost_of(of, member, share, taken, at));
	return member != NULL && shares_is_asking(member, at->now) ? minus(share, taken) : 0;
}

/* Returns whether an account has the right of way, out of its own share, before another one that asks. */
static bool goes_before(const struct quota_account *account, const struct quota_account *other, struct quota_now now)
{
	if (is_calendar(account) || other == NULL || !shares_is_asking(account, now))
		return false;
	return account->since_us < other->since_us ||
	       (account->since_us == other->since_us && account->member < other->member);
}

static uint64_t left_at(const struct quota_account *account, uint64_t limit, const struct later *at)
{
	const struct quota_shares *shares = account->shares;
	uint64_t all = 0, kept = 0, kept_before = 0, own = 0; /* before: for those who go before the account */
	for (size_t i = 0; i <= shares->count; i++) {
		struct quota_account *member = shares->accounts[i];
		uint64_t share = share_of(shares, i, limit), taken = member == NULL ? 0 : taken_by(member, at);
		all += taken;
		if (member == account)
			own = minus(share, taken);
		if (member == account || share <= taken)
			continue;
		uint64_t more = kept_of(account, member, share, taken, at);
		kept += more;
		kept_before += goes_before(account, member, at->now) ? 0 : more;
	}
	uint64_t left = minus(limit, all);
	return most_of(least_of(own, minus(left, kept_before)), minus(left, kept));
}

/* Notes what is lost by now. */
static void note_lost(const struct quota_shares *shares, uint64_t limit, const struct later *at)
{
	for (size_t i = 0; i < shares->count; i++) {
		struct quota_account *member = shares->accounts[i];
		if (member == NULL || !is_calendar(member))
			continue;
		uint64_t taken = taken_by(member, at);
		member->lost = lost_of(member, member, share_of(shares, i, limit), taken, at);
		member->lost_period = member->window.last;
	}
}

uint64_t shares_left(const struct quota_account *account, struct quota_now now, uint64_t limit)
{
	note_lost(account->shares, limit, &(struct later){.now = now});
	return left_at(account, limit, &(struct later){.now = now});
}

/* ---- when there is more ---- */

/* Returns how many slots or seconds later there is so much; most: not before. What is left only grows. */
static uint64_t search(const struct quota_account *account, struct quota_now now, uint64_t limit, uint64_t amount,
		       uint64_t most)
{
	uint64_t from = 0;
	while (from < most) {
		uint64_t middle = from + (most - from) / 2;
		struct later at = {.now = now, .bare = true};
		if (is_calendar(account))
			at.s = middle;
		else
			at.slots = (unsigned)middle;
		if (left_at(account, limit, &at) >= amount)
			most = middle;
		else
			from = middle + 1;
	}
	return from;
}

uint64_t shares_wait(const struct quota_account *account, struct quota_now now, uint64_t limit, uint64_t amount)
{
	if (!is_calendar(account))
		return window_later(account->kind, now, (unsigned)search(account, now, limit, amount, WINDOW_SLOTS));
	uint64_t rest_s = window_rest(account->kind, now) / SECOND_US;
	return search(account, now, limit, amount, rest_s) * SECOND_US;
}

uint64_t shares_reset(const struct quota_account *account, struct quota_now now)
{
	uint64_t longest_us = 0;
	for (size_t i = 0; i <= account->shares->count; i++) {
		struct quota_account *member = account->shares->accounts[i];
		if (member != NULL)
			longest_us = most_of(longest_us, window_wait(&member->window, member->kind, now, 0));
	}
	return longest_us;
}
