/* SPDX-License-Identifier: MIT */
/* A follower of a shared flight: it reads the events at its own pace; shared_internal.h holds the contract. */
#include "lib/container.h"
#include "service/flights/shared_internal.h"

/* Limits of what a follower receives in one turn of its loop: one that joins late has much to catch up on. */
enum { FOLLOWER_EVENTS = 256, FOLLOWER_BYTES = 256 << 10 };

static void follower_set_state(struct follower *follower, enum follower_state state)
{
#define FROM(st) (1u << FOLLOWER_ST_##st)
	static const unsigned allowed[FOLLOWER_ST_COUNT] = {
	    [FOLLOWER_ST_ENDED] = FROM(FOLLOWING),
	    [FOLLOWER_ST_LEFT] = FROM(FOLLOWING) | FROM(ENDED),
	    [FOLLOWER_ST_GONE] = FROM(LEFT),
	};
#undef FROM
	if ((allowed[state] & 1u << follower->state) == 0)
		__builtin_trap();
	follower->state = state;
}

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
	bool called = follower->call != FOLLOWER_NOT_CALLED;
	pthread_mutex_unlock(&shared->lock);
	follower_set_state(follower, FOLLOWER_ST_GONE);
	shared_reconsider(shared, follower->worker);
	if (!called)
		follower_free(follower);
}

static void follower_cut_off(struct follower *follower)
{
	struct failure failure = failure_of(ERROR_CLIENT_TOO_SLOW);
	struct event event = {.kind = EVENT_ERROR, .failure = &failure};
	follower_set_state(follower, FOLLOWER_ST_ENDED);
	follower->to->on_event(follower->to, NULL, &event);
}

/* The next event for it, if it may have one. *cut: it is too far behind instead. */
static const struct flight_record *follower_next(const struct follower *follower, bool *cut)
{
	pthread_mutex_lock(&follower->shared->lock);
	*cut = follower->pace == FOLLOWER_IS_CUT;
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
	size_t lag = follower->shared->log.bytes - record->behind;
	bool caught_up = follower->shared->wish == SHARED_PAUSE && lag <= SHARED_LAG_TIGHT;
	if (follower->pace == FOLLOWER_IS_BEHIND && lag < SHARED_LAG_MOST / 2) {
		follower->pace = FOLLOWER_READS;
		caught_up = true;
	}
	pthread_mutex_unlock(&follower->shared->lock);
	if (caught_up)
		shared_reconsider(follower->shared, follower->worker);
}

void follower_deliver(struct follower *follower)
{
	uint64_t begun_at = follower->seen_bytes;
	unsigned events = 0;
	follower->busy++;
	while (follower->state == FOLLOWER_ST_FOLLOWING) {
		bool cut = false;
		const struct flight_record *record = follower_next(follower, &cut);
		if (cut) {
			follower_cut_off(follower);
			break;
		}
		if (record == NULL)
			break;
		if (record->event.kind == EVENT_END || record->event.kind == EVENT_ERROR)
			follower_set_state(follower, FOLLOWER_ST_ENDED);
		follower->to->on_event(follower->to, NULL, &record->event);
		follower_done(follower, record);
		if (++events == FOLLOWER_EVENTS || follower->seen_bytes - begun_at >= FOLLOWER_BYTES) {
			follower_wake(follower, FOLLOWER_RESTS); /* what is left has turns of its own */
			break;
		}
	}
	if (--follower->busy == 0 && follower->state == FOLLOWER_ST_LEFT)
		follower_go(follower);
}

static void on_wake(struct loop_message *message)
{
	struct follower *follower = container_of(message, struct follower, wake);
	pthread_mutex_lock(&follower->shared->lock);
	follower->call = FOLLOWER_NOT_CALLED;
	pthread_mutex_unlock(&follower->shared->lock);
	if (follower->state == FOLLOWER_ST_GONE)
		follower_free(follower);
	else if (follower->busy == 0)
		follower_deliver(follower);
}

void follower_wake(struct follower *follower, enum follower_call call)
{
	pthread_mutex_lock(&follower->shared->lock);
	bool called = follower->call != FOLLOWER_NOT_CALLED;
	if (follower->call != FOLLOWER_RESTS)
		follower->call = call;
	pthread_mutex_unlock(&follower->shared->lock);
	if (!called)
		loop_post(follower->worker->plan.loop, &follower->wake);
}

void follower_pause(struct follower *follower, bool paused)
{
	pthread_mutex_lock(&follower->shared->lock);
	follower->paused = paused;
	pthread_mutex_unlock(&follower->shared->lock);
	shared_reconsider(follower->shared, follower->worker);
	if (!paused)
		follower_wake(follower, FOLLOWER_CALLED);
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
	follower_set_state(follower, FOLLOWER_ST_LEFT);
	if (follower->busy == 0)
		follower_go(follower);
}

struct follower *follower_create(struct flight_worker *worker, struct run_sink *sink)
{
	struct follower *follower = calloc(1, sizeof(*follower));
	if (follower != NULL)
		*follower = (struct follower){.worker = worker, .to = sink, .wake = {.run = on_wake}};
	return follower;
}
