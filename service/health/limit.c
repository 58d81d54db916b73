/* SPDX-License-Identifier: MIT */
/*
 * Locking and wake-ups around the queue (who is next) and the adaptive limit
 * (how many). One mutex per limit; nothing is called while it is held.
 *
 * A waiter belongs to its own loop's thread, which enters, abandons, and runs
 * its timer and its callback. Any thread may settle it: under the mutex it moves
 * from the queue to the mailbox of its loop, and the mailbox is posted to the
 * loop. Waiters are not posted themselves, because one that abandons is gone at
 * once, and a posted message can't be called back.
 *
 *   IDLE → QUEUED → GRANTED or REFUSED → IDLE
 *
 * A place that is GRANTED counts as running, so that nobody else takes it
 * before its waiter is told.
 */
#include "service/health/limit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "lib/container.h"
#include "schemas/metrics.h"
#include "service/health/adaptive_limit.h"
#include "service/health/retry_after.h"

enum {
	LIMIT_INTERVAL_SAMPLES = 16, /* of the average time between two ends */
};

enum waiter_state {
	WAITER_ST_IDLE,    /* neither queued nor in a mailbox */
	WAITER_ST_QUEUED,  /* in the queue */
	WAITER_ST_GRANTED, /* in its mailbox, has a place */
	WAITER_ST_REFUSED  /* in its mailbox, has none */
};

/* What is settled for the waiters of one loop. Lives as long as the limit. */
struct limit_mailbox {
	struct loop_message message; /* first; posted while settled is not empty */
	struct limit *limit;
	struct loop *loop;
	bool posted;
	TAILQ_HEAD(settled_list, limit_waiter) settled;
	SLIST_ENTRY(limit_mailbox) link;
};

struct limit {
	struct config_concurrency options;
	atomic_uint holders;
	pthread_mutex_t mutex; /* of all that follows */
	struct adaptive adaptive;
	struct queue queue;
	unsigned running;
	uint64_t interval_us; /* average between two ends; 0 = not known yet */
	uint64_t left_us;     /* the last end */
	SLIST_HEAD(mailbox_list, limit_mailbox) mailboxes;
};

static struct limit_waiter *waiter_of(struct queue_entry *entry)
{
	return container_of(entry, struct limit_waiter, entry);
}

struct limit *limit_create(const struct config_concurrency *options)
{
	struct limit *limit = calloc(1, sizeof(*limit));
	if (limit == NULL)
		return NULL;
	if (!queue_init(&limit->queue, options->calls == 0 ? 0 : options->queue, options->calls)) {
		free(limit);
		return NULL;
	}
	limit->options = *options;
	limit->holders = 1;
	adaptive_init(&limit->adaptive, options->calls);
	pthread_mutex_init(&limit->mutex, NULL);
	SLIST_INIT(&limit->mailboxes);
	return limit;
}

struct limit *limit_hold(struct limit *limit)
{
	atomic_fetch_add(&limit->holders, 1);
	return limit;
}

bool limit_has_options(const struct limit *limit, const struct config_concurrency *options)
{
	const struct config_concurrency *own = &limit->options;
	return own->calls == options->calls && own->adaptive == options->adaptive && own->queue == options->queue &&
	       own->wait_us == options->wait_us;
}

void limit_drop(struct limit *limit)
{
	struct limit_mailbox *mailbox;
	if (limit == NULL || atomic_fetch_sub(&limit->holders, 1) > 1)
		return;
	while ((mailbox = SLIST_FIRST(&limit->mailboxes)) != NULL) {
		SLIST_REMOVE_HEAD(&limit->mailboxes, link);
		free(mailbox);
	}
	queue_fini(&limit->queue);
	pthread_mutex_destroy(&limit->mutex);
	free(limit);
}

/* Calls allowed now; 0 = no limit. */
static unsigned limit_allowed(const struct limit *limit)
{
	bool adaptive = limit->options.adaptive && limit->options.calls != 0;
	return adaptive ? adaptive_limit(&limit->adaptive) : limit->options.calls;
}

static bool limit_has_room(const struct limit *limit)
{
	unsigned allowed = limit_allowed(limit);
	return allowed == 0 || limit->running < allowed;
}

static void limit_on_mail(struct loop_message *message);

/* Loops are few, one per worker. NULL: out of memory. */
static struct limit_mailbox *limit_mailbox_of(struct limit *limit, struct loop *loop)
{
	struct limit_mailbox *mailbox;
	SLIST_FOREACH(mailbox, &limit->mailboxes, link)
	if (mailbox->loop == loop)
		return mailbox;
	mailbox = calloc(1, sizeof(*mailbox));
	if (mailbox == NULL)
		return NULL;
	mailbox->message.run = limit_on_mail;
	mailbox->limit = limit;
	mailbox->loop = loop;
	TAILQ_INIT(&mailbox->settled);
	SLIST_INSERT_HEAD(&limit->mailboxes, mailbox, link);
	return mailbox;
}

