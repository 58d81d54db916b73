/* SPDX-License-Identifier: MIT */
/*
 * A shared flight among replicas: the one that gets the lease runs the plan and, once others want to hear it, publishes
 * its events; the others listen. Chunks that come before any content are held back, so that a flight whose
 * replica died early can be begun anew without anybody noticing; one that was told but for its end is complete.
 * shared_internal.h holds the contract.
 */
#include <inttypes.h>
#include <stdio.h>

#include "lib/container.h"
#include "lib/little_endian.h"
#include "service/flights/lease.h"
#include "service/flights/listen.h"
#include "service/flights/shared_internal.h"
#include "service/flights/flight_wire.h"

enum { REPLICAS_ASKED_MOST = 3, REPLICAS_WIRE_MOST = SHARED_MOST * 2, REPLICAS_VARIANT_SIZE = 96 };

/* What the replicas have to do with the flight. Only replicas_set_state() changes it. */
enum replicas_state {
	REPLICAS_ST_ASKING,     /* who runs it is not known yet */
	REPLICAS_ST_HOLDING,    /* another one runs it: what comes before content is held back */
	REPLICAS_ST_DELIVERING, /* content came: what is heard is passed on at once */
	REPLICAS_ST_LEADING,    /* this one runs it, and nobody wanted to hear it yet */
	REPLICAS_ST_PUBLISHING, /* others hear it */
	REPLICAS_ST_ALONE,      /* each is on its own */
	REPLICAS_ST_COUNT
};

struct shared_replicas {
	struct shared *shared;
	struct lease lease;
	struct listen listen;
	unsigned asked;
	enum replicas_state state;
	uint64_t heard;             /* number of the last record */
	int64_t finished;           /* choices whose finish_reason was passed on */
	uint64_t body;              /* bytes of a whole answer that were passed on */
	int64_t body_size;          /* of all of it; -1 = not known */
	struct flight_record *held; /* what came before that */
	struct flight_record **held_end;
	size_t held_bytes;
	struct buf wire;
	struct task reap; /* callers up the stack may still hold the listener */
};

static struct shared_replicas *of_lease(struct lease *lease)
{
	return container_of(lease, struct shared_replicas, lease);
}

static struct shared_replicas *of_listen(struct listen *listen)
{
	return container_of(listen, struct shared_replicas, listen);
}

static void drop_held(struct shared_replicas *replicas);

static void on_reap(struct task *task)
{
	struct shared_replicas *replicas = container_of(task, struct shared_replicas, reap);
	struct shared *shared = replicas->shared;
	drop_held(replicas);
	buf_fini(&replicas->wire);
	shared->worker->in_flight--;
	free(replicas);
	shared_release(shared);
}

static void replicas_set_state(struct shared_replicas *replicas, enum replicas_state state)
{
#define FROM(st) (1u << REPLICAS_ST_##st)
	static const unsigned allowed[REPLICAS_ST_COUNT] = {
	    [REPLICAS_ST_ASKING] = FROM(ASKING) | FROM(HOLDING),
	    [REPLICAS_ST_HOLDING] = FROM(ASKING),
	    [REPLICAS_ST_DELIVERING] = FROM(HOLDING),
	    [REPLICAS_ST_LEADING] = FROM(ASKING),
	    [REPLICAS_ST_PUBLISHING] = FROM(LEADING),
	    [REPLICAS_ST_ALONE] = FROM(ASKING) | FROM(HOLDING) | FROM(LEADING) | FROM(PUBLISHING),
	};
#undef FROM
	if ((allowed[state] & 1u << replicas->state) == 0)
		__builtin_trap();
	replicas->state = state;
}

/* Nothing is said or heard any more. */
static void replicas_leave(struct shared_replicas *replicas)
{
	lease_drop(&replicas->lease);
	listen_stop(&replicas->listen);
	replicas->shared->replicas = NULL;
	replicas->reap.run = on_reap;
	task_queue(replicas->shared->worker->plan.reactor, &replicas->reap);
}

