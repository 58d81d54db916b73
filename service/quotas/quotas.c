/* SPDX-License-Identifier: MIT */
/* Granting and settling under all limits at once; quotas.h holds the contract. */
#include "service/quotas/internal.h"

#include "service/quotas/shares.h"

/* Returns how long the account has no room; 0 = it has. */
static uint64_t wait_of(struct quota_account *account, struct quota_now now, const struct quota_ask *ask)
{
	if (ask->amount > 0 && account_least(account, ask) > account->limit)
		return UINT64_MAX;
	return ask->amount == 0 ? 0 : account_wait(account, now, ask);
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

/* Returns what the part and those behind it ask of the account, together; nothing, where an earlier one has asked.
 * *used, which may be NULL: what they used. */
static struct quota_ask ask_of(const struct quota_part *parts, size_t count, size_t index,
			       const struct quota_entry *entry, uint64_t *used)
{
	unsigned unit = entry->account.unit;
	struct quota_ask ask = {0, 0, 0};
	uint64_t sum = 0;
	for (size_t i = index; i < count && !is_shared_before(parts, index, entry); i++) {
		if (i > index && (is_once(unit) || !falls_under(&parts[i], entry)))
			continue;
		ask.amount += parts[i].reserved.of[unit];
		ask.least += parts[i].least.of[unit];
		ask.beyond += parts[i].beyond.of[unit];
		sum += parts[i].used.of[unit];
	}
	if (used != NULL)
		*used = sum;
	return ask;
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

static struct quota_guaranteed guaranteed_of(const struct quota_account *account)
{
	const struct quota_shares *shares = account->shares;
	if (shares == NULL || account->member == shares->count)
		return (struct quota_guaranteed){.exists = shares != NULL};
	const struct config_share *share = &shares->list[account->member];
	return (struct quota_guaranteed){.exists = true, .tenant = share->tenant, .percent = share->percent};
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

/* Has the parts ask for all that their answers may come to, when a limit bears no more answers that may be larger than
 * what is reserved. */
static void ask_what_is_borne(struct quota_part *parts, size_t count)
{
	struct walk walk = {.parts = parts, .count = count};
	struct quota_entry *entry;
	bool borne = true;
	while (borne && (entry = walk_on(&walk)) != NULL)
		borne = account_may_exceed(&entry->account, ask_of(parts, count, walk.part, entry, NULL).beyond);
	for (size_t i = 0; i < count && !borne; i++) {
		for (unsigned unit = 0; unit < QUOTA_ACCOUNT_UNITS; unit++)
			parts[i].reserved.of[unit] += parts[i].beyond.of[unit];
		parts[i].beyond = (struct quota_amounts){{0}};
	}
}

/* Grants until there is no room. Returns how many steps were granted; the others are looked at for the longest wait. */
static size_t grant(struct quotas *quotas, struct walk walk, struct quota_now now, struct quota_refusal *refusal)
{
	size_t granted = 0;
	struct quota_entry *entry;
	while ((entry = walk_on(&walk)) != NULL) {
		struct quota_account *account = &entry->account;
		struct quota_ask ask = ask_of(walk.parts, walk.count, walk.part, entry, NULL);
		if (account->shares != NULL && ask.amount > 0)
			shares_note_ask(account, now);
		uint64_t wait_us = wait_of(account, now, &ask);
		if (wait_us > 0) {
			struct quota_refusal more = {.name = account->name,
						     .unit = account->unit,
						     .kind = account->kind,
						     .limit = account->limit,
						     .share = guaranteed_of(account),
						     .asked = ask.amount,
						     .least = account_least(account, &ask),
						     .wait_us = wait_us};
			note_refusal(refusal, &more, account, now);
		}
		if (refusal->wait_us > 0)
			continue;
		account_reserve(account, now, &ask);
		borrow_note_active(quotas, entry, now);
		granted = walk.steps;
	}
	return granted;
}

bool quotas_reserve(struct quotas *quotas, struct quota_part *parts, size_t count, struct quota_now now,
		    struct quota_refusal *refusal)
{
	struct walk walk = {.parts = parts, .count = count}, back = walk;
	*refusal = (struct quota_refusal){.wait_us = 0};
	pthread_mutex_lock(&quotas->lock);
	ask_what_is_borne(parts, count);
	size_t granted = grant(quotas, walk, now, refusal);
	while (refusal->wait_us > 0 && back.steps < granted) {
		struct quota_entry *entry = walk_on(&back);
		struct quota_ask ask = ask_of(parts, count, back.part, entry, NULL);
		account_take_back(&entry->account, now, &ask);
	}
	pthread_mutex_unlock(&quotas->lock);
	return refusal->wait_us == 0;
}

void quotas_each_short(struct quotas *quotas, struct quota_part *parts, size_t count, struct quota_now now,
		       struct quota_waiter *waiter)
{
	struct walk walk = {.parts = parts, .count = count};
	struct quota_entry *entry;
	ask_what_is_borne(parts, count);
	while ((entry = walk_on(&walk)) != NULL) {
		struct quota_ask ask = ask_of(parts, count, walk.part, entry, NULL);
		uint64_t wait_us = wait_of(&entry->account, now, &ask);
		if (entry->sharing != NULL && wait_us > 0 && wait_us != UINT64_MAX &&
		    holding_lack(&entry->account, now, ask.amount) == HOLDING_SHORT)
			borrow_wait(quotas, entry, &ask, waiter);
	}
}

/* ---- the end of requests ---- */

static void settle(struct quotas *quotas, const struct quota_part *parts, size_t count, struct quota_now now)
{
	struct walk walk = {.parts = parts, .count = count};
	struct quota_entry *entry;
	while ((entry = walk_on(&walk)) != NULL) {
		uint64_t used;
		struct quota_ask ask = ask_of(parts, count, walk.part, entry, &used);
		account_settle(&entry->account, now, &ask, used);
		if (entry->account.shares != NULL)
			borrow_note_end(quotas, entry);
	}
}

void quotas_settle(struct quotas *quotas, const struct quota_part *parts, size_t count, struct quota_now now)
{
	pthread_mutex_lock(&quotas->lock);
	settle(quotas, parts, count, now);
	pthread_mutex_unlock(&quotas->lock);
}

static void learn(struct quota_habit *habit, const struct quota_part *part, const struct quota_end *end)
{
	enum { SLOWLY = 32 };
	double answers = (double)end->choices * (double)part->calls;
	double output = (double)part->used.of[QUOTA_OUTPUT_TOKENS] / answers;
	double input = (double)part->used.of[QUOTA_INPUT_TOKENS] / (double)part->calls;
	if (end->body > 0)
		habit->tokens_per_byte += (input / (double)end->body - habit->tokens_per_byte) / 8;
	/* it rises fast and falls slowly, so that few answers are above; the first answers say more */
	double above = output - habit->output, slowness = habit->answers < SLOWLY ? habit->answers + 2 : SLOWLY;
	habit->output += above > 0 ? above / 2 : above / slowness;
	habit->largest = output > habit->largest ? output : habit->largest + (output - habit->largest) / (2 * SLOWLY);
	habit->answers += habit->answers < SLOWLY;
}

void quotas_close(struct quotas *quotas, const struct quota_part *parts, size_t count, struct quota_now now,
		  const struct quota_end *end)
{
	pthread_mutex_lock(&quotas->lock);
	if (end->taken)
		settle(quotas, parts, count, now);
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
						 .share = guaranteed_of(account),
						 .reset_us = account_reset(account, now),
						 .words = &subject->words[i]};
		if (account->unit != QUOTA_CONCURRENT)
			states[i].length_s = window_length(account->kind, now);
	}
	pthread_mutex_unlock(&quotas->lock);
}
