/* SPDX-License-Identifier: MIT */
/* Listeners; listen.h holds the contract. */
#include "service/flights/listen.h"

#include <inttypes.h>
#include <stdio.h>

#include "lib/container.h"
#include "service/cache/seal.h"

enum {
	LISTEN_QUICK_US = 5000, /* between two polls, while something is heard */
	LISTEN_SLOW_US = 40000, /* while nothing is */
	LISTEN_WANT_US = 500000,
	LISTEN_PATIENCE_US = 3000000, /* without a reply, once something was heard */
	LISTEN_BATCH = 256,           /* records of one poll */
};

#define LISTEN_WANT_MS SPAN("2000")

static struct timers *listen_timers(const struct listen *listen)
{
	return &remote_reactor(listen->remote)->timers;
}

static void listen_end(struct listen *listen, enum listen_end end)
{
	metrics_count(remote_metrics(listen->remote), METRIC_CACHE_LEASES,
		      end == LISTEN_LOST ? METRICS_LEASE_LOST : METRICS_LEASE_ANSWERED);
	listen_stop(listen);
	listen->on_end(listen, end);
}

static void listen_on_poll(struct timer *timer);

static void poll_in(struct listen *listen, uint64_t wait_us)
{
	timer_start(listen_timers(listen), &listen->poll, listen->paused ? LISTEN_WANT_US : wait_us, listen_on_poll);
}

/* Redis did not answer a poll, or not as it should. */
static void listen_on_failure(struct listen *listen)
{
	uint64_t now_us = timers_now(listen_timers(listen));
	if (listen->failing_since_us == 0)
		listen->failing_since_us = now_us;
	if (listen->heard == 0 || now_us - listen->failing_since_us >= LISTEN_PATIENCE_US)
		listen_end(listen, LISTEN_LOST); /* who heard nothing yet is better off alone */
	else
		poll_in(listen, LISTEN_SLOW_US);
}

static void listen_on_holder(struct redis_command *command, const struct redis_reply *reply)
{
	struct listen *listen = container_of(command, struct listen, holds);
	bool is_there = reply->kind == REDIS_BYTES && span_is(reply->text, listen->holder);
	listen->gone = !is_there && (reply->kind == REDIS_BYTES || reply->kind == REDIS_NIL);
}

static void listen_on_left(struct redis_command *command, const struct redis_reply *reply)
{
	struct listen *listen = container_of(command, struct listen, left);
	listen->left_ms = reply->kind == REDIS_INTEGER ? reply->integer : -1;
}

static void listen_on_taken(struct remote_taking *taking, struct cache_hit *hit)
{
	struct listen *listen = container_of(taking, struct listen, taking);
	bool fresh = hit->value != NULL && hit->ttl_us > 0;
	if (fresh)
		listen->what.hit = *hit;
	else
		cache_hit_drop(hit);
	listen_end(listen, fresh ? LISTEN_ANSWERED : LISTEN_LOST);
}

static void listen_on_answer(struct redis_command *command, const struct redis_reply *reply)
{
	struct listen *listen = container_of(command, struct listen, answer);
	listen->taking.on_taken = listen_on_taken;
	remote_take(listen->remote, &listen->taking, &listen->what, listen->left_ms, reply);
}

/* The flight is over, and nothing was heard of it: did it leave the answer? */
static void look_for_answer(struct listen *listen)
{
	struct remote_name name = remote_answer_name(listen->remote, &listen->what.tags, &listen->what.key);
	const struct span left[] = {SPAN("PTTL"), remote_name_span(&name)};
	const struct span get[] = {SPAN("GET"), remote_name_span(&name)};
	uint64_t deadline_us = remote_deadline(listen->remote);
	listen->left.on_reply = listen_on_left;
	listen->answer.on_reply = listen_on_answer;
	if (!redis_send(remote_redis(listen->remote), &listen->left, left, 2, 1, deadline_us) ||
	    !redis_send(remote_redis(listen->remote), &listen->answer, get, 2, 1, deadline_us))
		listen_end(listen, LISTEN_LOST);
}

/* Gives the owner what came. False when it wants no more, or when that is not what was published: it is asked for
 * again. */