/* ---- running it ---- */

/* Whether other replicas follow: the flight goes on for them, too. */
static void set_followed(struct shared *shared, bool followed)
{
	pthread_mutex_lock(&shared->lock);
	shared->followed_elsewhere = followed;
	pthread_mutex_unlock(&shared->lock);
}

/* The others are on their own from here on. */
static void replicas_abandon(struct shared_replicas *replicas)
{
	lease_drop(&replicas->lease);
	replicas_set_state(replicas, REPLICAS_ST_ALONE);
	set_followed(replicas->shared, false);
}

static void replicas_publish(struct shared_replicas *replicas, const struct flight_record *record)
{
	buf_reset(&replicas->wire);
	flight_wire_write(&record->event, record->number, &replicas->wire);
	if (replicas->shared->log.bytes > SHARED_MOST || buf_failed(&replicas->wire) ||
	    !lease_publish(&replicas->lease, &replicas->wire))
		replicas_abandon(replicas);
}

static void on_wanted(struct lease *lease)
{
	struct shared_replicas *replicas = of_lease(lease);
	const struct flight_record *first = replicas->shared->log.first;
	set_followed(replicas->shared, true);
	if (replicas->state != REPLICAS_ST_LEADING)
		return;
	if (first != NULL && first->number != 1) {
		replicas_abandon(replicas); /* its beginning is gone */
		return;
	}
	replicas_set_state(replicas, REPLICAS_ST_PUBLISHING);
	for (const struct flight_record *at = first; at != NULL && replicas->state == REPLICAS_ST_PUBLISHING;
	     at = at->next)
		replicas_publish(replicas, at);
}

static void on_forlorn(struct lease *lease)
{
	struct shared *shared = of_lease(lease)->shared;
	set_followed(shared, false);
	if (shared->state == SHARED_ST_OWN)
		shared_reconsider(shared, shared->worker);
}

static void on_over(struct lease *lease)
{
	replicas_leave(of_lease(lease));
}

void shared_replicas_publish(struct shared *shared, const struct flight_record *record)
{
	if (shared->replicas != NULL && shared->replicas->state == REPLICAS_ST_PUBLISHING)
		replicas_publish(shared->replicas, record);
}

/* ---- listening ---- */

/* What the end would only confirm. */
static void note_progress(struct shared_replicas *replicas, const struct event *event)
{
	if (event->kind == EVENT_CHUNK && (event->carries & CARRIES_FINISH) != 0)
		replicas->finished++;
	if (event->kind == EVENT_BODY) {
		replicas->body += event->data.len;
		replicas->body_size = event->total;
	}
}

/*
 * All of the answer was passed on, as far as one can tell: so a backend is believed, too, that breaks off then. Of a
 * plan that gathers, who finished last is not known here.
 */
static bool is_complete(const struct shared_replicas *replicas)
{
	const struct shared *shared = replicas->shared;
	bool finished =
	    !shared->plan->gathers && replicas->finished > 0 && replicas->finished >= shared->request->choices;
	return finished || (replicas->body > 0 && (int64_t)replicas->body == replicas->body_size);
}

/* Passes on what was held back. False when nobody wants more. */
static bool deliver_held(struct shared_replicas *replicas)
{
	struct shared *shared = replicas->shared;
	while (replicas->held != NULL && shared->state != SHARED_ST_LANDED) {
		struct flight_record *record = replicas->held;
		replicas->held = record->next;
		record->next = NULL;
		note_progress(replicas, &record->event);
		shared_add_record(shared, record);
	}
	return shared->state != SHARED_ST_LANDED;
}

static void drop_held(struct shared_replicas *replicas)
{
	while (replicas->held != NULL) {
		struct flight_record *record = replicas->held;
		replicas->held = record->next;
		free(record);
	}
	replicas->held_end = &replicas->held;
	replicas->held_bytes = 0;
}

