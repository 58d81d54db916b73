/* SPDX-License-Identifier: MIT */
/* The bill of a request; bill.h holds the contract. */
#include "service/quotas/bill.h"

#include <stdlib.h>
#include <time.h>

#include "config/combinators.h"
#include "service/quotas/borrow.h"

static const double of_text = 0.3; /* tokens of a byte */

/* What is counted for one model. */
struct share {
	const struct config_model *model;
	struct quota_habit habit; /* when the bill was opened */
	bool guessed;             /* a call did not tell its usage */
};

struct bill {
	unsigned holders;
	struct quotas *quotas;
	struct timers *timers;
	bool taken;       /* the request itself was admitted */
	bool estimated;   /* and its tokens */
	size_t body;      /* bytes of the request, then */
	uint64_t choices; /* of an answer, then */
	size_t count;
	struct share *shares; /* beside the parts */
	struct quota_part parts[];
};

static struct quota_now now_of(struct timers *timers)
{
	return (struct quota_now){.us = timers_now(timers), .s = (uint64_t)time(NULL)};
}

static struct bill *bill_create(struct quotas *quotas, struct timers *timers, size_t count)
{
	/* parts and shares are set one by one: calloc(), and malloc() with memset(), pass the thread's own cache by */
	struct bill *bill = malloc(sizeof(*bill) + count * (sizeof(struct quota_part) + sizeof(struct share)));
	if (bill == NULL)
		return NULL;
	*bill = (struct bill){.holders = 1, .quotas = quotas, .timers = timers, .choices = 1};
	bill->shares = (struct share *)(void *)&bill->parts[count];
	return bill;
}

struct bill *bill_open(struct quotas *quotas, const struct bill_party *party, struct timers *timers, bool *exhausted)
{
	struct bill *bill = NULL;
	*exhausted = false;
	for (size_t i = 0; i < party->model_count && !*exhausted; i++) {
		const struct config_model *model = party->models[i];
		struct quota_habit habit;
		struct quota_subject *subject =
		    quotas_find(quotas, party->key, model, now_of(timers), &habit, exhausted);
		if (subject == NULL)
			continue;
		if (bill == NULL)
			bill = bill_create(quotas, timers, party->model_count);
		*exhausted = bill == NULL;
		if (bill == NULL) {
			quotas_drop(quotas, subject);
		} else {
			bill->shares[bill->count] = (struct share){.model = model, .habit = habit};
			bill->parts[bill->count++] = (struct quota_part){
			    .subject = subject, .calls = combinators_calls(model == NULL ? NULL : model->plan)};
		}
	}
	if (!*exhausted)
		return bill;
	bill_drop(bill);
	return NULL;
}

struct bill *bill_hold(struct bill *bill)
{
	if (bill != NULL)
		bill->holders++;
	return bill;
}

void bill_drop(struct bill *bill)
{
	if (bill == NULL || --bill->holders > 0)
		return;
	const struct quota_end end = {.taken = bill->taken, .body = bill->body, .choices = bill->choices};
	quotas_close(bill->quotas, bill->parts, bill->count, now_of(bill->timers), &end);
	free(bill);
}

/* Fills in what depends on input and output. */
static void set_tokens(struct quota_amounts *amounts, uint64_t input, uint64_t output)
{
	amounts->of[QUOTA_INPUT_TOKENS] = input;
	amounts->of[QUOTA_OUTPUT_TOKENS] = output;
	amounts->of[QUOTA_TOKENS] = input + output;
}

static uint64_t tokens_in(size_t body, double per_byte)
{
	double tokens = per_byte * (double)body;
	return tokens < 1 ? 1 : (uint64_t)tokens;
}

/* Tokens of a request's body. */
static uint64_t input_of(const struct quota_habit *habit, size_t body)
{
	return tokens_in(body, habit->tokens_per_byte);
}

/* Those that it surely has: what is learned beyond those of a text may be of pictures, by which texts are not judged.
 */
static uint64_t sure_input_of(const struct quota_habit *habit, size_t body)
{
	return tokens_in(body, habit->tokens_per_byte < of_text ? habit->tokens_per_byte : of_text);
}

/* What an answer of one model may come to. */
struct output {
	double usual; /* tokens of a choice: what the request says, or what such requests usually come to when that is
			 less */
	double most;  /* tokens of a choice: what the request says, or what hardly any answer was above */
};

static struct output output_of(const struct quota_habit *habit, const struct bill_estimate *estimate)
{
	enum { UNANNOUNCED = 4096, SENSIBLE = 1000000000 };
	double most = habit->largest > UNANNOUNCED ? habit->largest : UNANNOUNCED;
	if (estimate->output_most >= 0)
		most = estimate->output_most < SENSIBLE ? (double)estimate->output_most : SENSIBLE;
	return (struct output){.usual = habit->output < most ? habit->output : most, .most = most};
}

static uint64_t spend_of(const struct bill *bill, const struct config_plan *plan, uint64_t input, uint64_t output)
{
	return prices_most(quotas_prices(bill->quotas), plan, &(struct price_tokens){.input = input, .output = output});
}

