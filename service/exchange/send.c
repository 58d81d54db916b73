/* SPDX-License-Identifier: MIT */
/*
 * What an exchange sends: heads and bytes, at the client's pace. A client that falls
 * behind pauses whatever the answer comes from; one that takes next to nothing is cut off.
 */
#include <string.h>

#include "lib/container.h"
#include "service/exchange/internal.h"

/* ---- heads ---- */

void exchange_head(struct exchange *exchange, enum exchange_state state, const struct config_plan *target,
		   int64_t content_length)
{
	struct caching_fields more;
	if (target != NULL)
		exchange->report.target = target->target;
	if (exchange->state == EXCHANGE_ST_STREAM && state == EXCHANGE_ST_STREAM)
		return; /* a comment needed it */
	caching_tell(&exchange->caching, exchange->report.cache, &more);
	struct respond_head head = {.target = target == NULL ? NULL : target->target,
				    .attempts = exchange_attempts(exchange),
				    .processing_us = exchange_now(exchange) - exchange->report.started_us,
				    .stream = state == EXCHANGE_ST_STREAM,
				    .more = more.list,
				    .more_count = more.count};
	exchange_set_state(exchange, state);
	exchange->report.status = 200;
	respond_head(&exchange->to, &head, content_length);
}

enum exchange_step exchange_send_unchanged(struct exchange *exchange)
{
	struct http_field list[CACHING_FIELDS + 1 + LIMIT_FIELDS];
	struct caching_fields fields;
	size_t count = 0;
	caching_tell(&exchange->caching, exchange->report.cache, &fields);
	for (size_t i = 0; i < fields.count; i++)
		list[count++] = fields.list[i];
	list[count++] = (struct http_field){SPAN("x-request-id"), exchange->report.request_id};
	for (size_t i = 0; i < exchange->to.more_count; i++)
		list[count++] = exchange->to.more[i];
	exchange->to.ops->head(exchange->to.client, 304, list, count, 0);
	exchange->report.status = 304;
	return exchange_completes(exchange);
}

/* ---- the client's pace ---- */

/* Returns the bytes that the client took so far, its kernel included. */
static uint64_t bytes_taken(const struct exchange *exchange)
{
	return exchange->report.bytes - exchange->to.ops->backlog(exchange->to.client);
}

static void on_stalled(struct timer *timer);

static void watch_pace(struct exchange *exchange)
{
	exchange->taken = bytes_taken(exchange);
	timer_start(exchange_timers(exchange), &exchange->stalled, exchange_config(exchange)->limits.stalled_us,
		    on_stalled);
}

/* A client that reads nothing, or drips, is cut off: it would hold its backend's place for ever. */
static void on_stalled(struct timer *timer)
{
	struct exchange *exchange = container_of(timer, struct exchange, stalled);
	if (bytes_taken(exchange) - exchange->taken < CONFIG_PROGRESS)
		exchange_go(exchange, exchange_cuts(exchange, ERROR_CLIENT_TOO_SLOW));
	else
		watch_pace(exchange);
}

static void set_paused(struct exchange *exchange, bool paused)
{
	exchange->paused = paused;
	if (paused)
		watch_pace(exchange);
	else
		timer_stop(exchange_timers(exchange), &exchange->stalled);
	if (exchange->source != NULL)
		exchange->source->pause(exchange, paused);
}

void exchange_resume(struct exchange *exchange)
{
	if (exchange->paused)
		set_paused(exchange, false);
}

/* ---- bytes ---- */

static void pause_when_full(struct exchange *exchange)
{
	if (!exchange->paused &&
	    exchange->to.ops->is_full(exchange->to.client, exchange_config(exchange)->limits.buffer))
		set_paused(exchange, true);
}

bool exchange_send(struct exchange *exchange, struct span bytes)
{
	const struct exchange_client_ops *ops = exchange->to.ops;
	if (!ops->write(exchange->to.client, bytes))
		return false;
	exchange->report.bytes += bytes.len;
	exchange->sent_us = exchange_now(exchange);
	pause_when_full(exchange);
	return true;
}

void exchange_on_tight(struct run_sink *sink)
{
	pause_when_full(container_of(sink, struct exchange, sink));
}

enum exchange_step exchange_write(struct exchange *exchange, struct span bytes)
{
	return exchange_send(exchange, bytes) ? EXCHANGE_WAIT : exchange_cuts(exchange, ERROR_OVERLOADED);
}
