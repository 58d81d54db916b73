/* SPDX-License-Identifier: MIT */
/*
 * Fan-outs: exchanges whose request brings its own plan. The lanes are told by
 * an observer (fanout_lanes.c); here is what the plan as a whole gives, and the end.
 *
 * Streamed, the head goes out with the first lane that starts, so every failure of the plan is told in the stream.
 * Whole, nothing is sent before the end.
 */
#include "service/exchange/fanout_internal.h"

#include <time.h>

#include "config/plan_inline.h"
#include "lib/container.h"
#include "lib/random.h"
#include "schemas/dialect.h"
#include "schemas/openai/write.h"
#include "schemas/sse_write.h"
#include "service/exchange/recast.h"

static void on_give_up(struct task *task)
{
	struct fanout_run *fanout = container_of(task, struct fanout_run, give_up);
	exchange_go(fanout->exchange, exchange_fails(fanout->exchange, ERROR_OVERLOADED));
}

static struct fanout_run *fanout_create(struct exchange *exchange)
{
	char hex[33];
	struct arena *arena = exchange_arena(exchange);
	struct fanout_run *fanout = arena_zalloc(arena, 1, sizeof(*fanout));
	if (fanout == NULL)
		return NULL;
	random_hex(hex, 16);
	fanout->observer.ops = &fanout_observer_ops;
	fanout->exchange = exchange;
	fanout->created = time(NULL);
	fanout->id = arena_printf(arena, "fanout-%s", hex);
	fanout->give_up.run = on_give_up;
	buf_init(&fanout->answer, FANOUT_ANSWER_MOST);
	buf_init(&fanout->json, (size_t)FANOUT_ANSWER_MOST * 2);
	assembly_init(&fanout->assembly, FANOUT_ASSEMBLY_MOST);
	buf_charge(&fanout->answer, exchange->request->party);
	buf_charge(&fanout->json, exchange->request->party);
	assembly_charge(&fanout->assembly, exchange->request->party);
	return fanout;
}

/* What is read of a fan-out. */
struct fanout_reading {
	struct fanout_request request;
	bool strict_read; /* strict holds what the strict rules find */
	struct findings strict;
};

static void fanout_read_strict(struct fanout_reading *fanout, struct arena *arena)
{
	fanout_request_check_strict(&fanout->request, arena, &fanout->strict);
	fanout->strict_read = true;
}

/* Whether a plan is strict is known when there is one, on the loop: a helper finds out what it would refuse. */
static void fanout_read(struct reading *reading)
{
	struct request *request = reading->request;
	struct fanout_reading *fanout = reading->fanout = arena_zalloc(&request->arena, 1, sizeof(*fanout));
	if (fanout == NULL) {
		finding_only(&reading->findings, (struct finding){.code = ERROR_OVERLOADED});
		return;
	}
	bool good = fanout_request_decode(&fanout->request, &request->openai, &request->arena, reading->body,
					  &reading->limits, &reading->findings);
	request_learn(request);
	if (good && reading->apart)
		fanout_read_strict(fanout, &request->arena);
}

/* Returns whether a strict plan takes the request. */
static bool fanout_is_strict(struct reading *reading)
{
	struct fanout_reading *fanout = reading->fanout;
	if (!fanout->strict_read)
		fanout_read_strict(fanout, &reading->request->arena);
	if (fanout->strict.count > 0)
		reading->findings = fanout->strict;
	return fanout->strict.count == 0;
}

static const struct plan *fanout_admit(struct exchange *exchange, struct reading *reading)
{
	struct fanout_run *fanout = exchange->fanout = fanout_create(exchange);
	if (fanout == NULL) {
		finding_only(&reading->findings, (struct finding){.code = ERROR_OVERLOADED});
		return NULL;
	}
	observers_add(&exchange->observers, &fanout->observer);
	fanout->request = reading->fanout->request;
	const struct plan *plan = fanout_plan(fanout, &reading->findings);
	if (plan != NULL && config_plan_is_strict(plan->source) && !fanout_is_strict(reading))
		return NULL;
	return plan;
}

/* The plan is done, and every lane was told. */
static enum exchange_step end_stream(struct exchange *exchange, const struct lane *winner)
{
	struct fanout_run *fanout = exchange->fanout;
	struct answer_identity identity = {.id = fanout->id, .model = SPAN(FANOUT_MODEL), .created = fanout->created};
	bool gathered = winner == NULL && openai_answer_write(&fanout->assembly, ENDPOINT_CHAT, &identity,
							      &USAGE_UNKNOWN, &fanout->answer);
	fanout_write_before_result(fanout, winner);
	buf_append(&fanout->json, gathered ? buf_span(&fanout->answer) : SPAN("null"));
	buf_append(&fanout->json, SPAN(FANOUT_AFTER_RESULT));
	buf_reset(&fanout->answer);
	sse_write_named(&fanout->answer, "result", buf_span(&fanout->json));
	buf_append(&fanout->answer, OPENAI_STREAM_END);
	if (buf_failed(&fanout->json) || buf_failed(&fanout->answer))
		return exchange_fails(exchange, ERROR_OVERLOADED);
	return exchange_send(exchange, buf_span(&fanout->answer)) ? exchange_completes(exchange)
								  : exchange_cuts(exchange, ERROR_OVERLOADED);
}

static enum exchange_step end_whole(struct exchange *exchange, const struct event *event, const struct lane *winner)
{
	struct fanout_run *fanout = exchange->fanout;
	if (buf_failed(&fanout->answer))
		return exchange_fails(exchange, ERROR_UPSTREAM_TOO_LARGE);
	fanout_write_before_result(fanout, winner);
	if (buf_failed(&fanout->json))
		return exchange_fails(exchange, ERROR_OVERLOADED);
	struct recast_source source = {
	    .part = buf_take(&fanout->answer), .before = buf_take(&fanout->json), .after = FANOUT_AFTER_RESULT};
	return recast_begin(exchange, &source, event->target);
}

static enum exchange_step fanout_on_end(struct exchange *exchange, const struct event *event)
{
	const struct lane *winner = fanout_winner(exchange->fanout, event->target);
	if (exchange->fanout->given_up)
		return exchange_fails(exchange, ERROR_OVERLOADED);
	if (event->target != NULL)
		exchange->report.target = event->target->target;
	return exchange->request->stream ? end_stream(exchange, winner) : end_whole(exchange, event, winner);
}

/* Adds an event of several lanes to the answer. */
static void gather(struct exchange *exchange, const struct event *event)
{
	struct arena *scratch = exchange->worker->flights.plan.scratch;
	struct assembly *assembly = &exchange->fanout->assembly;
	struct deltas deltas;
	if (event_deltas(event, scratch, &deltas))
		assembly_add(assembly, &deltas);
	else
		assembly_fail(assembly, arena_failed(scratch));
}

static enum exchange_step fanout_on_event(struct exchange *exchange, const struct event *event)
{
	exchange_note(exchange, event, false);
	if (event->kind == EVENT_BODY) {
		buf_append(&exchange->fanout->answer, event->data);
	} else if (event->kind == EVENT_CHUNK && event->target == NULL && (event->carries & CARRIES_NO_CHOICE) == 0) {
		gather(exchange, event);
	} else if (event->kind == EVENT_END) {
		return fanout_on_end(exchange, event);
	}
	return EXCHANGE_WAIT;
}

const struct exchange_kind exchange_fanout = {
    .read = fanout_read, .admit = fanout_admit, .on_event = fanout_on_event, .documents = 2, .named = true};
