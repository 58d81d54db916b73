/* SPDX-License-Identifier: MIT */
/*
 * What one request may use, and what it has used. A bill is counted: its exchange holds it, and so does each flight
 * that runs for it. Whatever becomes of them, the last one to go settles it; nothing is returned early, late or twice.
 *
 *   bill_open ─► bill_admit ─► bill_charge for each call of a backend ─► bill_drop by all
 *
 * One worker's; for its thread alone.
 */
#ifndef SLUICE_SERVICE_QUOTAS_BILL_H
#define SLUICE_SERVICE_QUOTAS_BILL_H

#include "lib/timers.h"
#include "schemas/event.h"
#include "service/quotas/quotas.h"

struct bill;
struct quota_waiter;

/* Whose bill it is. */
struct bill_party {
	const struct config_key *key;             /* NULL = nobody in particular */
	const struct config_model *const *models; /* that are asked, each once; borrowed for the call */
	size_t model_count;                       /* at least 1 */
};

/* Opens a bill with one holder. quotas, timers: borrowed. NULL: nothing is limited for that party, or memory ran out
 * (*exhausted). */
struct bill *bill_open(struct quotas *quotas, const struct bill_party *party, struct timers *timers, bool *exhausted);

/* Adds a holder. NULL is harmless, here and below. */
struct bill *bill_hold(struct bill *bill);
/* Takes a holder away; the last one settles. */
void bill_drop(struct bill *bill);

/* What a request that asks backends may come to. */
struct bill_estimate {
	size_t body;         /* bytes of the request */
	int64_t output_most; /* tokens of one choice, as the request says; -1 = it does not */
	int64_t choices;     /* of an answer of one model */
};

/*
 * Takes the request under all limits, or refuses it with *refusal. estimate: NULL = no backend is asked for it, its
 * answer costs a request and no tokens; a later call with an estimate takes the tokens.
 */
bool bill_admit(struct bill *bill, const struct bill_estimate *estimate, struct quota_refusal *refusal);

/*
 * Has the waiter (borrow.h) wait for what Redis may give, after bill_admit() of the same estimate refused with
 * short_only. False: there is nothing to wait for.
 */
bool bill_wait(struct bill *bill, const struct bill_estimate *estimate, struct quota_waiter *waiter);

/* A call that is over. */
struct bill_call {
	const struct config_model *model; /* one of the bill's, for which it was made */
	const struct config_plan *target;
	struct usage usage;
	size_t body;      /* bytes of its request, when the backend read it; 0 = it was refused, or never got there */
	uint64_t outputs; /* tokens of the answer as far as it came, about; for usage that was not told */
};

/* Gives back what was reserved for tokens: others ask the backends. A later bill_admit() takes them again. */
void bill_need_no_calls(struct bill *bill);

/* Returns the tokens that an answer of a model usually has, all its choices; 0 = it is not limited. */
uint64_t bill_usual_outputs(const struct bill *bill, const struct config_model *model);

/* Counts what a call used, or an estimate where the backend did not tell. */
void bill_charge(struct bill *bill, const struct bill_call *call);

/* Tells what was used so far for the model of that place among the party's that are limited. */
void bill_used(const struct bill *bill, size_t index, struct quota_amounts *used);

/* Returns how the limits of the bill stand, at most that many; *count: how many. */
void bill_look(struct bill *bill, struct quota_state *states, size_t most, size_t *count);

#endif
