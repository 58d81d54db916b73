/* SPDX-License-Identifier: MIT */
/*
 * From a fan-out's request to a plan. Targets with a strategy are a short way to write a plan, and become one; only
 * what is wrong with them is told in their own words.
 */
#include "config/plan_inline.h"
#include "service/exchange/fanout_internal.h"

enum { FANOUT_FINDINGS_MOST = 4096 };

static struct arena *arena_of(const struct fanout_run *fanout)
{
	return exchange_arena(fanout->exchange);
}

static const struct config *config_of(const struct fanout_run *fanout)
{
	return fanout->exchange->worker->flights.plan.config;
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
		if (config_find_model(config_of(fanout), name) != NULL)
			continue;
		refuse_plan(findings, ERROR_MODEL_NOT_FOUND, arena_printf(arena_of(fanout), "targets[%u]", index),
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
	    config_plan_read_json(config_of(fanout), json, node, limits, arena_of(fanout), &wrong);
	if (plan == NULL)
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

const struct plan *fanout_plan(struct fanout_run *fanout, struct findings *findings)
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
