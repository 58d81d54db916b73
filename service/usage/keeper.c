/* SPDX-License-Identifier: MIT */
/* The thread that has the record of use; keeper.h holds the contract. */
#include "service/usage/keeper.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "config/config.h"
#include "lib/container.h"
#include "lib/log.h"
#include "lib/reactor.h"

enum { STORE_WAIT_MS = 3000, DAY_S = 86400 };

#define STORE_EVERY_US UINT64_C(1000000)
#define LAST_WAIT_US UINT64_C(3000000) /* for the store to answer, before what it lacks is lost */

struct usage_keeper {
	const struct config *config;
	struct loop *loop;
	struct jobs jobs;
	struct usage_store *store;
	pthread_t thread;
	atomic_bool stops, up;
	_Atomic uint64_t lost, rows;
	/* the thread's own */
	struct usage_table unstored;
	uint64_t due_us;  /* when the store is asked next; 0 = there is nothing to ask */
	uint32_t expired; /* the first day that is kept */
	bool told_down;   /* it was logged that the store does not answer */
	struct loop_message stop;
};

uint32_t usage_today(void)
{
	return (uint32_t)(time(NULL) / DAY_S);
}

static uint64_t now_us(struct usage_keeper *keeper)
{
	return timers_refresh(&loop_reactor(keeper->loop)->timers);
}

/* ---- storing ---- */

static void log_down(struct usage_keeper *keeper)
{
	struct log_line line;
	if (keeper->told_down)
		return;
	keeper->told_down = true;
	log_begin(&line, LOG_WARN, "the store of usage does not answer");
	log_str(&line, "error", span_of(usage_store_why(keeper->store)));
	log_end(&line);
}

static void log_up(struct usage_keeper *keeper)
{
	struct log_line line;
	if (!keeper->told_down)
		return;
	keeper->told_down = false;
	log_begin(&line, LOG_INFO, "the store of usage answers");
	log_end(&line);
}

static uint64_t unstored(const struct usage_keeper *keeper)
{
	return keeper->unstored.count + usage_store_waiting(keeper->store);
}

static void settle(struct usage_keeper *keeper, bool up)
{
	if (up)
		log_up(keeper);
	else
		log_down(keeper);
	atomic_store(&keeper->up, up);
	atomic_store(&keeper->rows, usage_store_rows(keeper->store) + unstored(keeper));
}

/* Removes what is too old, once a day. */
static bool expire(struct usage_keeper *keeper)
{
	uint32_t today = usage_today(), days = keeper->config->usage.days;
	uint32_t first = today >= days ? today - days + 1 : 0;
	if (first == keeper->expired)
		return true;
	bool good = usage_store_expire(keeper->store, first);
	if (good)
		keeper->expired = first;
	return good;
}

/* Stores what is not stored. False: the store does not answer, and all of it waits. */
static bool store(struct usage_keeper *keeper)
{
	bool good = (unstored(keeper) == 0 || usage_store_add(keeper->store, &keeper->unstored)) && expire(keeper);
	settle(keeper, good);
	keeper->due_us = good && unstored(keeper) == 0 ? 0 : now_us(keeper) + STORE_EVERY_US;
	return good;
}

/* ---- what workers recorded ---- */

void usage_keeper_lose(struct usage_keeper *keeper, uint64_t rows)
{
	atomic_fetch_add(&keeper->lost, rows);
}

static void on_batch(struct loop_message *message)
{
	struct usage_batch *batch = container_of(message, struct usage_batch, message);
	struct usage_keeper *keeper = batch->keeper;
	for (size_t i = 0; i < batch->table.size; i++) {
		const struct usage_row *row = batch->table.slots[i];
		if (row != NULL && !usage_table_add(&keeper->unstored, &row->subject, &row->counts))
			usage_keeper_lose(keeper, 1);
	}
	if (keeper->due_us == 0)
		keeper->due_us = now_us(keeper) + STORE_EVERY_US;
	usage_table_fini(&batch->table);
	if (batch->on_way != NULL)
		atomic_fetch_sub(batch->on_way, 1);
	free(batch);
}

void usage_keeper_take(struct usage_keeper *keeper, struct usage_batch *batch, atomic_uint *on_way)
{
	batch->keeper = keeper;
	batch->on_way = on_way;
	if (on_way != NULL)
		atomic_fetch_add(on_way, 1);
	batch->message.run = on_batch;
	loop_post(keeper->loop, &batch->message);
}

/* ---- questions ---- */

/* While the store is known not to answer, nobody waits for it. */
static bool is_left_alone(struct usage_keeper *keeper)
{
	return !atomic_load(&keeper->up) && keeper->due_us > now_us(keeper);
}

