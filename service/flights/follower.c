/* SPDX-License-Identifier: MIT */
/* A follower of a shared flight: it reads the events at its own pace; shared_internal.h holds the contract. */
#include "lib/container.h"
#include "service/flights/shared_internal.h"

/* Limits of what a follower receives in one turn of its loop: one that joins late has much to catch up on. */
enum { FOLLOWER_EVENTS = 256, FOLLOWER_BYTES = 256 << 10 };

static void follower_free(struct follower *follower)
{
	shared_release(follower->shared);
	free(follower);
}

/* It left, and nothing of it is up the stack. */
static void follower_go(struct follower *follower)
{
	struct shared *shared = follower->shared;
	struct follower **link = &shared->followers;
	pthread_mutex_lock(&shared->lock);
	while (*link != follower)
		link = &(*link)->next;
	*link = follower->next;
	bool woken = follower->woken;
	pthread_mutex_unlock(&shared->lock);
	follower->gone = true;
	shared_reconsider(shared, follower->worker);
	if (!woken)
		follower_free(follower);
}

static void follower_cut_off(struct follower *follower)
{
	struct failure failure = failure_of(ERROR_CLIENT_TOO_SLOW);
	struct event event = {.kind = EVENT_ERROR, .failure = &failure};
	follower->ended = true;
	follower->to->on_event(follower->to, &event);
}

/* The next event for it, if it may have one. *cut: it is too far behind instead. */
static const struct flight_record *follower_next(const struct follower *follower, bool *cut)
{
	pthread_mutex_lock(&follower->shared->lock);
	*cut = follower->cut;
	const struct flight_record *record = follower->paused ? NULL : follower->todo;
	pthread_mutex_unlock(&follower->shared->lock);
	return record;
}

static void follower_done(struct follower *follower, const struct flight_record *record)
{
	pthread_mutex_lock(&follower->shared->lock);
	follower->seen = record->number;
	follower->seen_bytes = record->behind;
	follower->todo = record->next;
	bool caught_up = follower->behind && follower->shared->log.bytes - record->behind < SHARED_LAG_MOST / 2;
	follower->behind &= !caught_up;
	pthread_mutex_unlock(&follower->shared->lock);
	if (caught_up)
		shared_reconsider(follower->shared, follower->worker);
}

void follower_deliver(struct follower *follower)
{
	uint64_t begun_at = follower->seen_bytes;
	unsigned events = 0;
	follower->busy++;
	while (follower->to != NULL && !follower->ended) {
		bool cut = false;
		const struct flight_record *record = follower_next(follower, &cut);
		if (cut) {
			follower_cut_off(follower);
			break;
		}
		if (record == NULL)
			break;
		follower->ended = record->event.kind == EVENT_END || record->event.kind == EVENT_ERROR;
		follower->to->on_event(follower->to, &record->event);
		follower_done(follower, record);
		if (++events == FOLLOWER_EVENTS || follower->seen_bytes - begun_at >= FOLLOWER_BYTES) {
			follower->rests = true; /* what is left has turns of its own */
			follower_wake(follower);
			break;
		}
	}
	if (--follower->busy == 0 && follower->to == NULL)
		follower_go(follower);
}

static void on_wake(struct loop_message *message)
{
	struct follower *follower = container_of(message, struct follower, wake);
	pthread_mutex_lock(&follower->shared->lock);
	follower->woken = follower->rests = false;
	pthread_mutex_unlock(&follower->shared->lock);
	if (follower->gone)
		follower_free(follower);
	else if (follower->busy == 0)
		follower_deliver(follower);
}

void follower_wake(struct follower *follower)
{
	pthread_mutex_lock(&follower->shared->lock);
	bool woken = follower->woken;
	follower->woken = true;
	pthread_mutex_unlock(&follower->shared->lock);
	if (!woken)
		loop_post(follower->worker->plan.loop, &follower->wake);
}

void follower_pause(struct follower *follower, bool paused)
{
	pthread_mutex_lock(&follower->shared->lock);
	follower->paused = paused;
	pthread_mutex_unlock(&follower->shared->lock);
	shared_reconsider(follower->shared, follower->worker);
	if (!paused)
		follower_wake(follower);
}

unsigned follower_attempts(const struct follower *follower)
{
	return atomic_load_explicit(&follower->shared->attempts, memory_order_relaxed);
}

bool follower_runs_here(const struct follower *follower)
{
	return atomic_load_explicit(&follower->shared->runs_here, memory_order_relaxed);
}

/* What another replica sent is not known, unless only the same may be sent. */
bool follower_may_differ(const struct follower *follower)
{
	const struct shared *shared = follower->shared;
	bool same = memcmp(follower->asked, shared->asked, sizeof(follower->asked)) == 0;
	return !shared->by_bytes && (!same || !follower_runs_here(follower));
}

bool follower_is_charged_to(const struct follower *follower, uint32_t party)
{
	return follower->shared->party == party;
}

void follower_leave(struct follower *follower)
{
	follower->to = NULL;
	if (follower->busy == 0)
		follower_go(follower);
}

struct follower *follower_create(struct flight_worker *worker, struct flight_subscriber *subscriber)
{
	struct follower *follower = calloc(1, sizeof(*follower));
	if (follower != NULL)
		*follower = (struct follower){.worker = worker, .to = subscriber, .wake = {.run = on_wake}};
	return follower;
}
