/* SPDX-License-Identifier: MIT */
/* The leader of a shared flight: it runs the plan as its followers want it; shared_internal.h tells how they get along.
 */
#include "lib/ledger.h"
#include "lib/step.h"
#include "service/exchange/decoded.h"
#include "service/exchange/shared_internal.h"

enum {
	SHARED_PATIENCE_US = 1000000,
	SHARED_PROGRESS = 65536 /* bytes that one who is behind must read meanwhile */
};

static struct timers *shared_timers(const struct shared *shared)
{
	return &shared->worker->plan.reactor->timers;
}

void shared_set_state(struct shared *shared, enum shared_state state)
{
#define FROM(st) (1u << SHARED_ST_##st)
	static const unsigned allowed[SHARED_ST_COUNT] = {
	    [SHARED_ST_ASKING] = FROM(NEW) | FROM(ELSEWHERE),
	    [SHARED_ST_OWN] = FROM(NEW) | FROM(ASKING) | FROM(ELSEWHERE),
	    [SHARED_ST_ELSEWHERE] = FROM(ASKING),
	    [SHARED_ST_KEEPING] = FROM(OWN),
	    [SHARED_ST_LANDED] = FROM(NEW) | FROM(ASKING) | FROM(OWN) | FROM(ELSEWHERE) | FROM(KEEPING),
	};
#undef FROM
	if ((allowed[state] & 1u << shared->state) == 0)
		__builtin_trap();
	shared->state = state;
}

/* Nothing is run any more; the leader lets go. ended: by an event, not for want of followers. */
static void shared_land(struct shared *shared, bool ended, bool kept)
{
	shared_set_state(shared, SHARED_ST_LANDED);
	shared_replicas_land(shared, ended, kept);
	timer_stop(shared_timers(shared), &shared->patience);
	pthread_mutex_lock(&shared->lock);
	shared->landed = true;
	pthread_mutex_unlock(&shared->lock);
	flight_table_leave(shared->cache->flights, &shared->place);
	if (shared->flight != NULL)
		flight_leave(shared->flight);
	shared->flight = NULL;
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
	bool landed = shared->landed;
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
	struct shared *shared = (struct shared *)((char *)message - offsetof(struct shared, call));
	pthread_mutex_lock(&shared->lock);
	shared->called = false;
	pthread_mutex_unlock(&shared->lock);
	shared_obey(shared);
	shared_release(shared);
}

/* It reads as the events come. */
static bool is_reader(const struct follower *follower)
{
	return !follower->paused && !follower->cut && !follower->behind;
}

static bool has_reader(const struct shared *shared)
{
	for (const struct follower *at = shared->followers; at != NULL; at = at->next)
		if (is_reader(at))
			return true;
	return false;
}

/* What all followers together want; under the lock. Nobody waits for one that is behind while another one reads. */
static enum shared_wish shared_wish(const struct shared *shared)
{
	if (shared->followers == NULL)
		return shared->followed_elsewhere ? SHARED_RUN : SHARED_CANCEL;
	return has_reader(shared) ? SHARED_RUN : SHARED_PAUSE;
}