static void answer(struct usage_keeper *keeper, struct usage_question *question)
{
	if (!is_left_alone(keeper) && store(keeper)) {
		usage_question_answer(question, keeper->store);
		return;
	}
	question->error = ERROR_USAGE_STORE;
	question->message = arena_printf(&question->arena, "The record of use cannot be read: %s. Try again later.",
					 usage_store_why(keeper->store));
}

static void run_jobs(struct usage_keeper *keeper)
{
	for (struct job *job; (job = jobs_take(&keeper->jobs)) != NULL; jobs_end(job))
		answer(keeper, &container_of(job, struct usage_job, job)->question);
}

/* ---- the thread ---- */

static uint64_t wait_us(struct usage_keeper *keeper)
{
	uint64_t at_us = now_us(keeper);
	if (keeper->due_us == 0)
		return STORE_EVERY_US;
	return keeper->due_us > at_us ? keeper->due_us - at_us : 0;
}

/* What memory alone has goes with the process anyway. */
static void store_rest(struct usage_keeper *keeper)
{
	struct log_line line;
	if (keeper->config->usage.store == CONFIG_USAGE_NONE)
		return;
	uint64_t until_us = now_us(keeper) + LAST_WAIT_US;
	while (!store(keeper) && now_us(keeper) < until_us)
		nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
	uint64_t rows = unstored(keeper);
	if (rows == 0)
		return;
	usage_keeper_lose(keeper, rows);
	log_begin(&line, LOG_ERROR, "usage was lost: its store does not answer");
	log_int(&line, "rows", (int64_t)rows);
	log_str(&line, "error", span_of(usage_store_why(keeper->store)));
	log_end(&line);
}

static void *keeper_main(void *context)
{
	struct usage_keeper *keeper = context;
	store(keeper);
	while (!atomic_load(&keeper->stops)) {
		loop_turn(keeper->loop, wait_us(keeper));
		run_jobs(keeper);
		if (keeper->due_us != 0 && now_us(keeper) >= keeper->due_us)
			store(keeper);
	}
	store_rest(keeper);
	return NULL;
}

static void on_stop(struct loop_message *message)
{
	struct usage_keeper *keeper = container_of(message, struct usage_keeper, stop);
	atomic_store(&keeper->stops, true); /* all batches came before it */
}

static void free_all(struct usage_keeper *keeper)
{
	usage_store_destroy(keeper->store);
	if (keeper->loop != NULL)
		loop_destroy(keeper->loop);
	usage_table_fini(&keeper->unstored);
	free(keeper);
}

static struct usage_store *create_store(struct usage_keeper *keeper, struct redis_shared *redis)
{
	const struct config *config = keeper->config;
	struct usage_redis_options options = {.redis = redis,
					      .loop = keeper->loop,
					      .prefix = config->redis.prefix,
					      .most = USAGE_REDIS_DAY_ROWS,
					      .found_most = USAGE_REDIS_FOUND_ROWS,
					      .wait_ms = STORE_WAIT_MS};
	switch ((enum config_usage_store)config->usage.store) {
	case CONFIG_USAGE_REDIS:
		return usage_store_redis_create(&options);
	case CONFIG_USAGE_SQLITE:
		return usage_store_sqlite_create(config->usage.file, USAGE_FILE_ROWS, STORE_WAIT_MS);
	case CONFIG_USAGE_NONE:
		break;
	}
	return usage_store_sqlite_create(NULL, USAGE_MEMORY_ROWS, STORE_WAIT_MS);
}

struct usage_keeper *usage_keeper_create(const struct config *config, struct redis_shared *redis)
{
	struct usage_keeper *keeper = calloc(1, sizeof(*keeper));
	if (keeper == NULL)
		return NULL;
	keeper->config = config;
	usage_table_init(&keeper->unstored, USAGE_UNSTORED_MOST);
	keeper->loop = loop_create();
	jobs_init(&keeper->jobs, keeper->loop, USAGE_JOBS_MOST);
	if (keeper->loop != NULL)
		keeper->store = create_store(keeper, redis);
	if (keeper->store != NULL && pthread_create(&keeper->thread, NULL, keeper_main, keeper) == 0)
		return keeper;
	free_all(keeper);
	return NULL;
}

void usage_keeper_destroy(struct usage_keeper *keeper)
{
	if (keeper == NULL)
		return;
	keeper->stop.run = on_stop;
	loop_post(keeper->loop, &keeper->stop);
	pthread_join(keeper->thread, NULL);
	free_all(keeper);
}

struct jobs *usage_keeper_jobs(struct usage_keeper *keeper)
{
	return &keeper->jobs;
}

uint64_t usage_keeper_rows(struct usage_keeper *keeper)
{
	return atomic_load(&keeper->rows);
}

uint64_t usage_keeper_lost(struct usage_keeper *keeper)
{
	return atomic_load(&keeper->lost);
}

bool usage_keeper_is_up(struct usage_keeper *keeper)
{
	return atomic_load(&keeper->up);
}
