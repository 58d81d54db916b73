/* SPDX-License-Identifier: MIT */
/* The thread that reads and writes the store; keeper.h holds the contract. */
#include "service/access/keeper.h"

#include <pthread.h>
#include <stdlib.h>

#include "config/config.h"
#include "lib/container.h"
#include "lib/log.h"
#include "lib/reactor.h"

enum {
	STORE_WAIT_MS = 3000 /* for one answer of the store */
};

#define FULL_EVERY_US UINT64_C(300000000) /* what went unseen in some other way is seen then */

struct keeper {
	const struct config *config;
	struct loop *loop;
	struct jobs jobs;
	struct key_book *book;
	struct key_feed feed;
	pthread_t thread;
	atomic_bool stops, up, looked;
	atomic_size_t count;  /* keys of the copy */
	pthread_mutex_t lock; /* of looked */
	pthread_cond_t look;
	/* the thread's own */
	struct key_copy *published;
	uint64_t due_us, full_us; /* the next looks */
	bool told_down;           /* it was logged that the store does not answer */
	struct loop_message stop;
};

static uint64_t now_us(struct keeper *keeper)
{
	return timers_refresh(&loop_reactor(keeper->loop)->timers);
}

/* ---- looking ---- */

static void log_down(struct keeper *keeper)
{
	struct log_line line;
	if (keeper->told_down)
		return;
	keeper->told_down = true;
	log_begin(&line, LOG_WARN, "the store of keys does not answer");
	log_str(&line, "error", span_of(key_book_why(keeper->book)));
	log_ms(&line, "grace_ms", keeper->config->auth.grace_us);
	log_end(&line);
}

static void log_up(struct keeper *keeper)
{
	struct log_line line;
	if (atomic_load(&keeper->up))
		return;
	keeper->told_down = false;
	log_begin(&line, LOG_INFO, "the store of keys answers");
	log_int(&line, "keys", (int64_t)key_book_copy(keeper->book)->count);
	log_end(&line);
}

/* Gives the workers what the book has. asked_us: the store had nothing else then; 0: it did not answer. */
static void publish(struct keeper *keeper, uint64_t asked_us)
{
	struct key_copy *copy = key_book_copy(keeper->book);
	if (copy != keeper->published) {
		key_feed_publish(&keeper->feed, copy);
		keeper->published = copy;
		atomic_store(&keeper->count, copy->count);
	}
	if (asked_us != 0)
		key_feed_confirm(&keeper->feed, asked_us);
}

/* Takes notice of how the store answered what it was asked at that time. */
static void settle(struct keeper *keeper, uint64_t asked_us)
{
	bool up = key_book_answered(keeper->book);
	if (up)
		log_up(keeper);
	else
		log_down(keeper);
	publish(keeper, up ? asked_us : 0);
	atomic_store(&keeper->up, up);
}

static void look(struct keeper *keeper)
{
	uint64_t asked_us = now_us(keeper);
	bool all = asked_us >= keeper->full_us;
	if (key_book_refresh(keeper->book, all) && all)
		keeper->full_us = asked_us + FULL_EVERY_US;
	settle(keeper, asked_us);
	keeper->due_us = now_us(keeper) + keeper->config->auth.refresh_us;
}

/* ---- jobs ---- */

static void log_change(const struct key_task *task)
{
	static const char *const messages[] = {[KEY_CREATE] = "a key was made",
					       [KEY_CHANGE] = "a key was changed",
					       [KEY_ROTATE] = "a key got a new secret",
					       [KEY_REVOKE] = "a key was revoked"};
	struct log_line line;
	if (task->error != ERROR_NONE || task->operation == KEY_LIST || task->operation == KEY_SHOW)
		return;
	log_begin(&line, LOG_INFO, messages[task->operation]);
	log_str(&line, "key", task->id);
	log_end(&line);
}

static void run_jobs(struct keeper *keeper)
{
	for (struct job *job; (job = jobs_take(&keeper->jobs)) != NULL;) {
		struct key_task *task = &container_of(job, struct keeper_job, job)->task;
		uint64_t asked_us = now_us(keeper);
		key_book_run(keeper->book, task);
		settle(keeper, asked_us);
		log_change(task);
		jobs_end(job);
	}
}

/* ---- the thread ---- */

static void tell_looked(struct keeper *keeper)
{
	pthread_mutex_lock(&keeper->lock);
	atomic_store(&keeper->looked, true);
	pthread_cond_signal(&keeper->look);
	pthread_mutex_unlock(&keeper->lock);
}

static void *keeper_main(void *context)
{
	struct keeper *keeper = context;
	look(keeper);
	tell_looked(keeper);
	while (!atomic_load(&keeper->stops)) {
		uint64_t at_us = now_us(keeper);
		loop_turn(keeper->loop, keeper->due_us > at_us ? keeper->due_us - at_us : 0);
		run_jobs(keeper);
		if (now_us(keeper) >= keeper->due_us)
			look(keeper);
	}
	return NULL;
}

static void on_stop(struct loop_message *message)
{
	(void)message; /* it has woken the thread */
}

static bool start(struct keeper *keeper)
{
	if (pthread_create(&keeper->thread, NULL, keeper_main, keeper) != 0)
		return false;
	pthread_mutex_lock(&keeper->lock);
	while (!atomic_load(&keeper->looked))
		pthread_cond_wait(&keeper->look, &keeper->lock);
	pthread_mutex_unlock(&keeper->lock);
	return true;
}

static void free_all(struct keeper *keeper)
{
	key_book_destroy(keeper->book);
	if (keeper->loop != NULL)
		loop_destroy(keeper->loop);
	key_feed_fini(&keeper->feed);
	pthread_cond_destroy(&keeper->look);
	pthread_mutex_destroy(&keeper->lock);
	free(keeper);
}

struct keeper *keeper_create(const struct config *config, struct redis_shared *redis)
{
	struct keeper *keeper = calloc(1, sizeof(*keeper));
	if (keeper == NULL)
		return NULL;
	keeper->config = config;
	key_feed_init(&keeper->feed);
	pthread_mutex_init(&keeper->lock, NULL);
	pthread_cond_init(&keeper->look, NULL);
	keeper->loop = loop_create();
	jobs_init(&keeper->jobs, keeper->loop, KEEPER_JOBS_MOST);
	if (keeper->loop != NULL) {
		struct key_store_options options = {
		    .config = config, .redis = redis, .loop = keeper->loop, .wait_ms = STORE_WAIT_MS};
		keeper->book = key_book_create(&options);
	}
	if (keeper->book != NULL && start(keeper))
		return keeper;
	free_all(keeper);
	return NULL;
}

void keeper_destroy(struct keeper *keeper)
{
	if (keeper == NULL)
		return;
	atomic_store(&keeper->stops, true);
	keeper->stop.run = on_stop;
	loop_post(keeper->loop, &keeper->stop);
	pthread_join(keeper->thread, NULL);
	free_all(keeper);
}

struct jobs *keeper_jobs(struct keeper *keeper)
{
	return &keeper->jobs;
}

struct key_feed *keeper_feed(struct keeper *keeper)
{
	return &keeper->feed;
}

size_t keeper_count(struct keeper *keeper)
{
	return atomic_load(&keeper->count);
}

bool keeper_is_up(struct keeper *keeper)
{
	return atomic_load(&keeper->up);
}
