/* SPDX-License-Identifier: MIT */
/*
 * Where an answer comes from that is not kept: a flight that others share (join, lead), or one that runs for this
 * exchange alone (pass). A shared flight has the form that its leader asked for; others get the answer in theirs.
 */
#include <stdlib.h>

#include "service/exchange/internal.h"
#include "service/exchange/recast.h"
#include "service/exchange/telling.h"
#include "service/flights/whole.h"

static void drop_gathered(struct caching *caching)
{
	if (caching->whole != NULL)
		whole_fini(caching->whole);
	free(caching->whole);
	caching->whole = NULL;
}

/* ---- pass ---- */

static void pause_own(struct exchange *exchange, bool paused)
{
	flight_pause(exchange->flight, paused);
}

static void leave_own(struct exchange *exchange)
{
	flight_leave(exchange->flight);
	exchange->flight = NULL;
	drop_gathered(&exchange->caching);
}

static unsigned own_attempts(const struct exchange *exchange)
{
	return flight_attempts(exchange->flight);
}

static const struct exchange_source own_flight = {.pause = pause_own, .leave = leave_own, .attempts = own_attempts};

enum exchange_step exchange_pass(struct exchange *exchange)
{
	exchange_set_source(exchange, NULL);
	enum limiting_verdict verdict = limiting_take(exchange, true);
	if (verdict != LIMITING_TAKEN)
		return limiting_stops(exchange, verdict);
	exchange->flight = flight_create(exchange_plan(exchange), exchange->request, exchange->limiting.bill);
	if (exchange->flight == NULL)
		return exchange_fails(exchange, ERROR_OVERLOADED);
	exchange_set_source(exchange, &own_flight);
	return flight_start(exchange->flight, &exchange->options, &exchange->sink)
		   ? EXCHANGE_RELAY
		   : exchange_fails(exchange, ERROR_OVERLOADED);
}

/* ---- the form of a shared flight ---- */

enum exchange_step exchange_gather(struct exchange *exchange, const struct event *event)
{
	struct caching *caching = &exchange->caching;
	if (caching->whole == NULL) {
		caching->whole = malloc(sizeof(*caching->whole));
		if (caching->whole == NULL)
			return exchange_fails(exchange, ERROR_OVERLOADED);
		whole_init(caching->whole, exchange->request, exchange_config(exchange)->cache.entry + SHARED_MOST,
			   exchange->request->party);
	}
	whole_add(caching->whole, event);
	return EXCHANGE_WAIT;
}

/* All of it came: it goes out in the form that was asked for. */
enum exchange_step exchange_give_gathered(struct exchange *exchange)
{
	struct recast_source source = {.replay = {.dialect = exchange->request->dialect,
						  .endpoint = exchange->request->endpoint,
						  .created = -1,
						  .include_usage = exchange->request->include_usage},
				       .whole = exchange->caching.whole};
	const struct config_plan *target = telling_is_needed(exchange) ? exchange->caching.whole->target : NULL;
	exchange->caching.whole = NULL;
	return recast_begin(exchange, &source, target);
}

/* Usage goes to those who asked for it, whoever asked the backend. */
static struct event with_usage_as_asked(const struct request *request, const struct event *event)
{
	struct event recast = *event;
	unsigned alone = CARRIES_USAGE | CARRIES_NO_CHOICE;
	if (event->kind == EVENT_CHUNK && (event->carries & alone) == alone && !request->include_usage)
		recast.kind = EVENT_USAGE;
	if (event->kind == EVENT_USAGE && event->data.at != NULL && request->include_usage) {
		recast.kind = EVENT_CHUNK;
		recast.carries = alone;
	}
	return recast;
}

static enum exchange_step on_shared_event(struct exchange *exchange, const struct event *event)
{
	bool stream = exchange->request->stream;
	exchange_note_collapse(exchange);
	if ((event->kind == EVENT_BODY && stream) ||
	    ((event->kind == EVENT_CHUNK || event->kind == EVENT_USAGE) && !stream))
		return exchange_gather(exchange, event);
	if (event->kind == EVENT_END && exchange->caching.whole != NULL)
		return exchange_give_gathered(exchange);
	struct event recast = with_usage_as_asked(exchange->request, event);
	return exchange->kind->on_event(exchange, &recast);
}

/* ---- join, and lead ---- */

void exchange_note_collapse(struct exchange *exchange)
{
	if (exchange->report.cache == CACHE_RESULT_MISS && !follower_runs_here(exchange->caching.follower))
		exchange->report.cache = CACHE_RESULT_COLLAPSED;
}

void exchange_pause_follower(struct exchange *exchange, bool paused)
{
	follower_pause(exchange->caching.follower, paused);
}

void exchange_leave_follower(struct exchange *exchange)
{
	follower_leave(exchange->caching.follower);
	exchange->caching.follower = NULL;
	drop_gathered(&exchange->caching);
}

unsigned exchange_follower_attempts(const struct exchange *exchange)
{
	return follower_attempts(exchange->caching.follower);
}

enum exchange_step exchange_follow(struct exchange *exchange, struct shared_request *ask,
				   const struct exchange_source *source)
{
	struct caching *caching = &exchange->caching;
	bool leads = false;
	ask->plan = exchange->options.plan;
	ask->party = exchange->request->party;
	caching_ask_as_wanted(caching, ask);
	enum limiting_verdict verdict = limiting_take_to_join(exchange, &ask->joins_only);
	if (verdict != LIMITING_TAKEN)
		return limiting_stops(exchange, verdict);
	caching->follower = shared_follow(&exchange->worker->flights, ask, &exchange->sink, &leads);
	if (caching->follower == NULL)
		return ask->joins_only ? limiting_stops(exchange, LIMITING_REFUSED)
				       : exchange_fails(exchange, ERROR_OVERLOADED);
	if (!leads)
		bill_need_no_calls(exchange->limiting.bill);
	exchange_set_source(exchange, source);
	exchange->report.cache = leads ? CACHE_RESULT_MISS : CACHE_RESULT_COLLAPSED;
	return leads ? EXCHANGE_LEAD : EXCHANGE_RELAY;
}

static const struct exchange_source shared_flight = {on_shared_event, exchange_pause_follower, exchange_leave_follower,
						     exchange_follower_attempts};

enum exchange_step exchange_join(struct exchange *exchange)
{
	struct caching *caching = &exchange->caching;
	struct shared_request ask = {.key = caching->keeping.key,
				     .asked = request_checksum(exchange->request),
				     .keeping = caching->keeping,
				     .convertible = exchange->request->dialect->is_convertible(exchange->request)};
	exchange_set_source(exchange, NULL);
	caching->start.request = exchange->request;
	ask.as_streamed = !ask.convertible && exchange->request->stream;
	if (!ask.convertible)
		ask.key.bytes[CACHE_KEY_SIZE - 1] ^= exchange->request->stream;
	return exchange_follow(exchange, &ask, &shared_flight);
}

/* The client's own body is needed for longer than the client may stay. */
static bool keep_body(struct exchange *exchange)
{
	if (exchange->request->body == NULL)
		request_keep_body(exchange->request, exchange->to.ops->hold_body(exchange->to.client));
	return exchange->request->body != NULL;
}

enum exchange_step exchange_lead(struct exchange *exchange)
{
	struct flight_options options = exchange->options;
	struct shared_start start = exchange->caching.start;
	options.deadline_us = 0; /* others may wait longer than the one who leads */
	start.options = &options;
	if (start.request == exchange->request && !keep_body(exchange))
		start.request = NULL;
	shared_lead(exchange->caching.follower, &start);
	return EXCHANGE_RELAY;
}
