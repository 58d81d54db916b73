/* SPDX-License-Identifier: MIT */
/*
 * The script of service/quotas/script.c once more, in C and on a clock of the test's: script_test.c compares both, and
 * the simulation of replicas uses it as their Redis. Header only.
 */
#ifndef SLUICE_TESTS_UNIT_SERVICE_QUOTAS_SCRIPT_MODEL_H
#define SLUICE_TESTS_UNIT_SERVICE_QUOTAS_SCRIPT_MODEL_H

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "service/quotas/script.h"

enum {
	MODEL_SLOTS = 512,
	MODEL_HOLDERS = 64,
	MODEL_MEMBERS = QUOTA_SHARES + 1,
	MODEL_SLIDE = 61,
	MODEL_ASKING_MS = 60000,
	MODEL_DAY_S = 86400
};

struct model_slot {
	int64_t number, amount;
	size_t member; /* whose */
};

struct model_holder {
	char id[SCRIPT_ID_SIZE];
	size_t member;
	int64_t call, covered, uncovered, held, expires, expired, expired_slot, lacked, called, put_off;
};

/* All zero is an account that nobody has asked about. */
struct model_account {
	bool known;
	int64_t touched;
	int64_t asked[MODEL_MEMBERS]; /* in ms; 0 = long ago */
	int64_t since[MODEL_MEMBERS];
	int64_t lost[MODEL_MEMBERS], lost_period[MODEL_MEMBERS];
	size_t slot_count, holder_count;
	struct model_slot slots[MODEL_SLOTS];
	struct model_holder holders[MODEL_HOLDERS];
	/* for tests */
	unsigned expirations; /* of holdings, ever */
	size_t expired_count; /* in the last call, and of whom */
	char expired[MODEL_HOLDERS][SCRIPT_ID_SIZE];
	int64_t reported; /* use, ever */
};

static inline int64_t model_number(int slot_ms, int64_t now_ms)
{
	time_t s = (time_t)(now_ms / 1000);
	struct tm day;
	if (slot_ms > 0)
		return now_ms / slot_ms;
	if (slot_ms == 0)
		return now_ms / 86400000;
	if (slot_ms == -2)
		return 0;
	gmtime_r(&s, &day);
	return ((int64_t)day.tm_year + 1900) * 12 + day.tm_mon + 1;
}

static inline struct model_slot *model_slot_of(struct model_account *account, size_t member, int64_t number)
{
	for (size_t i = 0; i < account->slot_count; i++)
		if (account->slots[i].number == number && account->slots[i].member == member)
			return &account->slots[i];
	return NULL;
}

static inline void model_add(struct model_account *account, size_t member, int64_t number, int64_t amount)
{
	struct model_slot *slot = model_slot_of(account, member, number);
	if (slot == NULL) {
		if (account->slot_count == MODEL_SLOTS)
			abort();
		slot = &account->slots[account->slot_count++];
		*slot = (struct model_slot){number, 0, member};
	}
	slot->amount += amount;
}

static inline int64_t model_used(const struct model_account *account)
{
	int64_t used = 0;
	for (size_t i = 0; i < account->slot_count; i++)
		used += account->slots[i].amount;
	return used;
}

static inline int64_t model_held(const struct model_account *account)
{
	int64_t held = 0;
	for (size_t i = 0; i < account->holder_count; i++)
		held += account->holders[i].held;
	return held;
}

static inline struct model_holder *model_find(struct model_account *account, const char *id, size_t member)
{
	for (size_t i = 0; i < account->holder_count; i++)
		if (strcmp(account->holders[i].id, id) == 0 && account->holders[i].member == member)
			return &account->holders[i];
	return NULL;
}

/* Forgets what is out of the window, and what is empty. Returns the number of the slot that is now. */
static inline int64_t model_forget(struct model_account *account, int slot_ms, int64_t now_ms)
{
	int64_t current = model_number(slot_ms, now_ms);
	size_t kept = 0;
	for (size_t i = 0; i < account->slot_count; i++)
		if (account->slots[i].number > current && account->slots[i].amount != 0)
			current = account->slots[i].number;
	for (size_t i = 0; i < account->slot_count; i++) {
		struct model_slot slot = account->slots[i];
		if (slot.number >= (slot_ms > 0 ? current - 60 : current) && slot.amount != 0)
			account->slots[kept++] = slot;
	}
	account->slot_count = kept;
	return current;
}

