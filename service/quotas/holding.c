/* SPDX-License-Identifier: MIT */
/* What a process holds of a shared limit; holding.h holds the contract. */
#include "service/quotas/holding.h"

#include "service/quotas/amounts.h"
#include "service/quotas/shares.h"

enum {
	SECOND_US = 1000000,
	MS_US = 1000,
	LEASE_US = SCRIPT_LEASE_MS * 1000,
	MARGIN_US = 1000000, /* by which the own lease is shorter */
	SPARE_PART = 10,     /* of the limit is held in spare at most */
	SPARE_PART_AT_ONCE = 4
};

static uint64_t counted(struct quota_account *account, struct quota_now now)
{
	return account->unit == QUOTA_CONCURRENT ? 0 : window_used(&account->window, account->kind, now);
}

static bool is_lost(const struct holding *holding, struct quota_now now)
{
	return now.us < holding->loss->until_us;
}

static bool was_refused(const struct holding *holding, struct quota_now now)
{
	return now.us < holding->refused_us;
}

/* ---- room ---- */

static uint64_t held_left(const struct quota_account *account, struct quota_now now)
{
	const struct holding *holding = account->shared;
	return now.us < holding->until_us ? minus(holding->ceiling, holding->covered + account->reserved) : 0;
}

/* When this process knows nothing of the others, that much is its own. */
uint64_t holding_part(const struct quota_account *account)
{
	const struct holding *holding = account->shared;
	uint64_t holders = holding->holders > 0 ? holding->holders : holding->loss->holders;
	return most_of(account->limit / most_of(holders, 1), 1);
}

/* What of the limit was free when Redis was heard last, divided by those who share it, less what was granted without
 * Redis since. Believed for a lease. */
static uint64_t free_lately(const struct quota_account *account, struct quota_now now)
{
	const struct holding *holding = account->shared;
	if (holding->heard_us == 0 || now.us >= holding->heard_us + LEASE_US)
		return UINT64_MAX;
	uint64_t held = now.us < holding->until_us ? minus(holding->ceiling, holding->covered) : 0;
	uint64_t granted = holding->uncovered - holding->known_uncovered + minus(account->reserved, held);
	return minus(holding->free / most_of(holding->holders, 1), granted);
}

/* Returns what is left of so much by what this process counts. */
static uint64_t counted_left(struct quota_account *account, struct quota_now now, uint64_t limit)
{
	return account->shares != NULL ? shares_left(account, now, limit)
				       : minus(limit, counted(account, now) + account->reserved);
}

static uint64_t local_left(struct quota_account *account, struct quota_now now)
{
	uint64_t left = counted_left(account, now, holding_part(account));
	return least_of(left, free_lately(account, now));
}

/* As account_has_room() says it: a guess may take what is left. */
static bool fits(const struct quota_account *account, uint64_t left, uint64_t amount, uint64_t least, bool guesses)
{
	return left >= amount || (guesses && account->reserved == 0 && left > 0 && left >= least);
}

static bool fits_locally(struct quota_account *account, struct quota_now now, uint64_t amount, uint64_t least)
{
	uint64_t limit = holding_part(account);
	return !account->shared->refuses && is_lost(account->shared, now) &&
	       fits(account, local_left(account, now), least_of(amount, limit), least_of(least, limit), true);
}

/* A guess takes what is held once more is not to be had. */
static bool fits_held(const struct quota_account *account, struct quota_now now, uint64_t amount, uint64_t least)
{
	const struct holding *holding = account->shared;
	bool guesses = was_refused(holding, now) || is_lost(holding, now);
	return fits(account, held_left(account, now), least_of(amount, account->limit), least, guesses);
}

bool holding_has_room(struct quota_account *account, struct quota_now now, uint64_t amount, uint64_t least)
{
	bool held = fits_held(account, now, amount, least);
	account->shared->local = !held;
	return held || fits_locally(account, now, amount, least);
}

enum holding_lack holding_lack(const struct quota_account *account, struct quota_now now, uint64_t amount)
{
	const struct holding *holding = account->shared;
	if (is_lost(holding, now))
		return holding->refuses ? HOLDING_LOST : HOLDING_REFUSED;
	return was_refused(holding, now) && amount >= holding->refused_amount ? HOLDING_REFUSED : HOLDING_SHORT;
}

