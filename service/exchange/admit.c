/* SPDX-License-Identifier: MIT */
/* Admitting a request that was read: it is refused, or its plan is found, and how it uses the cache. */
#include "lib/hash.h"
#include "lib/trace.h"
#include "service/exchange/embedding.h"
#include "service/exchange/internal.h"
#include "service/exchange/reading.h"

/* Returns when a client that waits for so many seconds from then on gives up; 0 = it does not say. */
static uint64_t read_deadline(struct span seconds, uint64_t started_us)
{
	int64_t count = exchange_read_count(seconds);
	return count <= 0 ? 0 : started_us + (uint64_t)count * 1000000;
}

static struct flight_options options_of(struct exchange *exchange, const struct plan *plan)
{
	char traceparent[TRACE_PARENT_SIZE];
	trace_continue(exchange->asked.traceparent, traceparent);
	return (struct flight_options){.plan = plan,
				       .model_index = exchange->report.model_index,
				       .request_id = exchange->report.request_id,
				       .traceparent = arena_copy(exchange_arena(exchange), span_of(traceparent)),
				       .deadline_us =
					   read_deadline(exchange->asked.timeout, exchange->report.started_us),
				       .retries_before = exchange->report.retries_before,
				       .tap = observers_tap(&exchange->observers)};
}

/* Takes what the reading found for the cache. */
static void take_keys(struct exchange *exchange, struct reading *reading)
{
	struct caching *caching = &exchange->caching;
	if (exchange->worker->flights.cache == NULL || !exchange->kind->cached)
		return;
	exchange_keep_under(exchange, exchange->asked.authorization);
	caching->on = reading->keyed;
	caching->keeping.key = reading->key;
	if (reading->embedding != NULL)
		embedding_attach(exchange, reading->embedding);
	reading->embedding = NULL;
	if (!caching->on && exchange->report.model->cache.policy != CONFIG_CACHE_OFF)
		exchange->report.cache = METRICS_CACHE_BYPASS;
}

static const struct plan *find_plan(struct exchange *exchange, struct reading *reading)
{
	exchange->report.requested = reading->requested;
	exchange->report.model = reading->model;
	if (reading->model != NULL)
		exchange->report.model_index = (size_t)(reading->model - reading->config->models);
	return reading->findings.count > 0 ? NULL : exchange->kind->admit(exchange, reading);
}

enum exchange_step exchange_admit(struct exchange *exchange)
{
	struct reading *reading = exchange->reading;
	const struct plan *plan = find_plan(exchange, reading);
	if (plan == NULL)
		return exchange_refuse_findings(exchange, &reading->findings);
	take_keys(exchange, reading);
	exchange->reading = NULL;
	reading_drop(reading);
	exchange->options = options_of(exchange, plan);
	const struct caching *caching = &exchange->caching;
	if (caching->on)
		return caching->embedding != NULL ? EXCHANGE_LOOK_UP_INPUTS : EXCHANGE_LOOK_UP;
	return caching->directives.only_if_cached ? exchange_fails(exchange, ERROR_NOT_CACHED) : EXCHANGE_PASS;
}
