/* SPDX-License-Identifier: MIT */
/* The leader of a shared flight: it runs the plan as its followers want it; shared_internal.h tells how they get along.
 */
#include "lib/container.h"
#include "lib/ledger.h"
#include "service/flights/shared_internal.h"

enum {
	SHARED_PATIENCE_US = 1000000,
	SHARED_PROGRESS = 65536 /* bytes that one who is behind must read meanwhile */
};

static struct timers *shared_timers(const struct shared *shared)
{
	return &shared->worker->plan.reactor->timers;
}

/* Nothing is run any more; the leader lets go. ended: by an event, not for want of followers. */
static void shared_land(struct shared *shared, bool ended, bool kept)
{
	shared_set_state(shared, SHARED_ST_LANDED);
	shared_replicas_land(shared, ended, kept);
	timer_stop(shared_timers(shared), &shared->patience);
	flight_table_leave(shared->worker->table, &shared->place);
	pthread_mutex_lock(&shared->lock);
	shared_close_door(shared, SHARED_OVER);
	pthread_mutex_unlock(&shared->lock);
	if (shared->flight != NULL)
		flight_leave(shared->flight);
	shared->flight = NULL;
	request_drop(shared->request);
	shared->request = NULL;
	shared_stop_assembling(shared);
	shared->worker->in_flight--;
	shared_release(shared);
}

/* Stops or restarts what brings events. */
static void shared_flow(struct shared *shared, bool paused)
{
	if (shared->state == SHARED_ST_OWN)
		flight_pause(shared->flight, paused);
	else
		shared_replicas_pause(shared, paused);
}

static void on_patience(struct timer *timer);

/* Grants what the followers want, on the leader's thread. */
static void shared_obey(struct shared *shared)
{
	pthread_mutex_lock(&shared->lock);
	enum shared_wish wish = shared->wish;
	bool landed = shared->door == SHARED_OVER;
	pthread_mutex_unlock(&shared->lock);
	if (landed || wish == shared->granted || shared->state == SHARED_ST_KEEPING)
		return; /* what is being kept lands by itself */
	shared->granted = wish;
	if (wish == SHARED_CANCEL)
		shared_land(shared, false, false);
	else
		shared_flow(shared, wish == SHARED_PAUSE);
}

static void on_call(struct loop_message *message)
{
	struct shared *shared = container_of(message, struct shared, call);
	pthread_mutex_lock(&shared->lock);
	shared->called = false;
	pthread_mutex_unlock(&shared->lock);
	shared_obey(shared);
	shared_release(shared);
}

/* It reads as the events come. */
static bool is_reader(const struct follower *follower)
{
	return !follower->paused && follower->pace == FOLLOWER_READS;
}

static bool has_reader(const struct shared *shared)
{
	for (const struct follower *at = shared->followers; at != NULL; at = at->next)
		if (is_reader(at))
			return true;
	return false;
}

/* Returns whether a follower has more to read than the log may hold of a client whose memory is tight. */
static bool is_held_up(const struct shared *shared)
{
	if (!ledger_is_tight(shared->party))
		return false;
	for (const struct follower *at = shared->followers; at != NULL; at = at->next)
		if (at->pace != FOLLOWER_IS_CUT && shared->log.bytes - at->seen_bytes > SHARED_LAG_TIGHT)
			return true;
	return false;
}

/* What all followers together want; under the lock. Nobody waits for one that is behind while another one reads, unless
 * memory is tight: the log grows by what one of them has not read. */
static enum shared_wish shared_wish(const struct shared *shared)
{
	if (shared->followers == NULL)
		return shared->followed_elsewhere ? SHARED_RUN : SHARED_CANCEL;
	return has_reader(shared) && !is_held_up(shared) ? SHARED_RUN : SHARED_PAUSE;
}

/* A follower changed its mind. worker: whose thread this is. */
void shared_reconsider(struct shared *shared, const struct flight_worker *worker)
{
	bool own = worker == shared->worker, call = false;
	pthread_mutex_lock(&shared->lock);
	shared->wish = shared_wish(shared);
	if (shared->wish == SHARED_CANCEL)
		shared_close_door(shared, SHARED_UNJOINABLE);
	if (!own && !shared->called && shared->door != SHARED_OVER) {
		shared->called = call = true;
		shared_hold(shared); /* until the message has run */
	}
	pthread_mutex_unlock(&shared->lock);
	if (own)
		shared_obey(shared);
	else if (call)
		loop_post(shared->worker->plan.loop, &shared->call);
}

/* Looks whether the follower is too far behind; under the lock. More than the log keeps is more than it can have. */
static void shared_check_lag(struct shared *shared, struct follower *follower)
{
	size_t lag = shared->log.bytes - follower->seen_bytes;
	if (lag > SHARED_MOST && has_reader(shared))
		follower->pace = FOLLOWER_IS_CUT;
	if (lag <= SHARED_LAG_MOST || follower->pace != FOLLOWER_READS)
		return;
	follower->pace = FOLLOWER_IS_BEHIND;
	follower->behind_at = follower->seen_bytes;
	if (!timer_is_running(&shared->patience))
		timer_start(shared_timers(shared), &shared->patience, SHARED_PATIENCE_US, on_patience);
}

