/* SPDX-License-Identifier: MIT */
/* A worker's records; recorder.h holds the contract. */
#include "service/usage/recorder.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "config/config.h"
#include "lib/container.h"
#include "schemas/request.h"
#include "service/quotas/bill.h"
#include "service/usage/keeper.h"

enum { HAND_OVER_US = 1000000, TOKEN_BYTES = 4 /* of a request, about */ };

struct usage_recorder {
	struct usage_keeper *keeper;
	struct loop *loop;
	const struct prices *prices;
	struct usage_batch *batch; /* NULL = nothing was recorded since the last one went */
	struct timer due;
	atomic_uint on_way; /* batches that the keeper has not taken; its thread counts down */
};

static void on_due(struct timer *timer);

static void start_timer(struct usage_recorder *recorder)
{
	timer_start(&loop_reactor(recorder->loop)->timers, &recorder->due, HAND_OVER_US, on_due);
}

/* While the one before is not taken, there is time. */
static void on_due(struct timer *timer)
{
	struct usage_recorder *recorder = container_of(timer, struct usage_recorder, due);
	if (atomic_load(&recorder->on_way) > 0) {
		start_timer(recorder);
		return;
	}
	usage_keeper_take(recorder->keeper, recorder->batch, &recorder->on_way);
	recorder->batch = NULL;
}

/* Returns the table to record in; NULL: out of memory. */
static struct usage_table *table_of(struct usage_recorder *recorder)
{
	if (recorder->batch == NULL) {
		recorder->batch = calloc(1, sizeof(*recorder->batch));
		if (recorder->batch == NULL)
			return NULL;
		usage_table_init(&recorder->batch->table, USAGE_RECORDER_ROWS);
	}
	if (!timer_is_running(&recorder->due)) /* out of memory for it: the next one tries again */
		start_timer(recorder);
	return &recorder->batch->table;
}

struct usage_recorder *usage_recorder_create(struct usage_keeper *keeper, struct loop *loop,
					     const struct prices *prices)
{
	struct usage_recorder *recorder = calloc(1, sizeof(*recorder));
	if (recorder == NULL)
		return NULL;
	recorder->keeper = keeper;
	recorder->loop = loop;
	recorder->prices = prices;
	return recorder;
}

/* The keeper's thread still runs, so that what is on its way arrives. */
void usage_recorder_destroy(struct usage_recorder *recorder)
{
	if (recorder == NULL)
		return;
	timer_stop(&loop_reactor(recorder->loop)->timers, &recorder->due);
	if (recorder->batch != NULL)
		usage_keeper_take(recorder->keeper, recorder->batch, NULL);
	while (atomic_load(&recorder->on_way) > 0)
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	free(recorder);
}

static void record(struct usage_recorder *recorder, const struct request *request, const struct config_model *model,
		   const char *target, const struct usage_counts *counts)
{
	struct usage_subject subject = {.day = usage_today(),
					.hash = request->payer_hash,
					.key = request->key,
					.tenant = request->tenant,
					.model = model == NULL ? NULL : model->name,
					.target = target};
	struct usage_table *table = table_of(recorder);
	if (table == NULL || !usage_table_add(table, &subject, counts))
		usage_keeper_lose(recorder->keeper, 1);
}

void usage_record_request(struct usage_recorder *recorder, const struct request *request,
			  const struct config_model *model, const char *target)
{
	struct usage_counts counts = {.of = {[USAGE_REQUESTS] = 1}};
	if (recorder != NULL)
		record(recorder, request, model, target, &counts);
}

void usage_record_call(struct usage_recorder *recorder, const struct request *request, const struct bill_call *call)
{
	struct price_tokens tokens;
	if (recorder == NULL)
		return;
	bool told = price_tokens_told(&call->usage, &tokens);
	if (!told && call->body > 0) {
		tokens.input = (call->body + TOKEN_BYTES - 1) / TOKEN_BYTES;
		tokens.output = call->outputs;
	}
	bool counts_money = recorder->prices != NULL && (told || call->body > 0);
	struct usage_counts counts = {
	    .of = {[USAGE_CALLS] = 1,
		   [USAGE_ESTIMATED] = !told && call->body > 0,
		   [USAGE_INPUT] = tokens.input,
		   [USAGE_CACHE_READ] = tokens.cache_read,
		   [USAGE_CACHE_WRITE] = tokens.cache_write,
		   [USAGE_OUTPUT] = tokens.output,
		   [USAGE_SPEND] = counts_money ? prices_of(recorder->prices, call->target, &tokens) : 0}};
	record(recorder, request, call->model, call->target->target, &counts);
}