/* A follower changed its mind. worker: whose thread this is. */
void shared_reconsider(struct shared *shared, const struct exchange_worker *worker)
{
	bool own = worker == shared->worker, call = false;
	pthread_mutex_lock(&shared->lock);
	shared->wish = shared_wish(shared);
	if (shared->wish == SHARED_CANCEL)
		shared->joinable = false;
	if (!own && !shared->called && !shared->landed) {
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
		follower->cut = true;
	if (lag <= SHARED_LAG_MOST || follower->behind)
		return;
	follower->behind = true;
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
	shared->joinable = false;
	shared_log_forget(&shared->log, seen);
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
static void shared_append(struct shared *shared, struct record *record)
{
	shared_log_append(&shared->log, record);
	for (struct follower *at = shared->followers; at != NULL; at = at->next) {
		if (at->todo == NULL)
			at->todo = record;
		shared_check_lag(shared, at);
	}
	shared_forget_seen(shared);
	shared->wish = shared_wish(shared);
}

/* Messages to the followers of other workers; under the lock, where nobody can leave. */
static void shared_wake_others(struct shared *shared)
{
	for (struct follower *at = shared->followers; at != NULL; at = at->next) {
		if (at->worker == shared->worker || at->woken || (at->paused && !at->cut))
			continue;
		at->woken = true;
		loop_post(at->worker->plan.loop, &at->wake);
	}
}

/* Cuts off those who were behind and read next to nothing since, while others do; under the lock. Returns whether some
 * are behind still. */
static bool shared_lose_patience(struct shared *shared)
{
	bool others = has_reader(shared), still = false;
	for (struct follower *at = shared->followers; at != NULL; at = at->next) {
		if (!at->behind)
			continue;
		at->cut |= others && at->seen_bytes - at->behind_at < SHARED_PROGRESS;
		at->behind_at = at->seen_bytes;
		still |= !at->cut;
	}
	shared->wish = shared_wish(shared);
	return still;
}

static void shared_serve_own(struct shared *shared);

static void on_patience(struct timer *timer)
{
	struct shared *shared = (struct shared *)((char *)timer - offsetof(struct shared, patience));
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

/* The next follower of the leader's own worker that has something to read; under the lock. */
static struct follower *shared_own_reader(struct shared *shared)
{
	struct follower *at = shared->followers;
	while (at != NULL && (at->worker != shared->worker || at->busy != 0 || at->ended || at->todo == NULL ||
			      (at->paused && !at->cut)))
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

/* Gives an event, which joins the log, to all followers. */
static void shared_tell(struct shared *shared, struct record *record, enum keep keep)
{
	bool terminal = record->event.kind == EVENT_END || record->event.kind == EVENT_ERROR;
	pthread_mutex_lock(&shared->lock);
	shared_hold(shared); /* the last follower may leave in what follows */
	shared_append(shared, record);
	shared_wake_others(shared);
	pthread_mutex_unlock(&shared->lock);
	bool kept =
	    keep == KEPT_ALREADY || (keep == KEEP_NOW && record->event.kind == EVENT_END && shared_keep(shared));
	shared_replicas_publish(shared, record);
	if (terminal)
		shared_land(shared, true, kept);
	shared_serve_own(shared);
	shared_obey(shared);
	shared_release(shared);
}

void shared_add(struct shared *shared, const struct event *event)
{
	static const struct failure overloaded = {.code = ERROR_OVERLOADED, .should_retry = true};
	static const struct event no_memory = {.kind = EVENT_ERROR, .failure = &overloaded};
	bool own = shared->state == SHARED_ST_OWN;
	shared_make_room(shared);
	struct record *record = shared_log_copy(&shared->log, event);
	if (record == NULL) {
		record = shared->spare;
		shared->spare = NULL;
		*record = (struct record){.event = no_memory};
	}
	if (shared->batch != NULL && own)
		shared_batch_add(shared, event);
	if (record->event.kind == EVENT_END && own && shared_keep_apart(shared, record))
		shared_set_state(shared, SHARED_ST_KEEPING);
	else
		shared_tell(shared, record, own ? KEEP_NOW : KEEP_NOT);
}

void shared_on_kept(struct shared *shared, struct record *end, bool kept)
{
	shared_tell(shared, end, kept ? KEPT_ALREADY : KEEP_NOT);
}

static void shared_on_event(struct flight_subscriber *subscriber, const struct event *event)
{
	struct shared *shared = (struct shared *)((char *)subscriber - offsetof(struct shared, subscriber));
	if (shared->flight != NULL)
		atomic_store_explicit(&shared->attempts, flight_attempts(shared->flight), memory_order_relaxed);
	shared_add(shared, event);
}

static bool shared_add_follower(struct shared *shared, struct follower *follower)
{
	pthread_mutex_lock(&shared->lock);
	bool joined = shared->joinable;
	if (joined) {
		shared_hold(shared);
		follower->shared = shared;
		follower->next = shared->followers;
		follower->todo = shared->log.first;
		shared->followers = follower;
	}
	pthread_mutex_unlock(&shared->lock);
	return joined;
}

/* A flight that was purged since it began is not joined: its answer is an old one. */
static bool shared_join(struct flight_place *place, void *context)
{
	struct shared *shared = (struct shared *)place;
	const struct purge_subject subject = {.key = &shared->keeping.key, .tags = &shared->keeping.tags, .digest = 0};
	if (shared_batch_is_purged(shared))
		return false;
	return !purge_log_forbids_keeping(store_purges(shared->cache->store), shared->keeping.began.turn, &subject) &&
	       shared_add_follower(shared, context);
}

/* Whoever wants a flight of its own puts it in the place of the one that is under way. */
static bool shared_pass(struct flight_place *place, void *context)
{
	(void)place;
	(void)context;
	return false;
}

/* Reads the request of a flight: the client that leads may leave. False: out of memory. */
static bool shared_read(struct shared *shared, const struct shared_request *request)
{
	struct findings findings = {.count = 0};
	struct arena *arena = flight_arena(shared->flight);
	if (request->decoded != NULL) {
		flight_hold(shared->flight, request->decoded);
		shared->request = request->decoded->request;
		return true;
	}
	struct span body = arena_copy(arena, request->body);
	struct step_mark before = step_enter("decode");
	bool read = body.at != NULL && openai_request_decode(&shared->request, request->endpoint, arena, body,
							     &shared->worker->plan.config->limits.json, &findings);
	step_leave(before);
	return read;
}

/* A flight of its own arena. False: out of memory. */
static bool shared_prepare(struct shared *shared, const struct shared_request *request)
{
	struct exchange_worker *worker = shared->worker;
	shared->options = request->options;
	shared->flight = flight_create(&worker->plan, flight_arena_most(request->body.len), request->options.party);
	if (shared->flight == NULL)
		return false;
	struct arena *arena = flight_arena(shared->flight);
	shared->options.request = &shared->request;
	shared->options.request_id = arena_copy(arena, request->options.request_id);
	shared->options.traceparent = arena_copy(arena, request->options.traceparent);
	return (request->batch == NULL || shared_batch_open(shared, request->batch)) && shared_read(shared, request);
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
	if (!flight_start(shared->flight, &shared->options, &shared->subscriber))
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

/* Somebody may have kept the answer since the follower looked. */
static bool shared_find_kept(struct shared *shared)
{
	struct cache_hit hit;
	if (shared->fresh || !cache_find(shared->cache, &shared->keeping.key, timers_now(shared_timers(shared)), &hit))
		return false;
	if (hit.ttl_us > 0) {
		shared_give_kept(shared, &hit);
		return true;
	}
	cache_hit_drop(&hit);
	return false;
}

/* Has the plan run for all who follow. Nobody is told anything before the next turn. */
static void shared_lead(struct shared *shared, struct follower *follower, const struct shared_request *request)
{
	shared->worker->in_flight++;
	follower->busy++;
	if (!shared_prepare(shared, request))
		shared_fail(shared, ERROR_OVERLOADED);
	else if (!shared_find_kept(shared) && (request->alone || !shared_replicas_ask(shared)))
		shared_take_off(shared);
	follower->busy--;
}

struct follower *shared_follow(struct exchange_worker *worker, const struct shared_request *request,
			       struct flight_subscriber *subscriber, bool *leads)
{
	struct shared *mine = shared_create(worker, request);
	struct follower *follower = follower_create(worker, subscriber);
	if (mine == NULL || follower == NULL) {
		if (mine != NULL)
			shared_release(mine);
		free(follower);
		return NULL;
	}
	memcpy(follower->asked, mine->asked, sizeof(follower->asked));
	mine->subscriber.on_event = shared_on_event;
	mine->call.run = on_call;
	shared_add_follower(mine, follower);
	*leads =
	    flight_table_enter(mine->cache->flights, &mine->place, request->own ? shared_pass : shared_join, follower);
	if (*leads) {
		shared_lead(mine, follower, request);
	} else {
		mine->followers = NULL; /* nobody has seen it */
		shared_release(mine);   /* for the follower */
		shared_release(mine);
	}
	follower_wake(follower);
	return follower;
}