/* The waiter is out of the queue; its loop will tell it. */
static void waiter_settle(struct limit_waiter *waiter, enum waiter_state state)
{
	struct limit_mailbox *mailbox = waiter->mailbox;
	waiter->state = state;
	TAILQ_INSERT_TAIL(&mailbox->settled, waiter, link);
	if (mailbox->posted)
		return;
	mailbox->posted = true;
	loop_post(mailbox->loop, &mailbox->message);
}

/* Gives free places to those who are next. One whose time is up gets none: its timer is about to say so. */
static void limit_grant(struct limit *limit, uint64_t now_us)
{
	struct queue_entry *entry;
	struct queue_lane *place;
	queue_advance(&limit->queue, now_us);
	while (limit_has_room(limit) && (entry = queue_pop(&limit->queue, &place)) != NULL) {
		struct limit_waiter *waiter = waiter_of(entry);
		bool late = queue_is_late(entry, now_us);
		limit->running += late ? 0 : 1;
		waiter->place = place;
		if (late)
			queue_decline(&limit->queue, place);
		waiter_settle(waiter, late ? WAITER_ST_REFUSED : WAITER_ST_GRANTED);
	}
}

static bool limit_make_room(struct limit *limit, const struct limit_waiter *newcomer)
{
	if (limit->queue.count < limit->queue.capacity)
		return true;
	struct queue_entry *entry = queue_yield(&limit->queue, &newcomer->party);
	if (entry == NULL)
		return false;
	waiter_of(entry)->displaced = true;
	waiter_settle(waiter_of(entry), WAITER_ST_REFUSED);
	return true;
}

static enum limit_verdict limit_enter_locked(struct limit *limit, struct limit_waiter *waiter, uint64_t now_us)
{
	queue_advance(&limit->queue, now_us);
	if (limit->queue.count == 0 && limit_has_room(limit)) {
		limit->running++;
		waiter->place = queue_begin(&limit->queue, &waiter->party);
		return LIMIT_GO;
	}
	waiter->limit = limit;
	waiter->displaced = false;
	waiter->queued_us = now_us;
	waiter->entry.due_us = queue_due_us(limit->options.wait_us, waiter->deadline_us, now_us);
	waiter->mailbox = limit_mailbox_of(limit, waiter->loop);
	if (queue_is_late(&waiter->entry, now_us) || waiter->mailbox == NULL || !limit_make_room(limit, waiter))
		return LIMIT_FULL;
	if (!queue_push(&limit->queue, &waiter->entry, &waiter->party))
		return LIMIT_FULL;
	waiter->state = WAITER_ST_QUEUED;
	return LIMIT_QUEUED;
}

/* On the waiter's thread: the wait is over, and nobody else knows the waiter any more. */
static void waiter_count_end(struct limit_waiter *waiter, uint64_t now_us)
{
	metrics_move(waiter->metrics, -1, METRIC_QUEUE_WAITING, waiter->backend);
	metrics_observe(waiter->metrics, now_us > waiter->queued_us ? now_us - waiter->queued_us : 0, METRIC_QUEUE_WAIT,
			waiter->backend);
}

static void waiter_tell(struct limit_waiter *waiter, bool admitted)
{
	struct timers *timers = &loop_reactor(waiter->loop)->timers;
	timer_stop(timers, &waiter->timer);
	waiter_count_end(waiter, timers_now(timers));
	if (!admitted)
		metrics_count(waiter->metrics, METRIC_QUEUE_REFUSED, waiter->backend,
			      waiter->displaced ? METRICS_WAIT_DISPLACED : METRICS_WAIT_TIMEOUT);
	waiter->on_settled(waiter, admitted);
}

/* Takes the next settled waiter of a mailbox. NULL: there is none, and the message may be posted again. */
static struct limit_waiter *mailbox_take(struct limit_mailbox *mailbox, bool *admitted)
{
	pthread_mutex_lock(&mailbox->limit->mutex);
	struct limit_waiter *waiter = TAILQ_FIRST(&mailbox->settled);
	if (waiter != NULL) {
		TAILQ_REMOVE(&mailbox->settled, waiter, link);
		*admitted = waiter->state == WAITER_ST_GRANTED;
		waiter->state = WAITER_ST_IDLE;
	} else {
		mailbox->posted = false;
	}
	pthread_mutex_unlock(&mailbox->limit->mutex);
	return waiter;
}

static void limit_on_mail(struct loop_message *message)
{
	struct limit_mailbox *mailbox = (struct limit_mailbox *)message;
	struct limit_waiter *waiter;
	bool admitted = false;
	while ((waiter = mailbox_take(mailbox, &admitted)) != NULL)
		waiter_tell(waiter, admitted);
}

/* Its time is up, unless it was settled a moment ago: then the mail is on its way, and says more. */
static void limit_on_due(struct timer *timer)
{
	struct limit_waiter *waiter = container_of(timer, struct limit_waiter, timer);
	struct limit *limit = waiter->limit;
	pthread_mutex_lock(&limit->mutex);
	bool late = waiter->state == WAITER_ST_QUEUED;
	if (late) {
		queue_remove(&limit->queue, &waiter->entry);
		waiter->state = WAITER_ST_IDLE;
	}
	pthread_mutex_unlock(&limit->mutex);
	if (late)
		waiter_tell(waiter, false);
}

