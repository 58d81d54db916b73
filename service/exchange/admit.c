/* SPDX-License-Identifier: MIT */
/*
 * Reading a request, in the loop's turn, or by a helper thread when the body is large or holds much; and admitting it:
 * it is refused, or its plan is found, and how it uses the cache. A reading owns all that a helper touches; only the
 * loop looks at the exchange.
 */
#include <stdlib.h>

#include "lib/hash.h"
#include "lib/step.h"
#include "lib/trace.h"
#include "service/exchange/embedding.h"
#include "service/exchange/internal.h"
#include "service/exchange/reading.h"
#include "service/exchange/telling.h"

enum {
	READING_OVERHEAD = 1 << 20, /* bytes of texts for findings, and what blocks leave unused */
	READING_IN_TURN = 4096,     /* values and names of members: some 2 ms of work, whatever they are */
};

static struct reading *reading_create(struct exchange *exchange)
{
	struct reading *reading = malloc(sizeof(*reading));
	if (reading == NULL)
		return NULL;
	*reading = (struct reading){.exchange = exchange,
				    .kind = exchange->kind,
				    .config = exchange_config(exchange),
				    .limits = exchange_config(exchange)->limits.json,
				    .body = exchange->asked.body,
				    .dialect = exchange->asked.dialect,
				    .holder = holder_hold(exchange->asked.holder),
				    .tenant = exchange->asked.tenant,
				    .caches = exchange->worker->flights.cache != NULL &&
					      !exchange->caching.directives.no_store,
				    .request = request_hold(exchange->request)};
	return reading;
}

static void reading_free(struct reading *reading)
{
	if (reading->embedding != NULL)
		embedding_destroy(reading->embedding);
	request_drop(reading->request);
	holder_drop(reading->holder);
	free(reading);
}

void reading_drop(struct reading *reading)
{
	if (reading == NULL)
		return;
	if (reading->submitted)
		offload_cancel(&reading->job);
	else
		reading_free(reading);
}

/* ---- by a helper ---- */

static void reading_work(struct offload_job *job)
{
	struct reading *reading = (struct reading *)job;
	reading->kind->read(reading);
	if (reading->keyed) /* its flight may be shared */
		request_checksum(reading->request);
}

static void reading_done(struct offload_job *job)
{
	struct reading *reading = (struct reading *)job;
	struct exchange *exchange = reading->exchange;
	reading->submitted = false;
	if (job->refused)
		finding_only(&reading->findings, (struct finding){.code = ERROR_OVERLOADED});
	exchange_set_state(exchange, EXCHANGE_ST_WAITING);
	if (exchange_go(exchange, EXCHANGE_ADMIT))
		exchange_keepalive_begin(exchange);
}

static void reading_discard(struct offload_job *job)
{
	reading_free((struct reading *)job);
}

/* Nodes and escaped texts of the body, and of the documents that are nested in it. */
static size_t arena_most(const struct reading *reading)
{
	size_t nodes = reading->config->limits.json.values * sizeof(struct json_node);
	return reading->kind->documents * (nodes + 2 * reading->body.len) + READING_OVERHEAD;
}

static enum exchange_step read_apart(struct exchange *exchange)
{
	struct reading *reading = exchange->reading;
	struct request *request = exchange->request;
	struct bytes *body = exchange->to.ops->hold_body(exchange->to.client);
	if (body == NULL)
		return exchange_fails(exchange, ERROR_OVERLOADED);
	request_keep_body(request, body);
	request->arena.limit += arena_most(reading);
	reading->findings.count = 0;
	reading->limits = reading->config->limits.json;
	reading->apart = true;
	reading->tenant = arena_copy(&request->arena, reading->tenant);
	reading->job = (struct offload_job){.work = reading_work,
					    .done = reading_done,
					    .discard = reading_discard,
					    .kind = OFFLOAD_DECODE,
					    .owner = {request->network, request->identity},
					    .bytes = reading->body.len};
	reading->submitted = true;
	exchange_set_state(exchange, EXCHANGE_ST_READING);
	offload_submit(exchange_plan(exchange)->offload, &reading->job);
	return EXCHANGE_WAIT;
}

/* ---- in the turn ---- */

/* Returns whether the request has more values than are read in a turn, so that a helper must read it all again. */
static bool is_heavy(const struct reading *reading)
{
	return reading->findings.count > 0 && reading->findings.list[0].code == ERROR_BODY_TOO_LARGE &&
	       reading->limits.values < reading->config->limits.json.values;
}

enum exchange_step exchange_decode(struct exchange *exchange)
{
	bool helped = exchange_plan(exchange)->offload != NULL;
	if (exchange->worker->flights.cache != NULL && exchange->kind->cached)
		exchange->caching.directives = cache_directives_read(exchange->asked.cache_control);
	struct reading *reading = exchange->reading = reading_create(exchange);
	if (reading == NULL)
		return exchange_fails(exchange, ERROR_OVERLOADED);
	if (helped && reading->body.len >= OFFLOAD_LARGE)
		return read_apart(exchange);
	if (helped && reading->limits.values > READING_IN_TURN)
		reading->limits.values = READING_IN_TURN;
	struct step_mark before = step_enter("decode");
	exchange->kind->read(reading);
	step_leave(before);
	return is_heavy(reading) ? read_apart(exchange) : EXCHANGE_ADMIT;
}

/* ---- admitting ---- */

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
	exchange_keep_under(exchange, exchange->asked.tenant);
	caching->on = reading->keyed;
	caching->keeping.key = reading->key;
	if (reading->embedding != NULL)
		embedding_attach(exchange, reading->embedding);
	reading->embedding = NULL;
	if (!caching->on && exchange->report.model->cache.policy != CONFIG_CACHE_OFF)
		exchange->report.cache = CACHE_RESULT_BYPASS;
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
	exchange->to.dropped = telling_dropped(exchange);
	exchange->reading = NULL;
	reading_drop(reading);
	exchange->options = options_of(exchange, plan);
	const struct caching *caching = &exchange->caching;
	if (caching->on)
		return caching->embedding != NULL ? EXCHANGE_LOOK_UP_INPUTS : EXCHANGE_LOOK_UP;
	return caching->directives.only_if_cached ? exchange_fails(exchange, ERROR_NOT_CACHED) : EXCHANGE_PASS;
}