static bool listen_deliver(struct listen *listen, const struct redis_reply *reply)
{
	for (size_t i = 0; i < reply->count; i++) {
		const struct redis_reply *element = &reply->elements[i];
		struct span record;
		if (element->kind != REDIS_BYTES ||
		    !seal_open(element->text, remote_name_span(&listen->log), &record)) {
			listen_on_failure(listen);
			return false;
		}
		listen->heard++;
		listen->on_record(listen, record);
		if (listen->remote == NULL)
			return false;
	}
	listen->failing_since_us = 0;
	return true;
}

static void listen_on_range(struct redis_command *command, const struct redis_reply *reply)
{
	struct listen *listen = container_of(command, struct listen, range);
	if (reply->kind != REDIS_ARRAY) {
		listen_on_failure(listen);
		return;
	}
	if (!listen_deliver(listen, reply))
		return;
	bool more = reply->count == LISTEN_BATCH;
	if (more)
		listen->wait_us = 0;
	else if (reply->count > 0)
		listen->wait_us = LISTEN_QUICK_US;
	else
		listen->wait_us = listen->wait_us * 2 > LISTEN_SLOW_US ? LISTEN_SLOW_US : listen->wait_us * 2;
	if (!listen->gone || more)
		poll_in(listen, listen->wait_us);
	else if (listen->heard == 0)
		look_for_answer(listen);
	else
		listen_end(listen, LISTEN_LOST);
}

/* Now and then whoever runs the flight hears that somebody follows. */
static void tell_wanted(struct listen *listen)
{
	uint64_t now_us = timers_now(listen_timers(listen));
	const struct span set[] = {SPAN("SET"), remote_name_span(&listen->want), SPAN("1"), SPAN("PX"), LISTEN_WANT_MS};
	if (listen->wanted_us != 0 && now_us - listen->wanted_us < LISTEN_WANT_US)
		return;
	listen->wanted_us = now_us;
	remote_tell(listen->remote, set, 5);
	if (listen->heard == 0)
		mailbox_write(listen->remote, lease_mailbox(span_of(listen->holder)), remote_name_span(&listen->name));
}

/* The lease is asked for before the log: when it is gone, the log has all it will ever have. */
static void listen_on_poll(struct timer *timer)
{
	struct listen *listen = container_of(timer, struct listen, poll);
	char first[24], last[24];
	snprintf(first, sizeof(first), "%" PRIu64, listen->heard);
	snprintf(last, sizeof(last), "%" PRIu64, listen->heard + LISTEN_BATCH - 1);
	const struct span holds[] = {SPAN("GET"), remote_name_span(&listen->name)};
	const struct span range[] = {SPAN("LRANGE"), remote_name_span(&listen->log), span_of(first), span_of(last)};
	uint64_t deadline_us = remote_deadline(listen->remote);
	listen->holds.on_reply = listen_on_holder;
	listen->range.on_reply = listen_on_range;
	listen->gone = false;
	tell_wanted(listen);
	if (listen->paused) {
		poll_in(listen, LISTEN_WANT_US);
		return;
	}
	if (redis_send(remote_redis(listen->remote), &listen->holds, holds, 2, 1, deadline_us) &&
	    redis_send(remote_redis(listen->remote), &listen->range, range, 4, 1, deadline_us))
		return;
	redis_cancel(&listen->holds);
	listen_on_failure(listen);
}

void listen_begin(struct listen *listen, const struct lease *lease)
{
	listen->remote = lease->remote;
	listen->what = lease->what;
	listen->what.hit.value = NULL;
	listen->name = lease->name;
	listen->want = lease->name;
	remote_name_add(&listen->want, SPAN(":want"));
	listen->log = lease_log_name(&lease->name, span_of(lease->holder));
	memcpy(listen->holder, lease->holder, LEASE_TOKEN_SIZE);
	listen->heard = listen->wanted_us = listen->failing_since_us = 0;
	listen->wait_us = LISTEN_QUICK_US;
	poll_in(listen, 0);
}

void listen_pause(struct listen *listen, bool paused)
{
	bool was = listen->paused;
	listen->paused = paused;
	if (listen->remote != NULL && was && !paused && timer_is_running(&listen->poll))
		poll_in(listen, 0);
}

void listen_stop(struct listen *listen)
{
	if (listen->remote == NULL)
		return;
	redis_cancel(&listen->holds);
	redis_cancel(&listen->range);
	redis_cancel(&listen->left);
	redis_cancel(&listen->answer);
	remote_take_cancel(&listen->taking);
	timer_stop(listen_timers(listen), &listen->poll);
	listen->remote = NULL;
}