static inline void model_expire(struct model_account *account, struct model_holder *holder, int slot_ms,
				int64_t current, int64_t now_ms)
{
	bool quiet = now_ms - account->touched > SCRIPT_LEASE_MS / 2;
	if (holder->expires > now_ms + SCRIPT_LEASE_MS)
		holder->expires = now_ms + SCRIPT_LEASE_MS;
	if (holder->called > now_ms)
		holder->called = now_ms;
	if (holder->expires > now_ms || holder->held == 0)
		return;
	if (quiet && holder->put_off == 0) {
		holder->expires = now_ms + SCRIPT_LEASE_MS;
		holder->put_off = 1;
		return;
	}
	if (slot_ms != -2) {
		model_add(account, holder->member, current, holder->held);
		holder->expired = holder->held;
		holder->expired_slot = current;
	}
	holder->held = 0;
	account->expirations++;
	memcpy(account->expired[account->expired_count++], holder->id, SCRIPT_ID_SIZE);
}

static inline int64_t model_most(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static inline int64_t model_least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* ---- shares ---- */

static inline int64_t model_share(const struct script_ask *ask, size_t member)
{
	return member == ask->share_count ? 0 : (int64_t)quota_share(ask->limit, ask->shares[member].percent);
}

/* What each has taken. */
struct model_taken {
	int64_t of[MODEL_MEMBERS];
};

/* Seconds of a day or month that are left, and in all. */
static inline int64_t model_rest(int slot_ms, int64_t now_ms, int64_t *length)
{
	time_t s = (time_t)(now_ms / 1000);
	struct tm day;
	gmtime_r(&s, &day);
	struct tm first = {.tm_year = day.tm_year, .tm_mon = day.tm_mon, .tm_mday = 1}, next = first;
	next.tm_mon++;
	*length = slot_ms == 0 ? MODEL_DAY_S : (int64_t)(timegm(&next) - timegm(&first));
	return slot_ms == 0 ? MODEL_DAY_S - s % MODEL_DAY_S : (int64_t)(timegm(&next) - s);
}

/* Whether the one that asks has the right of way, out of its own share. */
static inline bool model_goes_before(const struct model_account *account, const struct script_ask *ask, size_t other)
{
	size_t me = ask->member;
	if (me == ask->share_count || other == ask->share_count || account->asked[me] == 0 ||
	    account->asked[other] == 0)
		return false;
	return account->since[me] < account->since[other] ||
	       (account->since[me] == account->since[other] &&
		strcmp(ask->shares[me].tenant, ask->shares[other].tenant) < 0);
}

/* What is lost of a share of a day or month. */
static inline int64_t model_lost(const struct model_account *account, const struct script_ask *ask, size_t member,
				 int64_t taken, int64_t current, int64_t now_ms, int64_t later)
{
	int slot_ms = script_slot_ms(ask->unit, ask->kind);
	int64_t length, rest = model_most(model_rest(slot_ms, now_ms, &length) - later, 0);
	int64_t share = model_share(ask, member);
	int64_t behind = share - taken - (int64_t)((double)share * (double)rest / (double)length);
	int64_t known = account->lost_period[member] == current ? account->lost[member] : 0;
	return model_most(model_most(behind, known), 0);
}

/* What a process may be given, so many seconds later. */
static inline int64_t model_room(const struct model_account *account, const struct script_ask *ask, int64_t current,
				 int64_t now_ms, const struct model_taken *taken, int64_t later)
{
	int slot_ms = script_slot_ms(ask->unit, ask->kind);
	int64_t all = 0, kept = 0, before = 0, own = 0;
	for (size_t i = 0; i <= ask->share_count; i++) {
		int64_t share = model_share(ask, i), unused = model_most(share - taken->of[i], 0), part = 0;
		all += taken->of[i];
		if (i == ask->member) {
			own = unused;
			continue;
		}
		if (slot_ms == 0 || slot_ms == -1)
			part = model_most(share - taken->of[i] -
					      model_lost(account, ask, i, taken->of[i], current, now_ms, later),
					  0);
		else if (account->asked[i] > 0)
			part = unused;
		kept += part;
		before += slot_ms != 0 && slot_ms != -1 && model_goes_before(account, ask, i) ? 0 : part;
	}
	int64_t left = model_most((int64_t)ask->limit - all, 0);
	return model_most(model_most(model_least(own, left - before), left - kept), 0);
}

static inline struct model_taken model_taken_of(const struct model_account *account, bool holdings)
{
	struct model_taken taken = {{0}};
	for (size_t i = 0; i < account->slot_count; i++)
		taken.of[account->slots[i].member] += account->slots[i].amount;
	for (size_t i = 0; holdings && i < account->holder_count; i++)
		taken.of[account->holders[i].member] += account->holders[i].held;
	return taken;
}

static inline bool model_fits(const struct model_account *account, const struct script_ask *ask, int64_t current,
			      int64_t now_ms, const struct model_taken *taken, int64_t later, int64_t amount)
{
	int64_t all = 0;
	for (size_t i = 0; i < MODEL_MEMBERS; i++)
		all += taken->of[i];
	return all <= (int64_t)ask->limit - amount && model_room(account, ask, current, now_ms, taken, later) >= amount;
}

/* Returns the ms until there is so much when nothing is held; -1 = the period must end. */
static inline int64_t model_wait(const struct model_account *account, const struct script_ask *ask, int64_t current,
				 int64_t now_ms, int64_t amount)
{
	int slot_ms = script_slot_ms(ask->unit, ask->kind);
	struct model_taken taken = model_taken_of(account, false);
	int64_t length, rest = model_rest(slot_ms, now_ms, &length);
	amount = model_least(amount, (int64_t)ask->limit);
	if (slot_ms == -2 || model_fits(account, ask, current, now_ms, &taken, 0, amount))
		return 0;
	if (slot_ms <= 0) {
		if (ask->share_count == 0 || !model_fits(account, ask, current, now_ms, &taken, rest - 1, amount))
			return -1;
		int64_t step = 1;
		while (step * 2 < rest)
			step *= 2;
		int64_t before = 0; /* the last second without */
		for (; step > 0; step /= 2)
			if (before + step < rest &&
			    !model_fits(account, ask, current, now_ms, &taken, before + step, amount))
				before += step;
		return (before + 1) * 1000;
	}
	for (int64_t number = current - MODEL_SLIDE + 1; number <= current; number++) {
		for (size_t i = 0; i < account->slot_count; i++)
			if (account->slots[i].number == number)
				taken.of[account->slots[i].member] -= account->slots[i].amount;
		if (model_fits(account, ask, current, now_ms, &taken, 0, amount))
			return (number + MODEL_SLIDE) * slot_ms - now_ms;
	}
	return (current + MODEL_SLIDE) * slot_ms - now_ms;
}

/* Notes who asks, and forgets who has not for long. */
static inline void model_note_ask(struct model_account *account, const struct script_ask *ask, int64_t now_ms)
{
	int slot_ms = script_slot_ms(ask->unit, ask->kind);
	int64_t span = slot_ms > 0 ? (int64_t)slot_ms * MODEL_SLIDE : MODEL_ASKING_MS;
	for (size_t i = 0; i < ask->share_count; i++) {
		account->asked[i] = model_least(account->asked[i], now_ms);
		account->since[i] = model_least(account->since[i], now_ms);
		if (account->asked[i] <= now_ms - span)
			account->asked[i] = 0;
		if (i != ask->member || ask->asked_ms < 0)
			continue;
		if (account->asked[i] == 0)
			account->since[i] = now_ms;
		account->asked[i] = model_most(account->asked[i], now_ms - ask->asked_ms);
		if (account->asked[i] <= now_ms - span)
			account->asked[i] = 0;
	}
}

static inline bool model_is_same_process(const char *a, const char *b)
{
	size_t len = strcspn(a, "-");
	return len == strcspn(b, "-") && memcmp(a, b, len) == 0;
}

/* Counts the processes that hold something, the one that asks included. Without shares: all holdings. */
static inline int64_t model_count(const struct model_account *account, const struct script_ask *ask, int64_t now_ms)
{
	int64_t count = !ask->leaves;
	for (size_t i = 0; i < account->holder_count; i++) {
		const struct model_holder *holder = &account->holders[i];
		bool seen = (strcmp(holder->id, ask->id) == 0 && holder->member == ask->member) ||
			    (ask->share_count > 0 && !ask->leaves && model_is_same_process(holder->id, ask->id));
		for (size_t j = 0; j < i && ask->share_count > 0; j++)
			seen |= account->holders[j].expires > now_ms &&
				(strcmp(account->holders[j].id, ask->id) != 0 ||
				 account->holders[j].member != ask->member) &&
				model_is_same_process(account->holders[j].id, holder->id);
		count += !seen && holder->expires > now_ms;
	}
	return count;
}

/* Carries out one call. numbers: the reply. */
static inline void model_call(struct model_account *account, const struct script_ask *ask, int64_t now_ms,
			      int64_t numbers[SCRIPT_REPLIES])
{
	int slot_ms = script_slot_ms(ask->unit, ask->kind);
	struct model_holder *me = model_find(account, ask->id, ask->member);
	memset(numbers, 0, SCRIPT_REPLIES * sizeof(*numbers));
	if (me != NULL && (int64_t)ask->number <= me->call) {
		numbers[0] = -1;
		return;
	}
	if (!account->known)
		account->touched = now_ms;
	account->known = true;
	int64_t current = model_forget(account, slot_ms, now_ms), lacks = 0;
	model_note_ask(account, ask, now_ms);
	size_t kept = 0;
	account->expired_count = 0;
	for (size_t i = 0; i < account->holder_count; i++) {
		struct model_holder holder = account->holders[i];
		model_expire(account, &holder, slot_ms, current, now_ms);
		if (strcmp(holder.id, ask->id) != 0 || holder.member != ask->member) {
			lacks |= holder.lacked <= now_ms && holder.lacked > now_ms - 2000;
			if (holder.held == 0 && holder.called <= now_ms - 10 * SCRIPT_LEASE_MS)
				continue;
		}
		account->holders[kept++] = holder;
	}
	account->holder_count = kept;
	int64_t count = model_count(account, ask, now_ms);
	me = model_find(account, ask->id, ask->member);
	if (me == NULL) {
		if (account->holder_count == MODEL_HOLDERS)
			abort();
		me = &account->holders[account->holder_count++];
		*me = (struct model_holder){.member = ask->member,
					    .covered = (int64_t)ask->known_covered,
					    .uncovered = (int64_t)ask->known_uncovered};
		strcpy(me->id, ask->id);
	}
	const struct model_slot *slot = model_slot_of(account, me->member, me->expired_slot);
	if (me->expired > 0 && slot != NULL && slot->amount >= me->expired) {
		model_add(account, me->member, me->expired_slot, -me->expired);
		me->held += me->expired;
	}
	int64_t covered = (int64_t)ask->covered, want = (int64_t)ask->want, limit = (int64_t)ask->limit;
	int64_t more = model_most(covered - me->covered, 0);
	me->expired = 0;
	me->held -= model_least(more, me->held);
	more += model_most((int64_t)ask->uncovered - me->uncovered, 0);
	account->reported += more;
	if (more > 0)
		model_add(account, me->member, current, more);
	me->call = (int64_t)ask->number;
	me->covered = covered;
	me->uncovered = (int64_t)ask->uncovered;
	struct model_taken taken = model_taken_of(account, true);
	for (size_t i = 0; i < ask->share_count && (slot_ms == 0 || slot_ms == -1); i++) {
		account->lost[i] = model_lost(account, ask, i, taken.of[i], current, now_ms, 0);
		account->lost_period[i] = current;
	}
	int64_t ceiling = covered + me->held;
	int64_t given = model_least(want - ceiling, model_room(account, ask, current, now_ms, &taken, 0));
	if (want < ceiling)
		me->held = model_most(want - covered, 0);
	else if (ask->must == 0 || ceiling + given >= (int64_t)(ask->idle + ask->enough))
		me->held += given;
	me->lacked = (int64_t)ask->must > covered + me->held ? now_ms : 0;
	me->expires = ask->leaves ? 0 : now_ms + SCRIPT_LEASE_MS;
	me->called = now_ms;
	me->put_off = 0;
	account->touched = now_ms;
	numbers[0] = covered + me->held;
	numbers[1] = count;
	numbers[2] = lacks;
	taken = model_taken_of(account, true);
	int64_t all = model_used(account) + model_held(account);
	if (ask->share_count > 0 && (limit - all) * 4 < limit)
		numbers[2] = 1;
	numbers[3] = model_room(account, ask, current, now_ms, &taken, 0);
	numbers[4] = model_wait(account, ask, current, now_ms, (int64_t)ask->least);
	struct script_ask alone = *ask;
	alone.share_count = alone.member = 0;
	numbers[5] = model_wait(account, &alone, current, now_ms, limit);
	taken = model_taken_of(account, false);
	int64_t held_elsewhere = -me->held;
	for (size_t i = 0; i < account->holder_count; i++)
		held_elsewhere += account->holders[i].member == ask->member ? account->holders[i].held : 0;
	numbers[6] = me->lacked > 0 && ask->member < ask->share_count && held_elsewhere > 0 &&
		     taken.of[ask->member] + (int64_t)ask->must - covered <= model_share(ask, ask->member);
}

#endif