/* ---- use ---- */

static void forget_seconds(struct holding *holding, struct quota_now now)
{
	uint64_t second = now.us / SECOND_US;
	for (uint64_t i = 0; holding->second + i < second && i < HOLDING_SECONDS; i++)
		holding->used[(second - i) % HOLDING_SECONDS] = holding->peak[(second - i) % HOLDING_SECONDS] = 0;
	holding->second = most_of(second, holding->second);
}

static void note_recent(struct quota_account *account, struct quota_now now, uint64_t used)
{
	struct holding *holding = account->shared;
	forget_seconds(holding, now);
	uint64_t *peak = &holding->peak[holding->second % HOLDING_SECONDS];
	holding->used[holding->second % HOLDING_SECONDS] += used;
	*peak = most_of(*peak, account->reserved);
}

void holding_grant(struct quota_account *account, struct quota_now now, uint64_t amount)
{
	struct holding *holding = account->shared;
	bool used = account->unit == QUOTA_REQUESTS;
	if (used && holding->local)
		holding->uncovered += amount;
	else if (used)
		holding->covered += amount;
	note_recent(account, now, used ? amount : 0);
}

void holding_take_back(struct quota_account *account, struct quota_now now, uint64_t amount)
{
	struct holding *holding = account->shared;
	(void)now;
	if (account->unit != QUOTA_REQUESTS)
		return;
	if (holding->local)
		holding->uncovered -= amount;
	else
		holding->covered -= amount;
	holding->used[holding->second % HOLDING_SECONDS] -= amount;
}

void holding_use(struct quota_account *account, struct quota_now now, uint64_t used)
{
	struct holding *holding = account->shared;
	uint64_t covered = least_of(used, minus(holding->ceiling, holding->covered));
	holding->covered += covered;
	holding->uncovered += used - covered;
	note_recent(account, now, used);
}

/* ---- what is told ---- */

uint64_t holding_left(struct quota_account *account, struct quota_now now)
{
	const struct holding *holding = account->shared;
	uint64_t held = held_left(account, now);
	if (is_lost(holding, now))
		return holding->refuses ? held : most_of(held, local_left(account, now));
	bool known = now.us < holding->heard_us + LEASE_US || now.us < holding->reset_us;
	if (holding->heard_us == 0 || !known)
		return counted_left(account, now, account->limit);
	return least_of(holding->free + held, account->limit);
}

uint64_t holding_wait(struct quota_account *account, struct quota_now now, uint64_t amount, uint64_t least)
{
	const struct holding *holding = account->shared;
	if (holding_has_room(account, now, amount, least))
		return 0;
	if (account->unit == QUOTA_CONCURRENT || (is_lost(holding, now) && holding->refuses))
		return SECOND_US;
	uint64_t wait_us = minus(holding->free_again_us, now.us);
	if (is_lost(holding, now)) {
		uint64_t limit = holding_part(account), need = least_of(least > 0 ? least : 1, limit);
		wait_us = account->shares != NULL ? shares_wait(account, now, limit, need)
						  : window_wait(&account->window, account->kind, now, limit - need);
	}
	return most_of(wait_us, SECOND_US);
}

uint64_t holding_reset(struct quota_account *account, struct quota_now now)
{
	if (account->unit == QUOTA_CONCURRENT)
		return 0;
	return most_of(window_wait(&account->window, account->kind, now, 0), minus(account->shared->reset_us, now.us));
}

/* ---- asking ---- */

void holding_need(struct quota_account *account, uint64_t amount, uint64_t enough)
{
	struct holding *holding = account->shared;
	bool first = holding->need == 0;
	amount = least_of(amount, account->limit);
	enough = least_of(enough, amount);
	holding->least = first ? amount : least_of(holding->least, amount);
	holding->enough = first ? enough : least_of(holding->enough, enough);
	holding->need += amount;
}

/* What is held beyond what is needed now, so that the next requests ask nobody. It is little, because a crash loses it
 * for a window; and nothing while another process lacks it. */