static void estimate_part(struct bill *bill, size_t index, const struct bill_estimate *estimate)
{
	struct quota_part *part = &bill->parts[index];
	const struct config_model *model = bill->shares[index].model;
	const struct quota_habit *habit = &bill->shares[index].habit;
	const struct config_plan *plan = model == NULL ? NULL : model->plan;
	struct output one = output_of(habit, estimate);
	double times = (double)(estimate->choices < 1 ? 1 : estimate->choices) * (double)part->calls;
	uint64_t input = input_of(habit, estimate->body) * part->calls;
	uint64_t sure_input = sure_input_of(habit, estimate->body) * part->calls;
	uint64_t output = (uint64_t)(one.usual * times), most = (uint64_t)(one.most * times);
	uint64_t sure = most > output ? 0 : output;
	set_tokens(&part->reserved, input, output);
	set_tokens(&part->least, sure_input, sure);
	set_tokens(&part->beyond, 0, most - output);
	part->reserved.of[QUOTA_SPEND] = spend_of(bill, plan, input, output);
	part->least.of[QUOTA_SPEND] = spend_of(bill, plan, sure_input, sure);
	part->beyond.of[QUOTA_SPEND] = spend_of(bill, plan, input, most) - part->reserved.of[QUOTA_SPEND];
}

/* Asks for a request of each part, or for none: a request that was taken is not taken again. */
static void set_requests(struct bill *bill, uint64_t count)
{
	for (size_t i = 0; i < bill->count; i++)
		bill->parts[i].reserved.of[QUOTA_REQUESTS] = bill->parts[i].reserved.of[QUOTA_CONCURRENT] = count;
}

static void forget_tokens(struct bill *bill)
{
	for (size_t i = 0; i < bill->count; i++) {
		set_tokens(&bill->parts[i].reserved, 0, 0);
		bill->parts[i].reserved.of[QUOTA_SPEND] = 0;
		bill->parts[i].beyond = (struct quota_amounts){{0}};
	}
}

/* Asks for what the request still lacks. */
static void set_asked(struct bill *bill, const struct bill_estimate *estimate)
{
	set_requests(bill, !bill->taken);
	for (size_t i = 0; estimate != NULL && i < bill->count; i++)
		estimate_part(bill, i, estimate);
}

bool bill_wait(struct bill *bill, const struct bill_estimate *estimate, struct quota_waiter *waiter)
{
	set_asked(bill, estimate);
	bool waits = quotas_wait(bill->quotas, bill->parts, bill->count, now_of(bill->timers), waiter);
	forget_tokens(bill);
	set_requests(bill, bill->taken);
	return waits;
}

bool bill_admit(struct bill *bill, const struct bill_estimate *estimate, struct quota_refusal *refusal)
{
	if (bill == NULL || (bill->taken && (estimate == NULL || bill->estimated)))
		return true;
	set_asked(bill, estimate);
	bool granted = quotas_reserve(bill->quotas, bill->parts, bill->count, now_of(bill->timers), refusal);
	if (!granted)
		forget_tokens(bill);
	bill->taken |= granted;
	set_requests(bill, bill->taken); /* for the end */
	if (!granted || estimate == NULL)
		return granted;
	bill->estimated = true;
	bill->body = estimate->body;
	bill->choices = estimate->choices < 1 ? 1 : (uint64_t)estimate->choices;
	return true;
}

void bill_need_no_calls(struct bill *bill)
{
	if (bill == NULL || !bill->estimated)
		return;
	set_requests(bill, 0);
	for (size_t i = 0; i < bill->count; i++) {
		struct quota_part unused = bill->parts[i];
		unused.used = (struct quota_amounts){{0}};
		quotas_settle(bill->quotas, &unused, 1, now_of(bill->timers));
	}
	forget_tokens(bill);
	set_requests(bill, 1);
	bill->estimated = false;
}

/* The part of a model; their number: it has none. */
static size_t part_of(const struct bill *bill, const struct config_model *model)
{
	for (size_t i = 0; i < bill->count; i++)
		if (bill->shares[i].model == model)
			return i;
	return bill->count;
}

uint64_t bill_usual_outputs(const struct bill *bill, const struct config_model *model)
{
	size_t index = bill == NULL ? 0 : part_of(bill, model);
	return bill == NULL || index == bill->count
		   ? 0
		   : (uint64_t)(bill->shares[index].habit.output * (double)bill->choices);
}

void bill_charge(struct bill *bill, const struct bill_call *call)
{
	size_t index = bill == NULL ? 0 : part_of(bill, call->model);
	if (bill == NULL || index == bill->count)
		return;
	struct quota_part *part = &bill->parts[index];
	struct share *share = &bill->shares[index];
	struct price_tokens tokens;
	bool told = price_tokens_told(&call->usage, &tokens);
	if (!told && call->body > 0) {
		tokens.input = input_of(&share->habit, call->body);
		tokens.output = call->outputs;
	}
	share->guessed |= !told && call->body > 0;
	part->told = (part->told || told) && !share->guessed;
	set_tokens(&part->used, part->used.of[QUOTA_INPUT_TOKENS] + tokens.input,
		   part->used.of[QUOTA_OUTPUT_TOKENS] + tokens.output);
	if (told || call->body > 0)
		part->used.of[QUOTA_SPEND] += prices_of(quotas_prices(bill->quotas), call->target, &tokens);
}

void bill_used(const struct bill *bill, size_t index, struct quota_amounts *used)
{
	*used = bill->parts[index].used;
}

void bill_look(struct bill *bill, struct quota_state *states, size_t most, size_t *count)
{
	*count = 0;
	for (size_t i = 0; bill != NULL && i < bill->count; i++) {
		size_t more = 0;
		quotas_look(bill->quotas, bill->parts[i].subject, now_of(bill->timers), states + *count, most - *count,
			    &more);
		*count += more;
	}
}
