/* SPDX-License-Identifier: MIT */
/*
 * The table of steps, and an exchange's beginning and end. What the request means and what the events of its answer
 * become is the business of its kind: relay.c or fanout.c.
 *
 * What may still be said depends on what was already sent: before the head any status; within a stream an in-band error
 * and no [DONE]; within a whole body only an abort. That is the difference between the states (machine.c).
 */
#include "service/exchange/exchange.h"

#include <stdlib.h>
#include <string.h>

#include "lib/container.h"
#include "service/access/key_metrics.h"
#include "service/exchange/embedding.h"
#include "service/exchange/look_back.h"
#include "service/exchange/telling.h"
#include "service/responses/response_memory.h"
#include "service/exchange/reading.h"
#include "service/exchange/recast.h"
#include "service/usage/recorder.h"

static void exchange_link(struct exchange *exchange)
{
	struct exchange_worker *worker = exchange->worker;
	exchange->next = worker->exchanges;
	exchange->back = &worker->exchanges;
	if (exchange->next != NULL)
		exchange->next->back = &exchange->next;
	worker->exchanges = exchange;
}

static void exchange_unlink(struct exchange *exchange)
{
	if (exchange->back == NULL)
		return;
	*exchange->back = exchange->next;
	if (exchange->next != NULL)
		exchange->next->back = exchange->back;
	exchange->back = NULL;
}

static enum exchange_step exchange_relay_events(struct exchange *exchange)
{
	(void)exchange;
	return EXCHANGE_WAIT; /* exchange_on_event() goes on */
}

/* Closes the books and frees the exchange. Nobody may be called for it afterwards. */
static enum exchange_step exchange_end(struct exchange *exchange)
{
	/* what it reserved is free before the client can know that the answer is complete, and ask again */
	exchange->report.attempts = exchange_attempts(exchange);
	exchange_set_source(exchange, NULL);
	look_back_close(exchange);
	embedding_close(exchange);
	caching_close(&exchange->caching);
	limiting_close(exchange);
	telling_close(exchange);
	if (exchange->worker->shared_responses != NULL && exchange->request->memory != NULL)
		response_memory_share(exchange->request->memory, exchange->worker->shared_responses);
	if (exchange->ending == EXCHANGE_COMPLETE)
		exchange->to.ops->finish(exchange->to.client);
	else if (exchange->ending == EXCHANGE_CUT)
		exchange->to.ops->abort(exchange->to.client);
	exchange_set_state(exchange, EXCHANGE_ST_ENDED);
	if (exchange->limiting.taken)
		usage_record_request(exchange_plan(exchange)->usage, exchange->request, exchange->report.model,
				     exchange->report.target);
	observers_tell_end(&exchange->observers, exchange_now(exchange));
	exchange->worker->flights.in_flight--;
	exchange_unlink(exchange);
	reading_drop(exchange->reading);
	timer_stop(exchange_timers(exchange), &exchange->stalled);
	exchange_keepalive_end(exchange);
	request_drop(exchange->request);
	holder_drop(exchange->asked.holder);
	buf_fini(&exchange->out);
	free(exchange);
	return EXCHANGE_WAIT;
}

#define TO(step) (1u << EXCHANGE_##step)
static const struct exchange_step_row exchange_steps[EXCHANGE_STEPS] = {
    [EXCHANGE_LOOK_BACK] = {"look back", exchange_look_back, TO(RECALL)},
    [EXCHANGE_RECALL] = {"recall", exchange_recall, TO(HIT) | TO(DECODE)},
    [EXCHANGE_DECODE] = {"decode", exchange_decode, TO(ADMIT)},
    [EXCHANGE_ADMIT] = {"admit", exchange_admit, TO(LOOK_UP) | TO(LOOK_UP_INPUTS) | TO(PASS)},
    [EXCHANGE_LOOK_UP] = {"look up", exchange_look_up, TO(HIT) | TO(JOIN)},
    [EXCHANGE_LOOK_UP_INPUTS] = {"look up inputs", embedding_look_up, TO(HIT_INPUTS) | TO(JOIN_INPUTS)},
    [EXCHANGE_HIT] = {"hit", exchange_hit, 0},
    [EXCHANGE_HIT_INPUTS] = {"hit inputs", embedding_hit, 0},
    [EXCHANGE_JOIN] = {"join", exchange_join, TO(LEAD) | TO(RELAY)},
    [EXCHANGE_JOIN_INPUTS] = {"join inputs", embedding_join, TO(LEAD) | TO(RELAY)},
    [EXCHANGE_LEAD] = {"lead", exchange_lead, TO(RELAY)},
    [EXCHANGE_PASS] = {"pass", exchange_pass, TO(RELAY)},
    [EXCHANGE_RELAY] = {"relay", exchange_relay_events, TO(HIT_INPUTS) | TO(JOIN_INPUTS) | TO(PASS)},
    [EXCHANGE_FAIL] = {"fail", exchange_fail, TO(HIT) | TO(HIT_INPUTS) | TO(JOIN) | TO(JOIN_INPUTS)},
    [EXCHANGE_END] = {"end", exchange_end, 0},
};
#undef TO

/* An event of the answer, wherever it comes from. */
static void exchange_on_event(struct run_sink *sink, struct run *run, const struct event *event)
{
	struct exchange *exchange = container_of(sink, struct exchange, sink);
	const struct exchange_source *source = exchange->source;
	enum exchange_step next = EXCHANGE_FAIL;
	(void)run;
	if (event->kind == EVENT_ERROR)
		exchange->failure = event->failure;
	else
		next = source->on_event != NULL ? source->on_event(exchange, event)
						: exchange->kind->on_event(exchange, event);
	if (next != EXCHANGE_WAIT)
		exchange_go(exchange, next);
}

