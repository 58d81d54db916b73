/* SPDX-License-Identifier: MIT */
/*
 * The state machine of one exchange: it has the request admitted, starts the
 * flight, and keeps what is sent in order. What the request means and what the
 * flight's events become is the business of its kind: relay.c or fanout.c.
 *
 * What may still be said depends on what was already sent: before the head
 * any status; within a stream an in-band error and no [DONE]; within a whole
 * body only an abort. That is the difference between the states.
 */
#include "service/exchange/exchange.h"

#include <stdlib.h>

#include "lib/container.h"
#include "service/exchange/embedding.h"
#include "service/exchange/exchange_internal.h"
#include "service/exchange/recast.h"
#include "service/plan/causes.h"

enum { EXCHANGE_DETAILS_MOST = 65536 };

unsigned exchange_attempts(const struct exchange *exchange)
{
	return exchange->caching.follower != NULL ? follower_attempts(exchange->caching.follower)
						  : flight_attempts(exchange->flight);
}

void exchange_set_state(struct exchange *exchange, enum exchange_state state)
{
#define FROM(st) (1u << EXCHANGE_ST_##st)
	static const unsigned allowed[EXCHANGE_ST_COUNT] = {
	    [EXCHANGE_ST_READING] = FROM(WAITING),
	    [EXCHANGE_ST_WAITING] = FROM(NEW) | FROM(READING),
	    [EXCHANGE_ST_STREAM] = FROM(WAITING),
	    [EXCHANGE_ST_BODY] = FROM(WAITING),
	    [EXCHANGE_ST_ENDED] = FROM(NEW) | FROM(READING) | FROM(WAITING) | FROM(STREAM) | FROM(BODY),
	};
#undef FROM
	if ((allowed[state] & 1u << exchange->state) == 0)
		__builtin_trap();
	exchange->state = state;
}

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

/* Closes the books and frees the exchange. Nobody may be called for it afterwards. */
static void exchange_close(struct exchange *exchange)
{
	exchange_set_state(exchange, EXCHANGE_ST_ENDED);
	exchange->report.attempts = exchange_attempts(exchange);
	report_close(&exchange->report, exchange->worker->flights.plan.metrics, exchange_now(exchange));
	exchange->worker->flights.in_flight--;
	exchange_unlink(exchange);
	reading_cancel(exchange);
	if (exchange->kind->close != NULL)
		exchange->kind->close(exchange);
	recast_cancel(exchange->recast);
	caching_close(exchange);
	timer_stop(&exchange->worker->flights.plan.reactor->timers, &exchange->stalled);
	keepalive_end(exchange);
	flight_leave(exchange->flight);
	buf_fini(&exchange->out);
	free(exchange);
}

void exchange_finish(struct exchange *exchange)
{
	exchange->to.ops->finish(exchange->to.client);
	exchange_close(exchange);
}

void exchange_abort(struct exchange *exchange, enum error_code code)
{
	exchange->report.error = code;
	exchange->to.ops->abort(exchange->to.client);
	exchange_close(exchange);
}

void exchange_head(struct exchange *exchange, enum exchange_state state, const struct config_plan *target,
		   int64_t content_length)
{
	struct caching_fields more;
	if (target != NULL)
		exchange->report.target = target->target;
	if (exchange->state == EXCHANGE_ST_STREAM && state == EXCHANGE_ST_STREAM)
		return; /* a comment needed it */
	caching_tell(exchange, &more);
	struct respond_head head = {.target = target == NULL ? NULL : target->target,
				    .attempts = exchange_attempts(exchange),
				    .processing_us = exchange_now(exchange) - exchange->report.started_us,
				    .stream = state == EXCHANGE_ST_STREAM,
				    .more = more.list,
				    .more_count = more.count};
	exchange_set_state(exchange, state);
	exchange->report.status = 200;
	respond_head(&exchange->to, &head, content_length);
}

/* An error while any status is still possible. */
static void exchange_refuse(struct exchange *exchange, const struct failure *failure)
{
	exchange->report.error = failure->code;
	if (failure->target != NULL)
		exchange->report.target = failure->target->target;
	exchange->report.status = respond_error(&exchange->to, exchange_attempts(exchange), failure, &exchange->out);
	exchange_finish(exchange);
}

void exchange_refuse_findings(struct exchange *exchange, const struct findings *findings)
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
	if (exchange->state == EXCHANGE_ST_WAITING || exchange->state == EXCHANGE_ST_READING)
		exchange_refuse(exchange, failure);
	else if (exchange->state == EXCHANGE_ST_STREAM)
		exchange_break_stream(exchange, failure);
	else
		exchange_abort(exchange, failure->code);
}

/* Returns whether the client may still get any answer: nothing was sent, or comments at most. */
static bool exchange_is_open(const struct exchange *exchange)
{
	return exchange->state == EXCHANGE_ST_WAITING ||
	       (exchange->state == EXCHANGE_ST_STREAM && exchange->report.events == 0);
}

