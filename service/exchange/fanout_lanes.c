/* SPDX-License-Identifier: MIT */
/*
 * The observer of a fan-out: every leaf that starts is a lane, and what happens in it is told as it happens.
 *
 * It is called from within the plan, so it never ends the exchange: what can't be written is noted, and the exchange
 * is aborted at the end of the turn. A client that falls behind pauses the root of the plan, and with it
 * every lane that runs and every one that will start; each may still give what one read of its call brought.
 */
#include "lib/json_write.h"
#include "schemas/openai/deltas.h"
#include "schemas/sse_write.h"
#include "service/exchange/fanout_internal.h"

enum { LANE_TITLE_MOST = 65536, LANE_REASON_MOST = 64 };

static struct fanout_run *fanout_of(struct exchange_observer *observer)
{
	return (struct fanout_run *)observer;
}

static struct lane *find_lane(const struct fanout_run *fanout, unsigned index)
{
	struct lane *lane = fanout->first;
	while (lane != NULL && lane->index != index)
		lane = lane->next;
	return lane;
}

/* Sends what was written as an event of that name. */
static void send_event(struct fanout_run *fanout, const char *name)
{
	struct exchange *exchange = fanout->exchange;
	if (fanout->given_up)
		return;
	if (exchange->state == EXCHANGE_ST_WAITING)
		exchange_head(exchange, EXCHANGE_ST_STREAM, NULL, -1);
	buf_reset(&exchange->out);
	sse_write_named(&exchange->out, name, buf_span(&fanout->json));
	exchange->report.events++;
	if (!buf_failed(&fanout->json) && !buf_failed(&exchange->out) &&
	    exchange_send(exchange, buf_span(&exchange->out)))
		return;
	fanout->given_up = true;
	task_queue(exchange->worker->flights.plan.reactor, &fanout->give_up);
}

static struct span lane_title(const struct fanout_run *fanout, unsigned index, const struct config_plan *leaf)
{
	struct span copy = {NULL, 0};
	struct buf text;
	buf_init(&text, LANE_TITLE_MOST);
	buf_printf(&text, "\"index\":%u,\"name\":", index);
	json_write_string(&text, span_of(leaf->name != NULL ? leaf->name : leaf->target));
	buf_append(&text, SPAN(",\"target\":"));
	json_write_string(&text, span_of(leaf->target));
	if (!buf_failed(&text))
		copy = arena_copy(exchange_arena(fanout->exchange), buf_span(&text));
	buf_fini(&text);
	return copy;
}

/* One more lane; NULL when out of memory. */
static struct lane *add_lane(struct fanout_run *fanout, unsigned index, const struct config_plan *leaf)
{
	struct lane *lane = arena_zalloc(exchange_arena(fanout->exchange), 1, sizeof(*lane));
	struct span title = lane_title(fanout, index, leaf);
	if (lane == NULL || title.at == NULL)
		return NULL;
	*lane = (struct lane){.index = index, .leaf = leaf, .title = title, .usage = USAGE_UNKNOWN};
	if (fanout->first == NULL)
		fanout->first = lane;
	else
		fanout->last->next = lane;
	fanout->last = lane;
	return lane;
}

static void on_started(struct exchange_observer *observer, unsigned index, const struct plan *leaf)
{
	struct fanout_run *fanout = fanout_of(observer);
	const struct lane *lane = add_lane(fanout, index, leaf->source);
	if (lane == NULL && !fanout->given_up) {
		fanout->given_up = true;
		task_queue(fanout->exchange->worker->flights.plan.reactor, &fanout->give_up);
	}
	if (lane != NULL && fanout->exchange->request->stream) {
		fanout_write_started(fanout, lane);
		send_event(fanout, "lane.started");
	}
}

static void note_finish(struct fanout_run *fanout, struct lane *lane, struct span answer)
{
	struct arena scratch;
	struct json json;
	struct deltas deltas = {NULL, 0, 0};
	arena_init(&scratch, 0);
	if (event_parse(answer, &scratch, &json))
		openai_deltas_read(&json, &scratch, &deltas);
	struct span reason = deltas_finish(&deltas);
	if (lane->finish_reason.at == NULL && reason.at != NULL && reason.len <= LANE_REASON_MOST)
		lane->finish_reason = arena_copy(exchange_arena(fanout->exchange), reason);
	arena_fini(&scratch);
}

static void on_chunk(struct fanout_run *fanout, struct lane *lane, const struct event *event)
{
	if ((event->carries & CARRIES_USAGE) != 0)
		lane->usage = event->usage;
	if ((event->carries & CARRIES_FINISH) != 0)
		note_finish(fanout, lane, event->data);
	report_content(&fanout->exchange->report, event, exchange_now(fanout->exchange));
	fanout_write_delta(fanout, lane, event->data);
	send_event(fanout, "lane.delta");
}

/* A long one comes in pieces, of which nothing is known. */
static void on_body(struct fanout_run *fanout, struct lane *lane, const struct event *event)
{
	lane->usage = event->usage;
	if (event->total == (int64_t)event->data.len)
		note_finish(fanout, lane, event->data);
}

static void on_ended(struct fanout_run *fanout, struct lane *lane, enum lane_status status)
{
	static const char *const names[] = {
	    [LANE_FINISHED] = "lane.finished", [LANE_FAILED] = "lane.failed", [LANE_CANCELLED] = "lane.cancelled"};
	lane->status = status;
	if (!fanout->exchange->request->stream)
		return;
	fanout_write_ended(fanout, lane);
	send_event(fanout, names[status]);
}

static void on_event(struct exchange_observer *observer, unsigned index, const struct event *event)
{
	struct fanout_run *fanout = fanout_of(observer);
	struct lane *lane = find_lane(fanout, index);
	if (lane == NULL)
		return;
	switch (event->kind) {
	case EVENT_CHUNK:
		on_chunk(fanout, lane, event);
		break;
	case EVENT_USAGE:
		lane->usage = event->usage;
		break;
	case EVENT_BODY:
		on_body(fanout, lane, event);
		break;
	case EVENT_END:
		on_ended(fanout, lane, LANE_FINISHED);
		break;
	case EVENT_ERROR:
		lane->error = fanout_error(fanout, event->failure);
		on_ended(fanout, lane, LANE_FAILED);
		break;
	}
}

static void on_cancelled(struct exchange_observer *observer, unsigned index)
{
	struct fanout_run *fanout = fanout_of(observer);
	struct lane *lane = find_lane(fanout, index);
	if (lane != NULL)
		on_ended(fanout, lane, LANE_CANCELLED);
}

static void on_end(struct exchange_observer *observer, uint64_t now_us)
{
	struct fanout_run *fanout = fanout_of(observer);
	(void)now_us;
	task_drop(exchange_plan(fanout->exchange)->reactor, &fanout->give_up);
	buf_fini(&fanout->answer);
	buf_fini(&fanout->json);
	assembly_fini(&fanout->assembly);
}

const struct exchange_observer_ops fanout_observer_ops = {
    .on_leaf_started = on_started, .on_leaf_event = on_event, .on_leaf_cancelled = on_cancelled, .on_end = on_end};

const struct lane *fanout_winner(const struct fanout_run *fanout, const struct config_plan *leaf)
{
	const struct lane *lane = leaf == NULL ? NULL : fanout->first;
	while (lane != NULL && (lane->leaf != leaf || lane->status != LANE_FINISHED))
		lane = lane->next;
	return lane;
}
