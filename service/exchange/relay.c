/* SPDX-License-Identifier: MIT */
/*
 * Relaying: a model is asked as the client asked, and what its plan gives goes to
 * the client as it comes.
 */
#include "schemas/sse_write.h"
#include "service/exchange/exchange_internal.h"

static void relay_on_chunk(struct exchange *exchange, const struct event *event)
{
	if (exchange->report.events == 0)
		exchange_head(exchange, EXCHANGE_ST_STREAM, event->target, -1);
	report_event(&exchange->report, event, exchange_now(exchange));
	if (event->raw.at != NULL) {
		exchange_write(exchange, event->raw);
		return;
	}
	buf_reset(&exchange->out);
	sse_write_event(&exchange->out, event->data);
	if (buf_failed(&exchange->out))
		exchange_fail_code(exchange, ERROR_OVERLOADED);
	else
		exchange_write(exchange, buf_span(&exchange->out));
}

static void relay_on_body(struct exchange *exchange, const struct event *event)
{
	if (exchange->state == EXCHANGE_ST_WAITING)
		exchange_head(exchange, EXCHANGE_ST_BODY, event->target, event->total);
	report_event(&exchange->report, event, exchange_now(exchange));
	exchange_write(exchange, event->data);
}

static void relay_on_end(struct exchange *exchange, const struct event *event)
{
	if (exchange->state == EXCHANGE_ST_WAITING && exchange->request.stream)
		exchange_head(exchange, EXCHANGE_ST_STREAM, event->target, -1);
	if (exchange->state == EXCHANGE_ST_STREAM && !exchange_write(exchange, OPENAI_STREAM_END))
		return;
	exchange_finish(exchange);
}

static void relay_on_event(struct exchange *exchange, const struct event *event)
{
	switch (event->kind) {
	case EVENT_CHUNK:
		relay_on_chunk(exchange, event);
		break;
	case EVENT_USAGE:
		report_usage(&exchange->report, event);
		break;
	case EVENT_BODY:
		relay_on_body(exchange, event);
		break;
	case EVENT_END:
		relay_on_end(exchange, event);
		break;
	case EVENT_ERROR:
		break; /* told by exchange.c */
	}
}

/* Whether the plan can do what the request asks for. */
static bool relay_check_plan(const struct exchange *exchange, const struct plan *plan, struct findings *findings)
{
	struct finding finding = {.code = ERROR_UNSUPPORTED_PARAMETER};
	if (exchange->request.endpoint == ENDPOINT_EMBEDDINGS && plan->gathers) {
		finding.message = SPAN("This model gathers several answers, which embeddings do not have.");
		finding.param = SPAN("model");
	} else if (plan->compares && exchange->request.choices != 1) {
		finding.message = SPAN("This model compares answers, which must have one choice each.");
		finding.param = exchange->request.endpoint == ENDPOINT_CHAT ? SPAN("n") : SPAN("prompt");
	} else {
		return true;
	}
	finding_only(findings, finding);
	return false;
}

/* Decodes the request and finds its model. */
static void relay_read(struct reading *reading)
{
	const struct config *config = reading->config;
	bool good = openai_request_decode(reading->request, reading->endpoint, reading->arena, reading->body,
					  &reading->limits, &reading->findings);
	reading->requested = reading->request->model;
	if (!good)
		return;
	reading->model = config_find_model(config, reading->request->model);
	if (reading->model == NULL) {
		finding_only(
		    &reading->findings,
		    (struct finding){.code = ERROR_MODEL_NOT_FOUND,
				     .message = arena_printf(reading->arena, "The model `%.*s` does not exist.",
							     SPAN_ARG(reading->request->model)),
				     .param = SPAN("model")});
		return;
	}
	bool strict = reading->model->strict;
	if (strict && !openai_request_check_strict(reading->request, reading->arena, &reading->findings))
		return;
	if (reading->caches)
		caching_read(reading);
}

static const struct plan *relay_admit(struct exchange *exchange, struct reading *reading)
{
	const struct plan *plan = exchange->worker->plans[exchange->report.model_index];
	if (!relay_check_plan(exchange, plan, &reading->findings))
		return NULL;
	caching_consider(exchange, reading);
	return plan;
}

const struct exchange_kind exchange_relay = {.read = relay_read, .admit = relay_admit, .on_event = relay_on_event};
