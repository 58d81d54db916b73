/* SPDX-License-Identifier: MIT */
/*
 * The state machine of one exchange: it decodes and validates the request, finds
 * the plan, starts the flight, and turns the flight's events into a response.
 *
 * What may still be said depends on what was already sent: before the head
 * any status; within a stream an in-band error and no [DONE]; within a whole
 * body only an abort. That is the difference between the states.
 */
#include "service/exchange/exchange.h"

#include <stdlib.h>

#include "lib/trace.h"
#include "schemas/sse_write.h"
#include "service/exchange/flight.h"
#include "service/exchange/report.h"
#include "service/exchange/respond.h"
#include "service/plan/causes.h"

/* Bytes of decoded request and bookkeeping per byte of body, and the least. */
enum { EXCHANGE_ARENA_FACTOR = 32, EXCHANGE_ARENA_LEAST = 1024 * 1024, EXCHANGE_DETAILS_MOST = 65536 };

enum exchange_state {
	EXCHANGE_ST_NEW,     /* nothing is known yet */
	EXCHANGE_ST_WAITING, /* the flight runs, nothing was sent */
	EXCHANGE_ST_STREAM,  /* the head of a stream was sent */
	EXCHANGE_ST_BODY,    /* the head of a whole answer was sent */
	EXCHANGE_ST_ENDED,   /* the response is complete, aborted, or nobody waits for it */
	EXCHANGE_ST_COUNT
};

struct exchange {
	struct exchange_worker *worker;
	struct respond_to to;
	enum exchange_state state;
	bool paused;
	struct flight *flight;
	struct flight_subscriber subscriber;
	struct openai_request request;
	struct buf out; /* one framed event, or an error body */
	struct report report;
};

static void exchange_set_state(struct exchange *exchange, enum exchange_state state)
{
#define FROM(st) (1u << EXCHANGE_ST_##st)
	static const unsigned allowed[EXCHANGE_ST_COUNT] = {
	    [EXCHANGE_ST_WAITING] = FROM(NEW),
	    [EXCHANGE_ST_STREAM] = FROM(WAITING),
	    [EXCHANGE_ST_BODY] = FROM(WAITING),
	    [EXCHANGE_ST_ENDED] = FROM(NEW) | FROM(WAITING) | FROM(STREAM) | FROM(BODY),
	};
#undef FROM
	if ((allowed[state] & 1u << exchange->state) == 0)
		__builtin_trap();
	exchange->state = state;
}

static struct timers *exchange_timers(const struct exchange *exchange)
{
	return &exchange->worker->plan.reactor->timers;
}

/* Closes the books and frees the exchange. Nobody may be called for it afterwards. */
static void exchange_close(struct exchange *exchange)
{
	exchange_set_state(exchange, EXCHANGE_ST_ENDED);
	exchange->report.attempts = flight_attempts(exchange->flight);
	report_close(&exchange->report, exchange->worker->plan.metrics, timers_now(exchange_timers(exchange)));
	exchange->worker->in_flight--;
	flight_leave(exchange->flight);
	buf_fini(&exchange->out);
	free(exchange);
}

static void exchange_finish(struct exchange *exchange)
{
	exchange->to.ops->finish(exchange->to.client);
	exchange_close(exchange);
}

static void exchange_abort(struct exchange *exchange, enum error_code code)
{
	exchange->report.error = code;
	exchange->to.ops->abort(exchange->to.client);
	exchange_close(exchange);
}

static void exchange_head(struct exchange *exchange, enum exchange_state state, const struct event *event)
{
	struct respond_head head = {.target = event->target == NULL ? NULL : event->target->target,
				    .attempts = flight_attempts(exchange->flight),
				    .processing_us =
					timers_now(exchange_timers(exchange)) - exchange->report.started_us,
				    .stream = state == EXCHANGE_ST_STREAM};
	exchange_set_state(exchange, state);
	exchange->report.status = 200;
	exchange->report.target = head.target;
	respond_head(&exchange->to, &head, event->kind == EVENT_BODY ? event->total : -1);
}

/* An error while any status is still possible. */
static void exchange_refuse(struct exchange *exchange, const struct failure *failure)
{
	exchange->report.error = failure->code;
	if (failure->target != NULL)
		exchange->report.target = failure->target->target;
	exchange->report.status =
	    respond_error(&exchange->to, flight_attempts(exchange->flight), failure, &exchange->out);
	exchange_finish(exchange);
}

