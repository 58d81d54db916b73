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
	collection_init(&fanout->events, FANOUT_ASSEMBLY_MOST, exchange->request->party);
	buf_charge(&fanout->answer, exchange->request->party);
	buf_charge(&fanout->json, exchange->request->party);
	return fanout;
}

/* ---- from the request to a plan: targets with a strategy are a short way to write a plan, and become one; only what
 * is wrong with them is told in their own words ---- */

enum { FANOUT_FINDINGS_MOST = 4096 };

static struct arena *arena_of(const struct fanout_run *fanout)
{
	return exchange_arena(fanout->exchange);
}

static const struct config *config_of(const struct fanout_run *fanout)
{
	return fanout->exchange->worker->flights.plan.config;
}

static const struct config_key *holder_of(const struct fanout_run *fanout)
{
	return holder_key(fanout->exchange->asked.holder);
}

static void refuse_plan(struct findings *findings, enum error_code code, struct span param, struct span message)
{
	finding_only(findings, (struct finding){.code = code, .param = param, .message = message});
}

/* Every target is a model that there is, and there are not too many. */
static bool check_targets(const struct fanout_run *fanout, struct findings *findings)
{
	const struct json *json = &fanout->request.json;
	uint32_t targets = fanout->request.fields.targets.node;
	unsigned count = json->nodes[targets].count, most = config_of(fanout)->fanout.width;
	unsigned index = 0;
	if (count > most) {
		refuse_plan(findings, ERROR_INVALID_PLAN, SPAN("targets"),
			    arena_printf(arena_of(fanout), "There are %u targets; the limit is %u (fanout.width).",
					 count, most));
		return false;
	}
	for (uint32_t at = json_first(json, targets); at != JSON_NONE; at = json_next(json, targets, at), index++) {
		struct span name = json_string(json, at, arena_of(fanout));
		struct span place = arena_printf(arena_of(fanout), "targets[%u]", index);
		if (!config_key_may_use(holder_of(fanout), name)) {
			reading_refuse_model(findings, holder_of(fanout), name, place, arena_of(fanout));
			return false;
		}
		if (config_find_model(config_of(fanout), name) != NULL)
			continue;
		refuse_plan(findings, ERROR_MODEL_NOT_FOUND, place,
			    arena_printf(arena_of(fanout), "The model `%.*s` does not exist.", SPAN_ARG(name)));
		return false;
	}
	return true;
}

/* {"STRATEGY": TARGETS} as a document of its own. */
static bool write_plan(const struct fanout_run *fanout, struct json *json)
{
	const struct fanout_request *request = &fanout->request;
	struct span strategy = request->fields.strategy.value;
	struct span targets = json_raw(&request->json, request->fields.targets.node);
	struct json_error error;
	struct span text = arena_printf(arena_of(fanout), "{\"%.*s\":%.*s}",
					SPAN_ARG(strategy.at == NULL ? SPAN("all") : strategy), SPAN_ARG(targets));
	return text.at != NULL && json_parse(json, arena_of(fanout), text, 2, &error);
}

/* Reads the plan at node of json. NULL with a finding. */
static const struct config_plan *read_plan(const struct fanout_run *fanout, const struct json *json, uint32_t node,
					   const struct config_fanout *limits, struct findings *findings)
{
	struct config_plan_finding wrong;
	const struct config_plan *plan =
	    config_plan_read_json(config_of(fanout), json, node, limits, holder_of(fanout), arena_of(fanout), &wrong);
	if (plan == NULL && wrong.forbidden.at != NULL)
		reading_refuse_model(findings, holder_of(fanout), wrong.forbidden, span_of(wrong.path),
				     arena_of(fanout));
	else if (plan == NULL)
		refuse_plan(findings, ERROR_INVALID_PLAN, arena_copy(arena_of(fanout), span_of(wrong.path)),
			    arena_printf(arena_of(fanout), "%s: %s", wrong.path, wrong.text));
	return plan;
}