static bool is_worth_waiting(const struct event *event)
{
	return (event->kind == EVENT_CHUNK && (event->carries & CARRIES_CONTENT) == 0) || event->kind == EVENT_USAGE;
}

/* False: there is no memory, or too much came without any content. */
static bool hold_back(struct shared_replicas *replicas, const struct event *event)
{
	struct flight_record *record = flight_log_copy(&replicas->shared->log, event);
	if (record == NULL)
		return false;
	*replicas->held_end = record;
	replicas->held_end = &record->next;
	replicas->held_bytes += record->behind;
	return replicas->held_bytes <= SHARED_MOST;
}

static void on_lost(struct shared_replicas *replicas);

/* The other replica's next event, in its order, is passed on. */
static void on_heard(struct shared_replicas *replicas, const struct event *event)
{
	struct shared *shared = replicas->shared;
	shared_hold(shared); /* it may land, and replicas with it */
	if (replicas->state == REPLICAS_ST_HOLDING)
		replicas_set_state(replicas, REPLICAS_ST_DELIVERING);
	if (deliver_held(replicas)) {
		note_progress(replicas, event);
		shared_add(shared, event);
	}
	shared_release(shared);
}

static void on_record(struct listen *listen, struct span bytes)
{
	struct shared_replicas *replicas = of_listen(listen);
	struct flight_wire wire;
	const struct shared *shared = replicas->shared;
	bool heard = flight_wire_read(bytes, shared->plan->source, shared->request->dialect, &wire) &&
		     wire.number == replicas->heard + 1;
	bool holds = heard && replicas->state == REPLICAS_ST_HOLDING && is_worth_waiting(&wire.event);
	if (!heard || (holds && !hold_back(replicas, &wire.event))) {
		listen_stop(listen);
		on_lost(replicas);
		return;
	}
	replicas->heard++;
	if (!holds)
		on_heard(replicas, &wire.event);
}

/* Nobody can be asked, or nobody answers. */
static void run_alone(struct shared_replicas *replicas)
{
	replicas_set_state(replicas, REPLICAS_ST_ALONE);
	shared_take_off(replicas->shared);
}

static void on_lost(struct shared_replicas *replicas)
{
	const struct event end = {.kind = EVENT_END, .total = -1, .usage = USAGE_UNKNOWN};
	struct shared *shared = replicas->shared;
	bool delivering = replicas->state == REPLICAS_ST_DELIVERING;
	if (delivering && is_complete(replicas))
		shared_add(shared, &end);
	else if (delivering)
		shared_fail(shared, ERROR_UPSTREAM_RESET);
	else if (!shared_replicas_ask(shared))
		run_alone(replicas);
}

static void on_listened(struct listen *listen, enum listen_end end)
{
	struct shared_replicas *replicas = of_listen(listen);
	if (end == LISTEN_LOST)
		on_lost(replicas);
	else
		shared_give_kept(replicas->shared, &listen->what.hit);
}

void shared_replicas_pause(struct shared *shared, bool paused)
{
	if (shared->replicas != NULL)
		listen_pause(&shared->replicas->listen, paused);
}

/* ---- who runs it ---- */

static void on_verdict(struct lease *lease, enum lease_verdict verdict)
{
	struct shared_replicas *replicas = of_lease(lease);
	struct shared *shared = replicas->shared;
	switch (verdict) {
	case LEASE_TAKEN:
		replicas_set_state(replicas, REPLICAS_ST_HOLDING);
		shared_set_state(shared, SHARED_ST_ELSEWHERE);
		replicas->listen.on_record = on_record;
		replicas->listen.on_end = on_listened;
		listen_pause(&replicas->listen, shared->granted == SHARED_PAUSE);
		listen_begin(&replicas->listen, lease);
		break;
	case LEASE_ANSWERED:
		shared_give_kept(shared, &lease->what.hit);
		break;
	case LEASE_MINE:
		replicas_set_state(replicas, REPLICAS_ST_LEADING);
		shared_take_off(shared);
		break;
	case LEASE_SILENT:
		run_alone(replicas);
		break;
	}
}