/* The request itself is at fault: the first finding, with all of them as its details. */
static void exchange_refuse_findings(struct exchange *exchange, const struct findings *findings)
{
	struct buf details;
	struct failure failure = failure_of(findings->list[0].code);
	failure.message = findings->list[0].message;
	failure.param = findings->list[0].param;
	buf_init(&details, EXCHANGE_DETAILS_MOST);
	finding_write_all(&details, findings);
	if (findings->list[0].loc.at != NULL && !buf_failed(&details))
		failure.details = buf_span(&details);
	exchange_refuse(exchange, &failure);
	buf_fini(&details);
}

/* An error within a stream: told in-band, and no [DONE]. */
static void exchange_break_stream(struct exchange *exchange, const struct failure *failure)
{
	exchange->report.error = failure->code;
	if (respond_stream_error(&exchange->to, failure, &exchange->out))
		exchange_finish(exchange);
	else
		exchange_abort(exchange, failure->code);
}

static void exchange_tell(struct exchange *exchange, const struct failure *failure)
{
	if (exchange->state == EXCHANGE_ST_WAITING)
		exchange_refuse(exchange, failure);
	else if (exchange->state == EXCHANGE_ST_STREAM)
		exchange_break_stream(exchange, failure);
	else
		exchange_abort(exchange, failure->code);
}

/* When several targets failed, all of it is told. */
static void exchange_on_failure(struct exchange *exchange, const struct failure *failure)
{
	struct failure told = *failure;
	struct buf details;
	if (failure->causes == NULL || failure->causes->next == NULL) {
		exchange_tell(exchange, failure);
		return;
	}
	buf_init(&details, EXCHANGE_DETAILS_MOST);
	causes_write(&details, failure->causes);
	if (!buf_failed(&details))
		told.details = buf_span(&details);
	exchange_tell(exchange, &told);
	buf_fini(&details);
}

static void exchange_fail_code(struct exchange *exchange, enum error_code code)
{
	struct failure failure = failure_of(code);
	exchange_on_failure(exchange, &failure);
}

/* Sends bytes, and pauses the flight when the client falls behind. False when the exchange ended over it. */
static bool exchange_write(struct exchange *exchange, struct span bytes)
{
	if (!exchange->to.ops->write(exchange->to.client, bytes)) {
		exchange_abort(exchange, ERROR_OVERLOADED);
		return false;
	}
	exchange->report.bytes += bytes.len;
	if (!exchange->paused &&
	    exchange->to.ops->backlog(exchange->to.client) >= exchange->worker->plan.config->limits.buffer) {
		exchange->paused = true;
		flight_pause(exchange->flight, true);
	}
	return true;
}