static uint64_t spare_of(struct quota_account *account, struct quota_now now)
{
	struct holding *holding = account->shared;
	uint64_t used = 0, peak = 0, least = account->limit > 1 && account->unit == QUOTA_CONCURRENT;
	forget_seconds(holding, now);
	for (int i = 0; i < HOLDING_SECONDS; i++) {
		used += holding->used[i];
		peak = most_of(peak, holding->peak[i]);
	}
	if (holding->others_lack)
		return 0;
	uint64_t part = account->limit / (account->unit == QUOTA_CONCURRENT ? SPARE_PART_AT_ONCE : SPARE_PART);
	if (account->unit == QUOTA_CONCURRENT)
		used = 0; /* it is over when it is used */
	return least_of(used + minus(peak, account->reserved), most_of(part, least));
}

/* What was used without Redis, and is out of the window by now, need not be told. */
static void forget_unreported(struct quota_account *account, struct quota_now now)
{
	struct holding *holding = account->shared;
	uint64_t most = holding->known_uncovered + counted(account, now);
	holding->uncovered = most_of(least_of(holding->uncovered, most), holding->sent_uncovered);
}

void holding_ask(struct quota_account *account, struct quota_now now, bool closing, struct script_ask *ask)
{
	struct holding *holding = account->shared;
	forget_unreported(account, now);
	uint64_t idle = holding->covered + least_of(account->reserved, account->limit), needed = idle + holding->need;
	*ask = (struct script_ask){.covered = holding->covered,
				   .uncovered = holding->uncovered,
				   .known_covered = holding->known_covered,
				   .known_uncovered = holding->known_uncovered,
				   .want = needed + (closing ? 0 : spare_of(account, now)),
				   .must = holding->need > 0 ? needed : 0,
				   .least = holding->least,
				   .idle = idle,
				   .enough = holding->enough,
				   .limit = account->limit,
				   .unit = account->unit,
				   .kind = account->kind};
	ask->leaves = ask->want == ask->covered;
	if (account->shares != NULL) {
		ask->shares = account->shares->list;
		ask->share_count = account->shares->count;
		ask->member = account->member;
		ask->asked_ms = shares_is_asking(account, now) ? (int64_t)((now.us - account->asked_us) / MS_US) : -1;
	}
	holding->ceiling =
	    least_of(holding->ceiling, ask->want); /* it may be given back, whether that is heard or not */
	holding->sent_uncovered = holding->uncovered;
	holding->need = holding->least = holding->enough = 0;
	holding->unsure = true;
}

/* When a time that the script told will have come. */
static uint64_t time_of(const struct quota_account *account, struct quota_now now, int64_t wait_ms)
{
	return now.us + (wait_ms >= 0 ? (uint64_t)wait_ms * 1000 : window_rest(account->kind, now));
}

void holding_hear(struct quota_account *account, struct quota_now now, uint64_t sent_us, const struct script_ask *ask,
		  const struct script_answer *answer)
{
	struct holding *holding = account->shared;
	holding->unsure = false;
	holding->ceiling = answer->ceiling;
	holding->until_us = sent_us + LEASE_US - MARGIN_US;
	holding->known_covered = ask->covered;
	holding->known_uncovered = ask->uncovered;
	holding->holders = answer->holders;
	holding->others_lack = answer->others_lack;
	holding->free = answer->free;
	holding->heard_us = now.us;
	holding->free_again_us = time_of(account, now, answer->wait_ms);
	holding->reset_us = time_of(account, now, answer->reset_ms);
	holding->refused_us = ask->must > answer->ceiling && !answer->owed ? now.us + HOLDING_REFUSED_US : 0;
	holding->refused_amount = ask->least;
}

bool holding_is_idle(const struct quota_account *account, struct quota_now now)
{
	const struct holding *holding = account->shared;
	return was_refused(holding, now) && holding->others_lack && held_left(account, now) > 0;
}

bool holding_is_active(const struct quota_account *account, struct quota_now now)
{
	const struct holding *holding = account->shared;
	bool holds = now.us < holding->until_us && holding->ceiling > holding->covered;
	return holds || holding->unsure || account->reserved > 0 || holding->need > 0 ||
	       holding->covered != holding->known_covered || holding->uncovered != holding->known_uncovered;
}

bool holding_is_forgettable(const struct quota_account *account, struct quota_now now)
{
	return account->shared->need == 0 && (now.us >= account->shared->until_us || !holding_is_active(account, now));
}