/* When several targets failed, all of it is told. */
static void exchange_on_failure(struct exchange *exchange, const struct failure *failure)
{
	struct failure told = *failure;
	struct buf details;
	if (exchange_is_open(exchange) && caching_stand_in(exchange, failure))
		return;
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

void exchange_fail_code(struct exchange *exchange, enum error_code code)
{
	struct failure failure = failure_of(code);
	exchange_on_failure(exchange, &failure);
}

/* Ending one may end others, so each leaves the list before its turn. */
void exchange_end_all(struct exchange_worker *worker, enum error_code code)
{
	while (worker->exchanges != NULL) {
		struct exchange *exchange = worker->exchanges;
		exchange_unlink(exchange); /* NOLINT(clang-analyzer-unix.Malloc): the freed ones are unlinked */
		exchange_fail_code(exchange, code);
	}
}

/* Bytes that the client took so far, its kernel included. */
static uint64_t exchange_taken(const struct exchange *exchange)
{
	return exchange->report.bytes - exchange->to.ops->backlog(exchange->to.client);
}

static void on_stalled(struct timer *timer);

static void exchange_watch(struct exchange *exchange)
{
	exchange->taken = exchange_taken(exchange);
	timer_start(&exchange->worker->flights.plan.reactor->timers, &exchange->stalled,
		    exchange->worker->flights.plan.config->limits.stalled_us, on_stalled);
}

/* A client that reads nothing, or drips, is cut off: it would hold its backend's place for ever. */
static void on_stalled(struct timer *timer)
{
	struct exchange *exchange = container_of(timer, struct exchange, stalled);
	if (exchange_taken(exchange) - exchange->taken < CONFIG_PROGRESS)
		exchange_abort(exchange, ERROR_CLIENT_TOO_SLOW);
	else
		exchange_watch(exchange);
}

static void exchange_pause(struct exchange *exchange, bool paused)
{
	if (paused)
		exchange_watch(exchange);
	else
		timer_stop(&exchange->worker->flights.plan.reactor->timers, &exchange->stalled);
	recast_pause(exchange->recast, paused);
	if (exchange->caching.follower != NULL)
		follower_pause(exchange->caching.follower, paused);
	else
		flight_pause(exchange->flight, paused);
}

bool exchange_send(struct exchange *exchange, struct span bytes)
{
	if (!exchange->to.ops->write(exchange->to.client, bytes))
		return false;
	exchange->report.bytes += bytes.len;
	exchange->sent_us = exchange_now(exchange);
	if (!exchange->paused &&
	    exchange->to.ops->is_full(exchange->to.client, exchange->worker->flights.plan.config->limits.buffer)) {
		exchange->paused = true;
		exchange_pause(exchange, true);
	}
	return true;
}

bool exchange_write(struct exchange *exchange, struct span bytes)
{
	if (exchange_send(exchange, bytes))
		return true;
	exchange_abort(exchange, ERROR_OVERLOADED);
	return false;
}

static void exchange_on_event(struct flight_subscriber *subscriber, const struct event *event)
{
	struct exchange *exchange = container_of(subscriber, struct exchange, subscriber);
	if (event->kind == EVENT_ERROR)
		exchange_on_failure(exchange, event->failure);
	else if (exchange->caching.follower != NULL)
		caching_on_event(exchange, event);
	else
		exchange->kind->on_event(exchange, event);
}

void exchange_on_drained(struct exchange *exchange)
{
	if (!exchange->paused)
		return;
	exchange->paused = false;
	exchange_pause(exchange, false);
	if (exchange->caching.embedding != NULL)
		embedding_on_drained(exchange);
}

void exchange_on_gone(struct exchange *exchange)
{
	exchange->report.error = ERROR_CLIENT_CLOSED;
	exchange_close(exchange);
}

static struct exchange *exchange_create(struct exchange_worker *worker, const struct exchange_request *request)
{
	struct exchange *exchange = calloc(1, sizeof(*exchange));
	bool relays = request->purpose == EXCHANGE_RELAY;
	size_t limit = flight_arena_most(request->body.len * (relays ? 1 : 3)); /* a nested request is read anew */
	struct flight *flight = exchange == NULL ? NULL : flight_create(&worker->flights.plan, limit, request->party);
	if (flight == NULL) {
		free(exchange);
		return NULL;
	}
	exchange->worker = worker;
	exchange->owner = (struct offload_owner){request->network, request->client};
	exchange->kind = relays ? &exchange_relay : &exchange_fanout;
	exchange->flight = flight;
	exchange->party = request->party;
	exchange->subscriber.on_event = exchange_on_event;
	exchange->subscriber.on_comment = keepalive_on_comment;
	buf_init(&exchange->out, worker->flights.plan.config->limits.event * 2 + 65536);
	buf_charge(&exchange->out, request->party);
	report_open(&exchange->report, relays ? request->endpoint : REPORT_FANOUT, request->http_version,
		    worker->flights.plan.metrics, exchange_now(exchange));
	exchange->report.retries_before = exchange_read_count(request->retry_count);
	exchange->report.request_id = exchange_request_id(request->request_id, flight_arena(flight));
	worker->flights.in_flight++;
	exchange_link(exchange);
	return exchange;
}

struct exchange *exchange_start(struct exchange_worker *worker, const struct exchange_request *request,
				const struct exchange_client_ops *ops, void *client)
{
	struct exchange *exchange = exchange_create(worker, request);
	if (exchange == NULL) {
		respond_overloaded(ops, client);
		struct report_refused refused = {.request_id = request->request_id,
						 .http_version = request->http_version,
						 .error = ERROR_OVERLOADED};
		report_refusal(worker->flights.plan.metrics, &refused);
		return NULL;
	}
	exchange->to = (struct respond_to){.ops = ops,
					   .client = client,
					   .request_id = exchange->report.request_id,
					   .form = request->form,
					   .named = request->purpose == EXCHANGE_FANOUT};
	exchange->report.model_index = worker->flights.plan.config->model_count;
	exchange_set_state(exchange, EXCHANGE_ST_WAITING);
	enum caching_step step =
	    request->purpose == EXCHANGE_RELAY ? caching_recall(exchange, request) : CACHING_PASSED;
	if (step == CACHING_PASSED)
		step = exchange_admit(exchange, request);
	if (step != CACHING_RUNS)
		return NULL;
	if (exchange->state != EXCHANGE_ST_READING)
		keepalive_begin(exchange);
	return exchange;
}