static void exchange_on_chunk(struct exchange *exchange, const struct event *event)
{
	if (exchange->state == EXCHANGE_ST_WAITING)
		exchange_head(exchange, EXCHANGE_ST_STREAM, event);
	report_event(&exchange->report, event, timers_now(exchange_timers(exchange)));
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

static void exchange_on_body(struct exchange *exchange, const struct event *event)
{
	if (exchange->state == EXCHANGE_ST_WAITING)
		exchange_head(exchange, EXCHANGE_ST_BODY, event);
	report_event(&exchange->report, event, timers_now(exchange_timers(exchange)));
	exchange_write(exchange, event->data);
}

static void exchange_on_end(struct exchange *exchange, const struct event *event)
{
	if (exchange->state == EXCHANGE_ST_WAITING && exchange->request.stream)
		exchange_head(exchange, EXCHANGE_ST_STREAM, event);
	if (exchange->state == EXCHANGE_ST_STREAM && !exchange_write(exchange, SPAN("data: [DONE]\n\n")))
		return;
	exchange_finish(exchange);
}

static void exchange_on_event(struct flight_subscriber *subscriber, const struct event *event)
{
	struct exchange *exchange = (struct exchange *)((char *)subscriber - offsetof(struct exchange, subscriber));
	switch (event->kind) {
	case EVENT_CHUNK:
		exchange_on_chunk(exchange, event);
		break;
	case EVENT_USAGE:
		report_event(&exchange->report, event, timers_now(exchange_timers(exchange)));
		break;
	case EVENT_BODY:
		exchange_on_body(exchange, event);
		break;
	case EVENT_END:
		exchange_on_end(exchange, event);
		break;
	case EVENT_ERROR:
		exchange_on_failure(exchange, event->failure);
		break;
	}
}

void exchange_on_drained(struct exchange *exchange)
{
	if (!exchange->paused)
		return;
	exchange->paused = false;
	flight_pause(exchange->flight, false);
}

void exchange_on_gone(struct exchange *exchange)
{
	exchange->report.error = ERROR_CLIENT_CLOSED;
	exchange_close(exchange);
}

/* Whether the plan can do what the request asks for. */
static bool exchange_check_plan(const struct exchange *exchange, const struct plan *plan, struct findings *findings)
{
	struct finding finding = {.code = ERROR_UNSUPPORTED_PARAMETER};
	if (exchange->request.endpoint == OPENAI_EMBEDDINGS && plan->gathers) {
		finding.message = SPAN("This model gathers several answers, which embeddings do not have.");
		finding.param = SPAN("model");
	} else if (plan->compares && exchange->request.choices != 1) {
		finding.message = SPAN("This model compares answers, which must have one choice each.");
		finding.param = exchange->request.endpoint == OPENAI_CHAT ? SPAN("n") : SPAN("prompt");
	} else {
		return true;
	}
	finding_only(findings, finding);
	return false;
}

/* Decodes the request and finds its plan. NULL with findings when it must be refused. */
static const struct plan *exchange_admit(struct exchange *exchange, const struct exchange_request *request,
					 struct findings *findings)
{
	const struct config *config = exchange->worker->plan.config;
	struct arena *arena = flight_arena(exchange->flight);
	if (!openai_request_decode(&exchange->request, request->endpoint, arena, request->body,
				   config->limits.json_depth, findings))
		return NULL;
	const struct config_model *model = config_find_model(config, exchange->request.model);
	if (model == NULL) {
		finding_only(findings,
			     (struct finding){.code = ERROR_MODEL_NOT_FOUND,
					      .message = arena_printf(arena, "The model `%.*s` does not exist.",
								      SPAN_ARG(exchange->request.model)),
					      .param = SPAN("model")});
		return NULL;
	}
	exchange->report.model = model;
	exchange->report.model_index = (size_t)(model - config->models);
	const struct plan *plan = exchange->worker->plans[exchange->report.model_index];
	return exchange_check_plan(exchange, plan, findings) ? plan : NULL;
}

static bool exchange_take_off(struct exchange *exchange, const struct exchange_request *request,
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
					 .retries_before = exchange->report.retries_before};
	return flight_start(exchange->flight, &options, &exchange->subscriber);
}

/* A small number in decimal digits; -1 for anything else. */
static int64_t read_count(struct span text)
{
	int64_t count = text.len == 0 || text.len > 4 ? -1 : 0;
	for (size_t i = 0; i < text.len && count >= 0; i++)
		count = text.at[i] < '0' || text.at[i] > '9' ? -1 : count * 10 + (text.at[i] - '0');
	return count;
}

static struct exchange *exchange_create(struct exchange_worker *worker, const struct exchange_request *request)
{
	struct exchange *exchange = calloc(1, sizeof(*exchange));
	size_t limit = request->body.len * EXCHANGE_ARENA_FACTOR + EXCHANGE_ARENA_LEAST;
	struct flight *flight = exchange == NULL ? NULL : flight_create(&worker->plan, limit);
	if (flight == NULL) {
		free(exchange);
		return NULL;
	}
	exchange->worker = worker;
	exchange->flight = flight;
	exchange->subscriber.on_event = exchange_on_event;
	buf_init(&exchange->out, worker->plan.config->limits.event * 2 + 65536);
	report_open(&exchange->report, request->endpoint, request->http_version, worker->plan.metrics,
		    timers_now(exchange_timers(exchange)));
	exchange->report.retries_before = read_count(request->retry_count);
	exchange->report.request_id = exchange_request_id(request->request_id, flight_arena(flight));
	worker->in_flight++;
	return exchange;
}

struct exchange *exchange_start(struct exchange_worker *worker, const struct exchange_request *request,
				const struct exchange_client_ops *ops, void *client)
{
	struct exchange *exchange = exchange_create(worker, request);
	struct findings findings = {.count = 0};
	if (exchange == NULL) {
		respond_overloaded(ops, client);
		report_refusal(worker->plan.metrics, request->request_id, request->http_version, ERROR_OVERLOADED);
		return NULL;
	}
	exchange->to = (struct respond_to){
	    .ops = ops, .client = client, .request_id = exchange->report.request_id, .form = request->form};
	const struct plan *plan = exchange_admit(exchange, request, &findings);
	exchange_set_state(exchange, EXCHANGE_ST_WAITING);
	if (plan != NULL && exchange_take_off(exchange, request, plan))
		return exchange;
	if (plan != NULL)
		finding_only(&findings, (struct finding){.code = ERROR_OVERLOADED});
	exchange_refuse_findings(exchange, &findings);
	return NULL;
}
