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

enum { MODEL_SLOTS = 128, MODEL_HOLDERS = 64, MODEL_CALENDAR = 2 };

struct model_slot {
	int64_t number, amount;
};

struct model_holder {
	char id[SCRIPT_ID_SIZE];
	int64_t call, covered, uncovered, held, expires, expired, expired_slot, lacked, called, put_off;
};

/* All zero is an account that nobody has asked about. */
struct model_account {
	bool known;
	int64_t touched;
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

static inline struct model_slot *model_slot_of(struct model_account *account, int64_t number)
{
	for (size_t i = 0; i < account->slot_count; i++)
		if (account->slots[i].number == number)
			return &account->slots[i];
	return NULL;
}

static inline void model_add(struct model_account *account, int64_t number, int64_t amount)
{
	struct model_slot *slot = model_slot_of(account, number);
	if (slot == NULL) {
		if (account->slot_count == MODEL_SLOTS)
			abort();
		slot = &account->slots[account->slot_count++];
		*slot = (struct model_slot){number, 0};
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

static inline struct model_holder *model_find(struct model_account *account, const char *id)
{
	for (size_t i = 0; i < account->holder_count; i++)
		if (strcmp(account->holders[i].id, id) == 0)
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
		model_add(account, current, holder->held);
		holder->expired = holder->held;
		holder->expired_slot = current;
	}
	holder->held = 0;
	account->expirations++;
	memcpy(account->expired[account->expired_count++], holder->id, SCRIPT_ID_SIZE);
}

/* Returns the ms until at most so much is used; -1 = the period must end. */
static inline int64_t model_wait(struct model_account *account, int slot_ms, int64_t current, int64_t now_ms,
				 int64_t most)
{
	int64_t rest = model_used(account);
	if (rest <= most)
		return 0;
	for (int64_t number = current - 60; slot_ms > 0 && number <= current; number++) {
		const struct model_slot *slot = model_slot_of(account, number);
		rest -= slot == NULL ? 0 : slot->amount;
		if (rest <= most)
			return (number + 61) * slot_ms - now_ms;
	}
	return -1;
}

static inline int64_t model_most(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static inline int64_t model_least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Carries out one call. numbers: the reply. */
static inline void model_call(struct model_account *account, const struct script_ask *ask, int64_t now_ms,
			      int64_t numbers[SCRIPT_REPLIES])
{
	int slot_ms = script_slot_ms(ask->unit, ask->kind);
	struct model_holder *me = model_find(account, ask->id);
	memset(numbers, 0, SCRIPT_REPLIES * sizeof(*numbers));
	if (me != NULL && (int64_t)ask->number <= me->call) {
		numbers[0] = -1;
		return;
	}
	if (!account->known)
		account->touched = now_ms;
	account->known = true;
	int64_t current = model_forget(account, slot_ms, now_ms), count = !ask->leaves, lacks = 0, others = 0;
	size_t kept = 0;
	account->expired_count = 0;
	for (size_t i = 0; i < account->holder_count; i++) {
		struct model_holder holder = account->holders[i];
		model_expire(account, &holder, slot_ms, current, now_ms);
		if (strcmp(holder.id, ask->id) != 0) {
			others += holder.held;
			count += holder.expires > now_ms;
			lacks |= holder.lacked <= now_ms && holder.lacked > now_ms - 2000;
			if (holder.held == 0 && holder.called <= now_ms - 10 * SCRIPT_LEASE_MS)
				continue;
		}
		account->holders[kept++] = holder;
	}
	account->holder_count = kept;
	me = model_find(account, ask->id);
	if (me == NULL) {
		if (account->holder_count == MODEL_HOLDERS)
			abort();
		me = &account->holders[account->holder_count++];
		*me = (struct model_holder){.covered = (int64_t)ask->known_covered,
					    .uncovered = (int64_t)ask->known_uncovered};
		strcpy(me->id, ask->id);
	}
	const struct model_slot *slot = model_slot_of(account, me->expired_slot);
	if (me->expired > 0 && slot != NULL && slot->amount >= me->expired) {
		model_add(account, me->expired_slot, -me->expired);
		me->held += me->expired;
	}
	int64_t covered = (int64_t)ask->covered, want = (int64_t)ask->want, limit = (int64_t)ask->limit;
	int64_t more = model_most(covered - me->covered, 0);
	me->expired = 0;
	me->held -= model_least(more, me->held);
	more += model_most((int64_t)ask->uncovered - me->uncovered, 0);
	account->reported += more;
	if (more > 0)
		model_add(account, current, more);
	me->call = (int64_t)ask->number;
	me->covered = covered;
	me->uncovered = (int64_t)ask->uncovered;
	int64_t used = model_used(account);
	if (want < covered + me->held)
		me->held = model_most(want - covered, 0);
	else
		me->held += model_least(want - covered - me->held, model_most(limit - used - others - me->held, 0));
	me->lacked = (int64_t)ask->must > covered + me->held ? now_ms : 0;
	me->expires = ask->leaves ? 0 : now_ms + SCRIPT_LEASE_MS;
	me->called = now_ms;
	me->put_off = 0;
	account->touched = now_ms;
	numbers[0] = covered + me->held;
	numbers[1] = count;
	numbers[2] = lacks;
	numbers[3] = model_most(limit - used - others - me->held, 0);
	numbers[4] = model_wait(account, slot_ms, current, now_ms, model_most(limit - (int64_t)ask->least, 0));
	numbers[5] = model_wait(account, slot_ms, current, now_ms, 0);
}

#endif
