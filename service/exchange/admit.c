/* SPDX-License-Identifier: MIT */
/* An exchange from its request to the flight: read in the turn or by a helper, then refused or started. */
#include "lib/step.h"
#include "lib/trace.h"
#include "service/flights/decoded.h"
#include "service/exchange/exchange_internal.h"
#include "service/loop/offload.h"

int64_t exchange_read_count(struct span text)
{
	int64_t count = text.len == 0 || text.len > 4 ? -1 : 0;
	for (size_t i = 0; i < text.len && count >= 0; i++)
		count = text.at[i] < '0' || text.at[i] > '9' ? -1 : count * 10 + (text.at[i] - '0');
	return count;
}

/* When a client that waits for so many seconds from then on gives up; 0 = it does not say. */
static uint64_t read_deadline(struct span seconds, uint64_t started_us)
{
	int64_t count = exchange_read_count(seconds);
	return count <= 0 ? 0 : started_us + (uint64_t)count * 1000000;
}

/* Runs the plan, unless the cache has the answer. */
static enum caching_step exchange_take_off(struct exchange *exchange, const struct exchange_request *request,
					   const struct plan *plan)
{
	struct arena *arena = flight_arena(exchange->flight);
	char traceparent[TRACE_PARENT_SIZE];
	trace_continue(request->traceparent, traceparent);
	struct flight_options options = {.plan = plan,
					 .model_index = exchange->report.model_index,
					 .request = &exchange->request,
					 .request_id = exchange->report.request_id,
					 .traceparent = arena_copy(arena, span_of(traceparent)),
					 .client = request->client,
					 .network = request->network,
					 .party = request->party,
					 .deadline_us = read_deadline(request->timeout, exchange->report.started_us),
					 .retries_before = exchange->report.retries_before,
					 .tap = exchange->tap};
	if (exchange->caching.on || exchange->caching.directives.only_if_cached)
		return caching_start(exchange, request, &options);
	return flight_start(exchange->flight, &options, &exchange->subscriber) ? CACHING_RUNS : CACHING_FAILED;
}

/* The request was read. */
static enum caching_step exchange_go_on(struct exchange *exchange, const struct exchange_request *request,
					struct reading *reading)
{
	exchange->report.requested = reading->requested;
	exchange->report.model = reading->model;
	if (reading->model != NULL)
		exchange->report.model_index = (size_t)(reading->model - reading->config->models);
	const struct plan *plan = reading->findings.count > 0 ? NULL : exchange->kind->admit(exchange, reading);
	if (plan != NULL) {
		enum caching_step step = exchange_take_off(exchange, request, plan);
		if (step != CACHING_FAILED)
			return step;
		finding_only(&reading->findings, (struct finding){.code = ERROR_OVERLOADED});
	}
	exchange_refuse_findings(exchange, &reading->findings);
	return CACHING_ANSWERED;
}

void exchange_on_read(struct exchange *exchange, struct reading *reading, struct decoded *decoded)
{
	flight_hold(exchange->flight, decoded);
	exchange->decoded = decoded;
	exchange->request = decoded->request;
	exchange_set_state(exchange, EXCHANGE_ST_WAITING);
	if (exchange_go_on(exchange, exchange->caching.request, reading) == CACHING_RUNS)
		keepalive_begin(exchange);
}

/* A heavy request is a helper's. */
static enum caching_step exchange_read_apart(struct exchange *exchange, const struct exchange_request *request,
					     struct reading *reading)
{
	if (caching_keep_request(exchange, request) && reading_begin(exchange, reading)) {
		exchange_set_state(exchange, EXCHANGE_ST_READING);
		return CACHING_RUNS;
	}
	finding_only(&reading->findings, (struct finding){.code = ERROR_OVERLOADED});
	exchange_refuse_findings(exchange, &reading->findings);
	return CACHING_ANSWERED;
}

enum caching_step exchange_admit(struct exchange *exchange, const struct exchange_request *request)
{
	struct reading reading;
	if (exchange->worker->flights.cache != NULL && exchange->kind == &exchange_relay)
		exchange->caching.directives = cache_directives_read(request->cache_control);
	reading_init(&reading, exchange, request);
	bool helped = exchange->worker->flights.plan.offload != NULL;
	if (helped && request->body.len >= OFFLOAD_LARGE)
		return exchange_read_apart(exchange, request, &reading);
	if (helped)
		reading_limit(&reading);
	reading.arena = flight_arena(exchange->flight);
	reading.request = &exchange->request;
	struct step_mark before = step_enter("decode");
	exchange->kind->read(&reading);
	step_leave(before);
	if (reading_is_heavy(&reading))
		return exchange_read_apart(exchange, request, &reading);
	enum caching_step step = exchange_go_on(exchange, request, &reading);
	reading_fini(&reading);
	return step;
}