/* Bytes of events that are kept for those who may come; few while the client that leads may hold no more. */
static size_t shared_log_most(const struct shared *shared)
{
	enum { TIGHT = 8 << 10 };
	return shared->log.bytes > TIGHT && ledger_is_tight(shared->party) ? TIGHT : SHARED_MOST;
}

/* Forgets what all followers are done with, of a log that has become too long; under the lock. The last record stays.
 */
static void shared_forget_seen(struct shared *shared)
{
	uint64_t seen = shared->log.count - 1;
	if (shared->log.bytes <= shared_log_most(shared))
		return;
	for (const struct follower *at = shared->followers; at != NULL; at = at->next)
		seen = at->seen < seen ? at->seen : seen;
	shared_close_door(shared, SHARED_UNJOINABLE);
	flight_log_forget(&shared->log, seen);
}

/* Makes room for an event, where its party may hold no more. */
static void shared_make_room(struct shared *shared)
{
	if (!ledger_is_tight(shared->party))
		return;
	pthread_mutex_lock(&shared->lock);
	shared_forget_seen(shared);
	pthread_mutex_unlock(&shared->lock);
}

/* Links the record, and finds out who falls too far behind; under the lock. */
static void shared_append(struct shared *shared, struct flight_record *record)
{
	flight_log_append(&shared->log, record);
	for (struct follower *at = shared->followers; at != NULL; at = at->next) {
		if (at->todo == NULL)
			at->todo = record;
		shared_check_lag(shared, at);
	}
	shared_forget_seen(shared);
	shared->wish = shared_wish(shared);
}

/* Returns whether a follower may be given something: what is next, or its error. */
static bool may_be_served(const struct follower *follower)
{
	return !follower->paused || follower->pace == FOLLOWER_IS_CUT;
}

/* Messages to the followers of other workers; under the lock, where nobody can leave. */
static void shared_wake_others(struct shared *shared)
{
	for (struct follower *at = shared->followers; at != NULL; at = at->next) {
		if (at->worker == shared->worker || at->call != FOLLOWER_NOT_CALLED || !may_be_served(at))
			continue;
		at->call = FOLLOWER_CALLED;
		loop_post(at->worker->plan.loop, &at->wake);
	}
}

/* Cuts off those who were behind and read next to nothing since, while others do; under the lock. Returns whether some
 * are behind still. */
static bool shared_lose_patience(struct shared *shared)
{
	bool others = has_reader(shared), still = false;
	for (struct follower *at = shared->followers; at != NULL; at = at->next) {
		if (at->pace != FOLLOWER_IS_BEHIND)
			continue;
		if (others && at->seen_bytes - at->behind_at < SHARED_PROGRESS)
			at->pace = FOLLOWER_IS_CUT;
		at->behind_at = at->seen_bytes;
		still |= at->pace == FOLLOWER_IS_BEHIND;
	}
	shared->wish = shared_wish(shared);
	return still;
}

static void shared_serve_own(struct shared *shared);

static void on_patience(struct timer *timer)
{
	struct shared *shared = container_of(timer, struct shared, patience);
	pthread_mutex_lock(&shared->lock);
	shared_hold(shared); /* the last follower may leave in what follows */
	bool still = shared_lose_patience(shared);
	shared_wake_others(shared);
	pthread_mutex_unlock(&shared->lock);
	if (still)
		timer_start(shared_timers(shared), timer, SHARED_PATIENCE_US, on_patience);
	shared_serve_own(shared);
	shared_obey(shared);
	shared_release(shared);
}

/* The next follower of the leader's own worker that has something to read, and no turn of its own to come; under the
 * lock. */
static struct follower *shared_own_reader(struct shared *shared)
{
	struct follower *at = shared->followers;
	while (at != NULL && (at->worker != shared->worker || at->busy != 0 || at->state != FOLLOWER_ST_FOLLOWING ||
			      at->call == FOLLOWER_RESTS || at->todo == NULL || !may_be_served(at)))
		at = at->next;
	return at;
}

static void shared_serve_own(struct shared *shared)
{
	for (;;) {
		pthread_mutex_lock(&shared->lock);
		struct follower *follower = shared_own_reader(shared);
		pthread_mutex_unlock(&shared->lock);
		if (follower == NULL)
			return;
		follower_deliver(follower);
	}
}

/* What is done about an answer that is complete with an event. */
enum keep { KEEP_NOT, KEEP_NOW, KEPT_ALREADY };

/* An event joins the log, for all followers, here and at other replicas. */
static void shared_pass_on(struct shared *shared, struct flight_record *record)
{
	pthread_mutex_lock(&shared->lock);
	shared_append(shared, record);
	shared_wake_others(shared);
	pthread_mutex_unlock(&shared->lock);
	shared_replicas_publish(shared, record);
}

