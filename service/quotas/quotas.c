/* SPDX-License-Identifier: MIT */
/* Granting and settling under all limits at once; quotas.h holds the contract. */
#include "service/quotas/internal.h"

/* Returns how long the account has no room; 0 = it has. */
static uint64_t wait_of(struct quota_account *account, struct quota_now now, uint64_t amount, uint64_t least)
{
	if (amount > 0 && least > account->limit)
		return UINT64_MAX;
	return amount == 0 ? 0 : account_wait(account, now, amount, least);
}

static bool falls_under(const struct quota_part *part, const struct quota_entry *entry)
{
	for (size_t i = 0; i < part->subject->count; i++)
		if (part->subject->entries[i] == entry)
			return true;
	return false;
}

/* Returns whether an earlier part falls under the account, too. */
static bool is_shared_before(const struct quota_part *parts, size_t index, const struct quota_entry *entry)
{
	for (size_t i = 0; i < index; i++)
		if (falls_under(&parts[i], entry))
			return true;
	return false;
}

/* Returns whether the unit counts requests, of which there is one, however many parts it has. */
static bool is_once(unsigned unit)
{
	return unit == QUOTA_REQUESTS || unit == QUOTA_CONCURRENT;
}

/* What the parts ask of an account, together. */
struct asked {
	uint64_t reserved, least, used;
};

/* Returns what the part and those behind it ask of the account; nothing, where an earlier one has asked. */
static struct asked asked_of(const struct quota_part *parts, size_t count, size_t index,
			     const struct quota_entry *entry)
{
	unsigned unit = entry->account.unit;
	struct asked asked = {0, 0, 0};
	if (is_shared_before(parts, index, entry))
		return asked;
	for (size_t i = index; i < count; i++) {
		if (i > index && (is_once(unit) || !falls_under(&parts[i], entry)))
			continue;
		asked.reserved += parts[i].reserved.of[unit];
		asked.least += parts[i].least.of[unit];
		asked.used += parts[i].used.of[unit];
	}
	return asked;
}

/* Where a walk over the accounts of all parts is. */
struct walk {
	const struct quota_part *parts;
	size_t count;
	size_t part, next;
	size_t steps;
};

static struct quota_entry *walk_on(struct walk *walk)
{
	while (walk->part < walk->count && walk->next == walk->parts[walk->part].subject->count) {
		walk->part++;
		walk->next = 0;
	}
	if (walk->part == walk->count)
		return NULL;
	walk->steps++;
	return walk->parts[walk->part].subject->entries[walk->next++];
}

/* Notes an account without room: the one with the longest wait is told. */
static void note_refusal(struct quota_refusal *refusal, const struct quota_refusal *more,
			 const struct quota_account *account, struct quota_now now)
{
	enum holding_lack lack = HOLDING_REFUSED;
	bool first = refusal->wait_us == 0, lost = refusal->lost, short_only = first || refusal->short_only;
	if (account->shared != NULL && more->wait_us != UINT64_MAX)
		lack = holding_lack(account, now, more->asked);
	if (more->wait_us > refusal->wait_us)
		*refusal = *more;
	refusal->lost = lost || lack == HOLDING_LOST;
	refusal->short_only = short_only && lack == HOLDING_SHORT;
}

/* Grants until there is no room. Returns how many steps were granted; the others are looked at for the longest wait. */
static size_t grant(struct quotas *quotas, struct walk walk, struct quota_now now, struct quota_refusal *refusal)
{
	size_t granted = 0;
	struct quota_entry *entry;
	while ((entry = walk_on(&walk)) != NULL) {
		struct quota_account *account = &entry->account;
		struct asked asked = asked_of(walk.parts, walk.count, walk.part, entry);
		uint64_t amount = asked.reserved, least = asked.least;
		uint64_t wait_us = wait_of(account, now, amount, least);
		if (wait_us > 0) {
			struct quota_refusal more = {account->name,  account->unit, account->kind,
						     account->limit, amount,        least,
						     wait_us,        false,         false};
			note_refusal(refusal, &more, account, now);
		}
		if (refusal->wait_us > 0)
			continue;
		account_reserve(account, now, amount);
		borrow_note_active(quotas, entry, now);
		granted = walk.steps;
	}
	return granted;
}