/* Writes down who pays, for whatever is done for the request, also when its exchange is gone. */
static void set_payer(struct request *request, const struct holder *holder)
{
	if (holder != NULL) {
		request->key = arena_copy(&request->arena, span_of(holder->id));
		request->tenant = arena_copy(&request->arena, span_of(holder->key->tenant));
	}
	request->payer_hash = usage_hash(request->key, request->tenant);
}

/* Returns the endpoint as logs and metrics call it. */
static unsigned endpoint_of(const struct exchange_request *asked)
{
	if (!asked->kind->cached)
		return REPORT_FANOUT;
	return asked->dialect->tells ? report_endpoint_of(asked->dialect) : asked->endpoint;
}

static const struct config_responses *stored_limits_of(const struct exchange_worker *worker)
{
	return &worker->flights.plan.config->responses;
}

/* Returns what is stored for the client; NULL: nothing is. */
static const struct request_memory *memory_of(const struct exchange_worker *worker,
					      const struct exchange_request *asked, struct arena *arena)
{
	const struct response_store_limits limits = response_limits(stored_limits_of(worker));
	return asked->dialect->tells ? response_memory(worker->responses, &limits, asked->tenant, arena) : NULL;
}

/* Returns the bytes that may have to be read: those of the body, for each document in it, and of an earlier
 * conversation. */
static size_t bytes_to_read(const struct exchange_worker *worker, const struct exchange_request *asked)
{
	size_t own = asked->body.len * (2 * (size_t)asked->kind->documents - 1); /* a nested request is read anew */
	return asked->dialect->tells ? own + stored_limits_of(worker)->tenant_size : own;
}

static struct exchange *exchange_create(struct exchange_worker *worker, const struct exchange_request *asked)
{
	struct exchange *exchange = malloc(sizeof(*exchange));
	size_t most = request_arena_most(bytes_to_read(worker, asked));
	struct request *request =
	    exchange == NULL ? NULL : request_create(asked->dialect, asked->endpoint, most, asked->party);
	if (request == NULL) {
		free(exchange);
		return NULL;
	}
	memset(exchange, 0, sizeof(*exchange));
	request->identity = asked->client;
	request->network = asked->network;
	set_payer(request, asked->holder);
	if (asked->options.len > 0)
		request->own_options = arena_copy(&request->arena, asked->options);
	bool refused = worker->flights.plan.config->dialects.lossy == CONFIG_LOSSY_REFUSE;
	request->refuses_alone = !refused && span_is(asked->lossy, "refuse");
	request->refuses_losses = refused || request->refuses_alone;
	request->memory = memory_of(worker, asked, &request->arena);
	exchange->worker = worker;
	exchange->kind = asked->kind;
	exchange->steps = exchange_steps;
	exchange->asked = *asked;
	holder_hold(asked->holder);
	exchange->request = request;
	exchange->sink.on_event = exchange_on_event;
	exchange->sink.on_comment = exchange_on_comment;
	exchange->sink.on_tight = exchange_on_tight;
	buf_init(&exchange->out, worker->flights.plan.config->limits.event * 2 + 65536);
	buf_charge(&exchange->out, asked->party);
	report_open(&exchange->report, endpoint_of(asked), asked->http_version, worker->flights.plan.metrics,
		    exchange_now(exchange));
	observers_init(&exchange->observers);
	observers_add(&exchange->observers, &exchange->report.observer);
	exchange->report.retries_before = exchange_read_count(asked->retry_count);
	exchange->report.request_id = exchange_request_id(asked->request_id, &request->arena);
	if (asked->holder != NULL)
		exchange->report.key = asked->holder->id;
	exchange->report.key_number = key_metrics_of(asked->holder);
	exchange->report.model_index = worker->flights.plan.config->model_count;
	worker->flights.in_flight++;
	exchange_link(exchange);
	return exchange;
}

struct exchange *exchange_start(struct exchange_worker *worker, const struct exchange_request *asked,
				const struct exchange_client_ops *ops, void *client)
{
	struct exchange *exchange = exchange_create(worker, asked);
	if (exchange == NULL) {
		respond_overloaded(ops, client);
		struct report_refused refused = {
		    .request_id = asked->request_id, .http_version = asked->http_version, .error = ERROR_OVERLOADED};
		report_refusal(worker->flights.plan.metrics, &refused);
		return NULL;
	}
	exchange->to = (struct respond_to){.ops = ops,
					   .dialect = asked->dialect,
					   .client = client,
					   .request_id = exchange->report.request_id,
					   .form = asked->form,
					   .named = asked->kind->named || asked->dialect->names_events};
	exchange_set_state(exchange, EXCHANGE_ST_WAITING);
	if (!exchange_go(exchange, EXCHANGE_LOOK_BACK))
		return NULL;
	if (exchange->state != EXCHANGE_ST_READING)
		exchange_keepalive_begin(exchange);
	return exchange;
}

void exchange_on_drained(struct exchange *exchange)
{
	exchange_resume(exchange);
}

/* Ending one may end others, so each leaves the list before its turn. */
void exchange_end_all(struct exchange_worker *worker, enum error_code code)
{
	while (worker->exchanges != NULL) {
		struct exchange *exchange = worker->exchanges;
		exchange_unlink(exchange); /* NOLINT(clang-analyzer-unix.Malloc): the freed ones are unlinked */
		exchange_go(exchange, exchange_fails(exchange, code));
	}
}
