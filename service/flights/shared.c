/* SPDX-License-Identifier: MIT */
/* A shared flight's life, and how exchanges come to follow it: they join one that is under way, or lead a new one;
 * shared_internal.h holds the contract. */
#include "service/flights/shared_internal.h"

/* ---- its life ---- */

static void shared_free(struct shared *shared)
{
	flight_log_fini(&shared->log);
	shared_batch_close(shared);
	shared_stop_assembling(shared);
	free(shared->spare);
	free(shared->held);
	request_drop(shared->request);
	pthread_mutex_destroy(&shared->lock);
	free(shared);
}

void shared_release(struct shared *shared)
{
	if (atomic_fetch_sub_explicit(&shared->users, 1, memory_order_acq_rel) == 1)
		shared_free(shared);
}

void shared_hold(struct shared *shared)
{
	atomic_fetch_add_explicit(&shared->users, 1, memory_order_relaxed);
}

/* Aliases whose rules differ have flights of their own: a flight may be given what its leader's rule finds good. */
static uint64_t hash_rule(const struct config_cache_rule *rule)
{
	return hash_mix(hash_mix(hash_mix(HASH_START, rule->ttl_us), rule->stale_us), rule->finish);
}

struct shared *shared_create(struct flight_worker *worker, const struct shared_request *request)
{
	struct shared *shared = calloc(1, sizeof(*shared));
	struct flight_record *spare = calloc(1, sizeof(*spare));
	if (shared == NULL || spare == NULL) {
		free(shared);
		free(spare);
		return NULL;
	}
	*shared = (struct shared){
	    .place = {.key = request->key},
	    .cache = worker->cache->cache,
	    .keeping = request->keeping,
	    .plan = request->plan,
	    .fresh = request->fresh,
	    .convertible = request->convertible,
	    .as_streamed = request->as_streamed,
	    .by_bytes = request->by_bytes,
	    .spare = spare,
	    .party = request->party,
	    .worker = worker,
	};
	memcpy(shared->asked, request->asked, sizeof(shared->asked));
	for (size_t i = 0; i < HASH_CHECKSUM_SIZE && request->by_bytes; i++)
		shared->place.key.bytes[i] ^= (uint8_t)shared->asked[i];
	uint64_t rule = hash_rule(request->keeping.rule);
	for (size_t i = 0; i < sizeof(rule); i++)
		shared->place.key.bytes[i] ^= (uint8_t)(rule >> 8 * i);
	shared->keeping.began = purge_log_mark(store_purges(shared->cache->store));
	atomic_init(&shared->users, 1);
	pthread_mutex_init(&shared->lock, NULL);
	flight_log_init(&shared->log, shared->party);
	return shared;
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

void shared_close_door(struct shared *shared, enum shared_door door)
{
	if (door > shared->door)
		shared->door = door;
}

/* ---- joining, and leading ---- */

static bool shared_add_follower(struct shared *shared, struct follower *follower)
{
	pthread_mutex_lock(&shared->lock);
	bool joined = shared->door == SHARED_JOINABLE;
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

bool shared_is_own(const struct shared *shared)
{
	return atomic_load_explicit(&shared->runs_here, memory_order_relaxed);
}

/* A flight that was purged since it began is not joined: its answer is an old one. */
static bool shared_join(struct flight_place *place, void *context)
{
	struct shared *shared = (struct shared *)place;
	const struct purge_subject subject = {
	    .key = &shared->keeping.key, .tags = &shared->keeping.tags, .taken = !shared_is_own(shared)};
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

static uint64_t shared_now(const struct shared *shared)
{
	return timers_now(&shared->worker->plan.reactor->timers);
}

/* False: out of memory. */
static bool shared_prepare(struct shared *shared, const struct shared_start *start)
{
	if (start->request == NULL)
		return false;
	shared->request = request_hold(start->request);
	shared->options = *start->options;
	shared->options.bill = NULL; /* the flight holds it */
	shared->flight = flight_create(&shared->worker->plan, start->request, start->options->bill);
	return shared->flight != NULL && (start->batch == NULL || shared_batch_open(shared, start->batch));
}

/* Somebody may have kept the answer since the follower looked. */
static bool shared_find_kept(struct shared *shared)
{
	const struct cache_wanted wanted = {
	    .key = &shared->keeping.key, .rule = shared->keeping.rule, .now_us = shared_now(shared)};
	struct cache_hit hit;
	if (shared->fresh || !cache_find(shared->cache, &wanted, &hit))
		return false;
	if (hit.ttl_us > 0) {
		shared_give_kept(shared, &hit);
		return true;
	}
	cache_hit_drop(&hit);
	return false;
}

/* Nobody is told anything before the next turn. */
void shared_lead(struct follower *follower, const struct shared_start *start)
{
	struct shared *shared = follower->shared;
	shared->worker->in_flight++;
	follower->busy++;
	if (!shared_prepare(shared, start))
		shared_fail(shared, ERROR_OVERLOADED);
	else if (!shared_find_kept(shared) && (start->alone || !shared_replicas_ask(shared)))
		shared_take_off(shared);
	follower->busy--;
}

struct follower *shared_follow(struct flight_worker *worker, const struct shared_request *request,
			       struct run_sink *sink, bool *leads)
{
	struct shared *mine = shared_create(worker, request);
	struct follower *follower = follower_create(worker, sink);
	if (mine == NULL || follower == NULL) {
		if (mine != NULL)
			shared_release(mine);
		free(follower);
		return NULL;
	}
	memcpy(follower->asked, mine->asked, sizeof(follower->asked));
	shared_open(mine);
	shared_add_follower(mine, follower);
	bool (*join)(struct flight_place * place, void *context) = request->own ? shared_pass : shared_join;
	if (request->joins_only)
		*leads = !flight_table_join(worker->table, &mine->place.key, join, follower);
	else
		*leads = flight_table_enter(worker->table, &mine->place, join, follower);
	if (*leads && request->joins_only) {
		shared_free(mine);
		free(follower);
		return NULL;
	}
	if (!*leads)
		shared_free(mine); /* nobody has seen it */
	follower_wake(follower, FOLLOWER_CALLED);
	return follower;
}