static struct shared_replicas *replicas_create(struct shared *shared)
{
	struct shared_replicas *replicas = calloc(1, sizeof(*replicas));
	if (replicas == NULL)
		return NULL;
	replicas->shared = shared;
	replicas->lease.on_verdict = on_verdict;
	replicas->lease.on_wanted = on_wanted;
	replicas->lease.on_forlorn = on_forlorn;
	replicas->lease.on_over = on_over;
	replicas->held_end = &replicas->held;
	buf_init(&replicas->wire, REPLICAS_WIRE_MOST);
	shared_hold(shared);
	shared->worker->in_flight++;
	shared->replicas = replicas;
	return replicas;
}

static uint64_t shared_renewals(const struct shared *shared)
{
	struct purge_log *log = store_purges(shared->cache->store);
	size_t count;
	const struct cache_key *inputs = shared_batch_keys(shared, &count);
	return inputs != NULL ? purge_log_renewals(log, inputs, count)
			      : purge_log_renewals(log, &shared->keeping.key, 1);
}

/*
 * What tells flights of one answer apart that cannot stand in for each other: a stream that cannot be told whole, what
 * began before a purge or a renewal, and what was asked in just these bytes.
 */
static struct span write_variant(const struct shared *shared, char *room, size_t size)
{
	const struct purge_subject subject = {.key = &shared->keeping.key, .tags = &shared->keeping.tags, .digest = 0};
	struct purge_id last = purge_log_last(store_purges(shared->cache->store), &subject);
	int len = snprintf(room, size, "%s", shared->as_streamed ? ":stream" : "");
	if (last.ms != 0 || last.number != 0)
		len += snprintf(room + len, size - (size_t)len, ":%" PRIx64 "-%" PRIx64, last.ms, last.number);
	uint64_t renewals = shared_renewals(shared);
	if (renewals != 0)
		len += snprintf(room + len, size - (size_t)len, ":r%" PRIx64, renewals);
	if (shared->by_bytes)
		len += snprintf(room + len, size - (size_t)len, ":%016" PRIx64,
				little_endian_get(shared->asked, sizeof(uint64_t)));
	return (struct span){room, (size_t)len};
}

bool shared_replicas_ask(struct shared *shared)
{
	char variant[REPLICAS_VARIANT_SIZE];
	const struct flight_worker *worker = shared->worker;
	if (worker->mailbox == NULL || (shared->replicas == NULL && replicas_create(shared) == NULL))
		return false;
	struct shared_replicas *replicas = shared->replicas;
	struct lease_request request = {.remote = worker->cache->remote,
					.mailbox = worker->mailbox,
					.key = shared->keeping.key,
					.tags = shared->keeping.tags,
					.rule = shared->keeping.rule,
					.owner = {shared->request->network, shared->request->identity},
					.variant = write_variant(shared, variant, sizeof(variant)),
					.fresh = shared->fresh};
	replicas->heard = 0;
	drop_held(replicas);
	if (replicas->asked++ == REPLICAS_ASKED_MOST || !lease_ask(&replicas->lease, &request))
		return false;
	replicas_set_state(replicas, REPLICAS_ST_ASKING);
	shared_set_state(shared, SHARED_ST_ASKING);
	return true;
}

void shared_replicas_land(struct shared *shared, bool ended, bool kept)
{
	struct shared_replicas *replicas = shared->replicas;
	if (replicas == NULL)
		return;
	if (ended && replicas->lease.state == LEASE_ST_MINE)
		lease_end(&replicas->lease, kept);
	else
		replicas_leave(replicas);
}
