/* SPDX-License-Identifier: MIT */
/* A flight's life: created, started, ended or cancelled, left, and freed at the end of a turn. */
#include "service/flights/flight.h"

#include <stdlib.h>
#include <time.h>

#include "lib/container.h"
#include "lib/random.h"
#include "schemas/dialect.h"
#include "schemas/request.h"
#include "service/health/health.h"
#include "service/quotas/bill.h"

enum flight_state { FLIGHT_ST_NEW, FLIGHT_ST_RUNNING, FLIGHT_ST_ENDED, FLIGHT_ST_LEFT };

struct flight {
	struct run_shared shared; /* first: what the runs of a flight share is the flight */
	struct run_context context;
	struct run_sink root_sink;
	struct run *root;
	struct run_sink *sink; /* whom the answer is for */
	enum flight_state state;
	bool content_seen;
	struct request *request; /* held */
	struct task reap;
};

static void flight_free(struct task *task)
{
	struct flight *flight = container_of(task, struct flight, reap);
	arena_reset(flight->context.worker->scratch); /* what a large answer left there goes with it */
	bill_drop(flight->context.bill);
	request_drop(flight->request);
	free(flight);
}

/* Freed when nobody waits for it and no call of it is left; at the end of the turn, because callers up the stack may
 * still hold pieces of it. */
static void flight_reap(struct flight *flight)
{
	if (flight->state == FLIGHT_ST_LEFT && flight->shared.open_calls == 0)
		task_queue(flight->context.worker->reactor, &flight->reap);
}

static void flight_on_settled(struct run_shared *shared)
{
	if (shared->open_calls == 0)
		flight_reap((struct flight *)shared);
}

static void flight_on_comment(struct run_shared *shared)
{
	struct flight *flight = (struct flight *)shared;
	if (flight->state == FLIGHT_ST_RUNNING && flight->sink->on_comment != NULL)
		flight->sink->on_comment(flight->sink);
}

static void flight_on_tight(struct run_shared *shared)
{
	struct flight *flight = (struct flight *)shared;
	if (flight->state == FLIGHT_ST_RUNNING && flight->sink->on_tight != NULL)
		flight->sink->on_tight(flight->sink);
}

/* How long the plan took to give something: what hedges go by. */
static void flight_note_content(struct flight *flight, const struct event *event)
{
	const struct run_context *context = &flight->context;
	bool content =
	    event->kind == EVENT_BODY || (event->kind == EVENT_CHUNK && (event->carries & CARRIES_CONTENT) != 0);
	if (flight->content_seen || !content || context->worker->health == NULL)
		return;
	uint64_t now_us = timers_now(&context->worker->reactor->timers);
	flight->content_seen = true;
	struct health_kind kind = run_kind(context);
	health_model_content(context->worker->health, context->model_index, &kind, now_us - flight->shared.started_us,
			     now_us);
}

/* The plan runs no more. */
static void flight_stop(struct flight *flight, enum flight_state state)
{
	struct health *health = flight->context.worker->health;
	if (flight->state == FLIGHT_ST_RUNNING && health != NULL)
		health_plan_ends(health);
	flight->state = state;
	flight->shared.tap = NULL;
}

static void flight_on_event(struct run_sink *sink, struct run *run, const struct event *event)
{
	struct flight *flight = container_of(sink, struct flight, root_sink);
	(void)run;
	if (flight->state != FLIGHT_ST_RUNNING)
		return;
	if (event->kind == EVENT_END || event->kind == EVENT_ERROR)
		flight_stop(flight, FLIGHT_ST_ENDED);
	flight_note_content(flight, event);
	flight->sink->on_event(flight->sink, NULL, event);
}

struct flight *flight_create(const struct plan_worker *worker, struct request *request, struct bill *bill)
{
	struct flight *flight = malloc(sizeof(*flight));
	if (flight == NULL)
		return NULL;
	*flight = (struct flight){.request = request_hold(request)};
	flight->context = (struct run_context){.shared = &flight->shared,
					       .worker = worker,
					       .arena = &request->arena,
					       .request = request,
					       .client = request->identity,
					       .network = request->network,
					       .party = request->party,
					       .bill = bill_hold(bill)};
	flight->shared.on_settled = flight_on_settled;
	flight->shared.on_comment = flight_on_comment;
	flight->shared.on_tight = flight_on_tight;
	flight->root_sink.on_event = flight_on_event;
	flight->reap.run = flight_free;
	return flight;
}

static struct span make_answer_id(struct flight *flight, const struct request *request)
{
	char room[ANSWER_ID_SIZE];
	return arena_copy(flight->context.arena, request->dialect->make_id(request->endpoint, room));
}

bool flight_start(struct flight *flight, const struct flight_options *options, struct run_sink *sink)
{
	struct run_context *context = &flight->context;
	context->model_index = options->model_index;
	context->request_id = options->request_id;
	context->traceparent = options->traceparent;
	context->retries_before = options->retries_before;
	context->deadline_us = options->deadline_us;
	context->shared->tap = options->tap;
	context->created = time(NULL);
	context->id = make_answer_id(flight, context->request);
	flight->sink = sink;
	flight->root = plan_create_run(options->plan, context, &flight->root_sink);
	if (flight->root == NULL || arena_failed(context->arena))
		return false;
	flight->state = FLIGHT_ST_RUNNING;
	if (context->worker->health != NULL)
		health_plan_begins(context->worker->health);
	flight->shared.started_us = timers_now(&context->worker->reactor->timers);
	flight->root->ops->start(flight->root);
	return true;
}

void flight_pause(struct flight *flight, bool paused)
{
	if (flight->state == FLIGHT_ST_RUNNING)
		flight->root->ops->pause(flight->root, paused);
}

unsigned flight_attempts(const struct flight *flight)
{
	return flight->shared.attempts;
}

void flight_leave(struct flight *flight)
{
	bool running = flight->state == FLIGHT_ST_RUNNING;
	flight_stop(flight, FLIGHT_ST_LEFT);
	if (running)
		flight->root->ops->cancel(flight->root);
	flight_reap(flight);
}