/* Out of the queue or the mailbox. True: it waited. */
static bool waiter_withdraw(struct limit_waiter *waiter, uint64_t now_us)
{
	struct limit *limit = waiter->limit;
	pthread_mutex_lock(&limit->mutex);
	enum waiter_state state = waiter->state;
	waiter->state = WAITER_ST_IDLE;
	if (state == WAITER_ST_QUEUED)
		queue_remove(&limit->queue, &waiter->entry);
	else if (state != WAITER_ST_IDLE)
		TAILQ_REMOVE(&waiter->mailbox->settled, waiter, link);
	if (state == WAITER_ST_GRANTED) {
		limit->running--;
		queue_advance(&limit->queue, now_us);
		queue_end(&limit->queue, waiter->place);
		limit_grant(limit, now_us);
	}
	pthread_mutex_unlock(&limit->mutex);
	timer_stop(&loop_reactor(waiter->loop)->timers, &waiter->timer);
	return state != WAITER_ST_IDLE;
}

enum limit_verdict limit_enter(struct limit *limit, struct limit_waiter *waiter, uint64_t now_us)
{
	pthread_mutex_lock(&limit->mutex);
	enum limit_verdict verdict = limit_enter_locked(limit, waiter, now_us);
	pthread_mutex_unlock(&limit->mutex);
	/* Settled already, perhaps; but told on this thread only, so there is time to start the timer. */
	if (verdict == LIMIT_QUEUED && !timer_start(&loop_reactor(waiter->loop)->timers, &waiter->timer,
						    waiter->entry.due_us - now_us, limit_on_due)) {
		waiter_withdraw(waiter, now_us);
		verdict = LIMIT_FULL;
	}
	if (verdict == LIMIT_QUEUED)
		metrics_move(waiter->metrics, 1, METRIC_QUEUE_WAITING, waiter->backend);
	else if (verdict == LIMIT_FULL)
		metrics_count(waiter->metrics, METRIC_QUEUE_REFUSED, waiter->backend, METRICS_WAIT_FULL);
	return verdict;
}

void limit_abandon(struct limit_waiter *waiter, uint64_t now_us)
{
	if (waiter->limit == NULL || !waiter_withdraw(waiter, now_us))
		return;
	waiter_count_end(waiter, now_us);
	metrics_count(waiter->metrics, METRIC_QUEUE_REFUSED, waiter->backend, METRICS_WAIT_LEFT);
}

static void limit_note_end(struct limit *limit, uint64_t now_us)
{
	if (limit->left_us != 0 && now_us > limit->left_us) {
		uint64_t sample = now_us - limit->left_us;
		limit->interval_us =
		    limit->interval_us == 0
			? sample
			: (limit->interval_us * (LIMIT_INTERVAL_SAMPLES - 1) + sample) / LIMIT_INTERVAL_SAMPLES;
	}
	limit->left_us = now_us;
}

void limit_leave(struct limit *limit, struct queue_lane *place, uint64_t first_content_us, bool overloaded,
		 uint64_t now_us)
{
	pthread_mutex_lock(&limit->mutex);
	if (overloaded)
		adaptive_overload(&limit->adaptive, now_us);
	else if (first_content_us != 0)
		adaptive_sample(&limit->adaptive, first_content_us, limit->running);
	limit->running--;
	queue_advance(&limit->queue, now_us);
	queue_end(&limit->queue, place);
	limit_note_end(limit, now_us);
	limit_grant(limit, now_us);
	pthread_mutex_unlock(&limit->mutex);
}

void limit_report(struct limit *limit, struct limit_report *report)
{
	pthread_mutex_lock(&limit->mutex);
	*report = (struct limit_report){
	    .limit = limit_allowed(limit), .running = limit->running, .waiting = (unsigned)limit->queue.count};
	pthread_mutex_unlock(&limit->mutex);
}

size_t limit_report_tenants(struct limit *limit, struct queue_tenant_report *reports, size_t most)
{
	pthread_mutex_lock(&limit->mutex);
	size_t count = queue_report_tenants(&limit->queue, reports, most);
	pthread_mutex_unlock(&limit->mutex);
	return count;
}

uint64_t limit_estimate_us(struct limit *limit, uint64_t now_us)
{
	pthread_mutex_lock(&limit->mutex);
	uint64_t interval_us = limit->interval_us;
	uint64_t silence_us = limit->left_us != 0 && now_us > limit->left_us ? now_us - limit->left_us : 0;
	size_t before = limit->queue.count;
	pthread_mutex_unlock(&limit->mutex);
	if (silence_us > interval_us)
		interval_us = silence_us; /* they have become slower since */
	return retry_after_place_us(interval_us, before);
}