bool quotas_reserve(struct quotas *quotas, const struct quota_part *parts, size_t count, struct quota_now now,
		    struct quota_refusal *refusal)
{
	struct walk walk = {.parts = parts, .count = count}, back = walk;
	*refusal = (struct quota_refusal){.wait_us = 0};
	pthread_mutex_lock(&quotas->lock);
	size_t granted = grant(quotas, walk, now, refusal);
	while (refusal->wait_us > 0 && back.steps < granted) {
		struct quota_entry *entry = walk_on(&back);
		account_take_back(&entry->account, now, asked_of(parts, count, back.part, entry).reserved);
	}
	pthread_mutex_unlock(&quotas->lock);
	return refusal->wait_us == 0;
}

void quotas_each_short(struct quotas *quotas, const struct quota_part *parts, size_t count, struct quota_now now,
		       struct quota_waiter *waiter)
{
	struct walk walk = {.parts = parts, .count = count};
	struct quota_entry *entry;
	while ((entry = walk_on(&walk)) != NULL) {
		struct asked asked = asked_of(parts, count, walk.part, entry);
		uint64_t amount = asked.reserved, wait_us = wait_of(&entry->account, now, amount, asked.least);
		if (entry->sharing != NULL && wait_us > 0 && wait_us != UINT64_MAX &&
		    holding_lack(&entry->account, now, amount) == HOLDING_SHORT)
			borrow_wait(quotas, entry, amount, waiter);
	}
}

/* ---- the end of requests ---- */

static void settle(const struct quota_part *parts, size_t count, struct quota_now now)
{
	struct walk walk = {.parts = parts, .count = count};
	struct quota_entry *entry;
	while ((entry = walk_on(&walk)) != NULL) {
		struct asked asked = asked_of(parts, count, walk.part, entry);
		account_settle(&entry->account, now, asked.reserved, asked.used);
	}
}

void quotas_settle(struct quotas *quotas, const struct quota_part *parts, size_t count, struct quota_now now)
{
	pthread_mutex_lock(&quotas->lock);
	settle(parts, count, now);
	pthread_mutex_unlock(&quotas->lock);
}

static void learn(struct quota_habit *habit, const struct quota_part *part, const struct quota_end *end)
{
	uint64_t output = part->used.of[QUOTA_OUTPUT_TOKENS] / (end->choices * part->calls);
	double input = (double)part->used.of[QUOTA_INPUT_TOKENS] / (double)part->calls;
	if (end->body > 0)
		habit->tokens_per_byte += (input / (double)end->body - habit->tokens_per_byte) / 8;
	/* it rises fast and falls slowly: few answers are above */
	double above = (double)output - habit->output;
	habit->output += above > 0 ? above / 2 : above / 32;
}

void quotas_close(struct quotas *quotas, const struct quota_part *parts, size_t count, struct quota_now now,
		  const struct quota_end *end)
{
	pthread_mutex_lock(&quotas->lock);
	if (end->taken)
		settle(parts, count, now);
	for (size_t i = 0; i < count; i++) {
		if (parts[i].told)
			learn(&parts[i].subject->habit, &parts[i], end);
		subjects_drop(parts[i].subject);
	}
	pthread_mutex_unlock(&quotas->lock);
}

/* ---- looking ---- */

void quotas_look(struct quotas *quotas, struct quota_subject *subject, struct quota_now now, struct quota_state *states,
		 size_t most, size_t *count)
{
	*count = subject->count < most ? subject->count : most;
	pthread_mutex_lock(&quotas->lock);
	for (size_t i = 0; i < *count; i++) {
		struct quota_account *account = &subject->entries[i]->account;
		states[i] = (struct quota_state){.name = account->name,
						 .unit = account->unit,
						 .kind = account->kind,
						 .by_model = account->by_model,
						 .account = account,
						 .limit = account->limit,
						 .left = account_left(account, now),
						 .reserved = account_reserved(account, now),
						 .reset_us = account_reset(account, now),
						 .words = &subject->words[i]};
		if (account->unit != QUOTA_CONCURRENT)
			states[i].length_s = window_length(account->kind, now);
	}
	pthread_mutex_unlock(&quotas->lock);
}