/* Gives an event to all followers; a complete answer is kept before, so that whoever asks next finds it. */
static void shared_tell(struct shared *shared, struct flight_record *record, enum keep keep)
{
	enum event_kind kind = record->event.kind;
	struct flight_record *held = shared->held;
	bool kept = keep == KEPT_ALREADY || (keep == KEEP_NOW && kind == EVENT_END && shared_keep(shared, record));
	shared_hold(shared); /* the last follower may leave in what follows */
	shared->held = NULL;
	if (held != NULL)
		shared_pass_on(shared, held);
	shared_pass_on(shared, record);
	if (kind == EVENT_END || kind == EVENT_ERROR)
		shared_land(shared, true, kept);
	shared_serve_own(shared);
	shared_obey(shared);
	shared_release(shared);
}

/*
 * True for the piece with which the whole answer of a renewal is complete. Clients have all of it then, and may ask
 * again before its end is told: they must not be given what the renewal replaces.
 */
static bool completes_renewal(struct shared *shared, const struct event *event)
{
	if (event->kind != EVENT_BODY || !shared->keeping.renews)
		return false;
	shared->body_bytes += event->data.len;
	return event->total >= 0 && shared->body_bytes >= (uint64_t)event->total;
}

void shared_add(struct shared *shared, const struct event *event)
{
	static const struct failure overloaded = {.code = ERROR_OVERLOADED, .should_retry = true};
	static const struct event no_memory = {.kind = EVENT_ERROR, .failure = &overloaded};
	bool own = shared->state == SHARED_ST_OWN;
	shared_make_room(shared);
	struct flight_record *record = flight_log_copy(&shared->log, event);
	if (record == NULL) {
		record = shared->spare;
		shared->spare = NULL;
		*record = (struct flight_record){.event = no_memory};
	}
	if (shared->batch != NULL && own)
		shared_batch_add(shared, event);
	else if (own)
		shared_assemble(shared, &record->event);
	if (own && shared->held == NULL && completes_renewal(shared, &record->event))
		shared->held = record;
	else if (record->event.kind == EVENT_END && own && shared_keep_apart(shared, record))
		shared_set_state(shared, SHARED_ST_KEEPING);
	else
		shared_tell(shared, record, own ? KEEP_NOW : KEEP_NOT);
}

void shared_add_record(struct shared *shared, struct flight_record *record)
{
	shared_make_room(shared);
	shared_tell(shared, record, KEEP_NOT);
}

void shared_on_kept(struct shared *shared, struct flight_record *end, bool kept)
{
	shared_tell(shared, end, kept ? KEPT_ALREADY : KEEP_NOT);
}

static void shared_on_event(struct run_sink *sink, struct run *run, const struct event *event)
{
	struct shared *shared = container_of(sink, struct shared, sink);
	(void)run;
	if (shared->flight != NULL)
		atomic_store_explicit(&shared->attempts, flight_attempts(shared->flight), memory_order_relaxed);
	shared_add(shared, event);
}

/* The next follower of the leader's own worker. None of these can leave meanwhile. NULL: there is none. */
static struct follower *next_own(struct shared *shared, struct follower *after)
{
	pthread_mutex_lock(&shared->lock);
	struct follower *at = after == NULL ? shared->followers : after->next;
	while (at != NULL && (at->worker != shared->worker || at->state != FOLLOWER_ST_FOLLOWING))
		at = at->next;
	pthread_mutex_unlock(&shared->lock);
	return at;
}

/* Those of other workers are waited for by what they have not read. */
static void shared_on_tight(struct run_sink *sink)
{
	struct shared *shared = container_of(sink, struct shared, sink);
	for (struct follower *at = next_own(shared, NULL); at != NULL; at = next_own(shared, at))
		if (at->to->on_tight != NULL)
			at->to->on_tight(at->to);
	shared_reconsider(shared, shared->worker);
}

void shared_fail(struct shared *shared, enum error_code code)
{
	struct failure failure = failure_of(code);
	struct event event = {.kind = EVENT_ERROR, .failure = &failure};
	shared_add(shared, &event);
}

void shared_take_off(struct shared *shared)
{
	shared_set_state(shared, SHARED_ST_OWN);
	atomic_store_explicit(&shared->runs_here, true, memory_order_relaxed);
	if (!flight_start(shared->flight, &shared->options, &shared->sink))
		shared_fail(shared, ERROR_OVERLOADED);
	else if (shared->granted == SHARED_PAUSE)
		flight_pause(shared->flight, true);
}

void shared_give_kept(struct shared *shared, struct cache_hit *hit)
{
	struct event body = {.kind = EVENT_BODY,
			     .target = config_find_target(shared->plan->source, hit->entry.target),
			     .data = hit->entry.body,
			     .total = (int64_t)hit->entry.body.len,
			     .usage = hit->entry.usage};
	struct event end = {.kind = EVENT_END, .usage = USAGE_UNKNOWN};
	shared_hold(shared); /* its followers may leave in between */
	shared_add(shared, &body);
	if (shared->state != SHARED_ST_LANDED)
		shared_add(shared, &end);
	cache_hit_drop(hit);
	shared_release(shared);
}

void shared_open(struct shared *shared)
{
	shared->sink.on_event = shared_on_event;
	shared->sink.on_tight = shared_on_tight;
	shared->call.run = on_call;
}