static const struct config_plan *read_either(const struct fanout_run *fanout, struct findings *findings)
{
	const struct fanout_request *request = &fanout->request;
	const struct config_fanout *limits = &config_of(fanout)->fanout;
	struct config_fanout flat = {.depth = 2, .width = limits->width};
	struct json json;
	if (request->fields.plan.node != JSON_NONE)
		return read_plan(fanout, &request->json, request->fields.plan.node, limits, findings);
	if (!check_targets(fanout, findings))
		return NULL;
	if (write_plan(fanout, &json))
		return read_plan(fanout, &json, 0, &flat, findings);
	finding_only(findings, (struct finding){.code = ERROR_OVERLOADED});
	return NULL;
}

/* The first line of what plan_build_inline() has against it. */
static struct span first_line(const struct fanout_run *fanout, const struct buf *errors)
{
	struct span text = buf_span(errors);
	const char *end = memchr(text.at, '\n', text.len);
	return arena_copy(arena_of(fanout), (struct span){text.at, end == NULL ? text.len : (size_t)(end - text.at)});
}

static const struct plan *build(const struct fanout_run *fanout, const struct config_plan *source,
				struct findings *findings)
{
	bool named = fanout->request.fields.plan.node != JSON_NONE;
	struct buf errors;
	buf_init(&errors, FANOUT_FINDINGS_MOST);
	const struct plan *plan = plan_build_inline(config_of(fanout), source, arena_of(fanout), &errors);
	if (plan == NULL)
		refuse_plan(findings, ERROR_INVALID_PLAN, named ? SPAN("plan") : SPAN("targets"),
			    first_line(fanout, &errors));
	buf_fini(&errors);
	return plan;
}

static const struct plan *fanout_plan(struct fanout_run *fanout, struct findings *findings)
{
	const struct config_plan *source = read_either(fanout, findings);
	const struct plan *plan = source == NULL ? NULL : build(fanout, source, findings);
	if (arena_failed(arena_of(fanout))) {
		finding_only(findings, (struct finding){.code = ERROR_OVERLOADED});
		return NULL;
	}
	if (plan == NULL)
		return NULL;
	fanout->strategy = source->combinator;
	if (!plan->compares || fanout->exchange->request->choices == 1)
		return plan;
	refuse_plan(findings, ERROR_INVALID_PLAN, SPAN("request.n"),
		    SPAN("This plan compares answers, which must have one choice each."));
	return NULL;
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
	bool good = fanout_request_decode(&fanout->request, request, &request->arena, reading->body, &reading->limits,
					  &reading->findings);
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
	bool gathered =
	    winner == NULL && exchange->request->dialect->answer_write(&fanout->events.assembly, ENDPOINT_CHAT,
								       &identity, &USAGE_UNKNOWN, &fanout->answer);
	fanout_write_before_result(fanout, winner);
	buf_append(&fanout->json, gathered ? buf_span(&fanout->answer) : SPAN("null"));
	buf_append(&fanout->json, SPAN(FANOUT_AFTER_RESULT));
	buf_reset(&fanout->answer);
	sse_write_named(&fanout->answer, "result", buf_span(&fanout->json));
	exchange->request->dialect->stream_end_write(&fanout->answer);
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

static enum exchange_step fanout_on_event(struct exchange *exchange, const struct event *event)
{
	exchange_note(exchange, event, false);
	if (event->kind == EVENT_BODY) {
		buf_append(&exchange->fanout->answer, event->data);
	} else if (event->kind == EVENT_CHUNK && event->target == NULL && (event->carries & CARRIES_NO_CHOICE) == 0) {
		collection_add(&exchange->fanout->events, event, exchange_plan(exchange)->scratch);
	} else if (event->kind == EVENT_END) {
		return fanout_on_end(exchange, event);
	}
	return EXCHANGE_WAIT;
}

const struct exchange_kind exchange_fanout = {
    .read = fanout_read, .admit = fanout_admit, .on_event = fanout_on_event, .documents = 2, .named = true};
