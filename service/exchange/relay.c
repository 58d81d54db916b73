/* SPDX-License-Identifier: MIT */
/*
 * Relaying: a model is asked as the client asked, and what its plan gives goes to
 * the client as it comes.
 */
#include "schemas/sse_write.h"
#include "service/exchange/internal.h"
#include "service/exchange/reading.h"
#include "service/exchange/telling.h"

static enum exchange_step relay_chunk(struct exchange *exchange, const struct event *event)
{
	if (event->origin != NULL)
		telling_note_dropped(exchange, event);
	if (exchange->report.events == 0)
		exchange_head(exchange, EXCHANGE_ST_STREAM, event->target, -1);
	exchange_note(exchange, event, true);
	if (telling_is_needed(exchange))
		return telling_chunk(exchange, event);
	if (event->raw.at != NULL)
		return exchange_write(exchange, event->raw);
	buf_reset(&exchange->out);
	sse_write_event(&exchange->out, event->data);
	if (buf_failed(&exchange->out))
		return exchange_fails(exchange, ERROR_OVERLOADED);
	return exchange_write(exchange, buf_span(&exchange->out));
}

static enum exchange_step relay_body(struct exchange *exchange, const struct event *event)
{
	struct span own = telling_own(exchange, event); /* all of it at once */
	bool as_told = own.at != NULL;
	if (event->origin != NULL)
		telling_note_dropped(exchange, event);
	if (telling_is_needed(exchange) && !as_told)
		return exchange_gather(exchange, event);
	if (exchange->state == EXCHANGE_ST_WAITING)
		exchange_head(exchange, EXCHANGE_ST_BODY, event->target, as_told ? (int64_t)own.len : event->total);
	exchange_note(exchange, event, true);
	return exchange_write(exchange, as_told ? own : event->data);
}

static enum exchange_step relay_end(struct exchange *exchange, const struct event *event)
{
	if (exchange->caching.whole != NULL)
		return exchange_give_gathered(exchange);
	if (exchange->state == EXCHANGE_ST_WAITING && exchange->request->stream)
		exchange_head(exchange, EXCHANGE_ST_STREAM, event->target, -1);
	if (exchange->state != EXCHANGE_ST_STREAM)
		return exchange_completes(exchange);
	if (telling_is_needed(exchange))
		return telling_end(exchange, event);
	buf_reset(&exchange->out);
	exchange->request->dialect->stream_end_write(&exchange->out);
	bool sent = !buf_failed(&exchange->out) && (event->raw.at == NULL || exchange_send(exchange, event->raw)) &&
		    exchange_send(exchange, buf_span(&exchange->out));
	return sent ? exchange_completes(exchange) : exchange_cuts(exchange, ERROR_OVERLOADED);
}

static enum exchange_step relay_on_event(struct exchange *exchange, const struct event *event)
{
	switch (event->kind) {
	case EVENT_CHUNK:
		return relay_chunk(exchange, event);
	case EVENT_USAGE:
		exchange_note(exchange, event, false);
		telling_usage(exchange, event);
		return EXCHANGE_WAIT;
	case EVENT_BODY:
		return relay_body(exchange, event);
	case EVENT_END:
		return relay_end(exchange, event);
	case EVENT_ERROR:
		break; /* of a failure EXCHANGE_FAIL tells */
	}
	return EXCHANGE_WAIT;
}

/* Whether the plan can do what the request asks for. */
static bool relay_check_plan(const struct request *request, const struct plan *plan, struct findings *findings)
{
	struct finding finding = {.code = ERROR_UNSUPPORTED_PARAMETER};
	if (request->endpoint == ENDPOINT_EMBEDDINGS && plan->gathers) {
		finding.message = SPAN("This model gathers several answers, which embeddings do not have.");
		finding.param = SPAN("model");
	} else if (plan->compares && request->choices != 1) {
		finding.message = SPAN("This model compares answers, which must have one choice each.");
		finding.param = request->endpoint == ENDPOINT_CHAT ? SPAN("n") : SPAN("prompt");
	} else {
		return true;
	}
	finding_only(findings, finding);
	return false;
}

/* Returns whether some target of the plan speaks a dialect. */
static bool speaks(const struct config_plan *plan, const struct dialect *dialect)
{
	for (size_t i = 0; i < plan->child_count; i++)
		if (speaks(plan->children[i], dialect))
			return true;
	return plan->backend != NULL && dialect_find(plan->backend->dialect) == dialect;
}

/* Decodes the request and finds its model. */
static void relay_read(struct reading *reading)
{
	struct request *request = reading->request;
	request->dialect = reading->dialect; /* a reading before may have left another one */
	bool good = request_decode(request, reading->body, &reading->limits, &reading->findings);
	reading->requested = request->model;
	if (!good)
		return;
	if (!config_key_may_use(holder_key(reading->holder), request->model)) {
		reading_refuse_model(&reading->findings, holder_key(reading->holder), request->model, SPAN("model"),
				     &request->arena);
		return;
	}
	reading->model = config_find_model(reading->config, request->model);
	if (reading->model == NULL) {
		finding_only(
		    &reading->findings,
		    (struct finding){.code = ERROR_MODEL_NOT_FOUND,
				     .message = arena_printf(&request->arena, "The model `%.*s` does not exist.",
							     SPAN_ARG(request->model)),
				     .param = SPAN("model")});
		return;
	}
	bool strict = reading->model->strict;
	if (strict && !request->dialect->request_check_strict(request, &request->arena, &reading->findings))
		return;
	request->own_told = request->own_dialect != NULL && speaks(reading->model->plan, request->own_dialect);
	if (reading->caches)
		reading_find_keys(reading);
}

static const struct plan *relay_admit(struct exchange *exchange, struct reading *reading)
{
	const struct plan *plan = exchange->worker->plans[exchange->report.model_index];
	return relay_check_plan(exchange->request, plan, &reading->findings) ? plan : NULL;
}

const struct exchange_kind exchange_relay = {
    .read = relay_read, .admit = relay_admit, .on_event = relay_on_event, .documents = 1, .cached = true};
