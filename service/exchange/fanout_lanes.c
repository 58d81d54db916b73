/* SPDX-License-Identifier: MIT */
/*
 * The observer of a fan-out: every leaf that starts is a lane, and what happens in it is told as it happens.
 *
 * It is called from within the plan, so it never ends the exchange: what can't be written is noted, and the exchange
 * is aborted at the end of the turn. A client that falls behind pauses the root of the plan, and with it
 * every lane that runs and every one that will start; each may still give what one read of its call brought.
 */
#include <inttypes.h>

#include "lib/json_write.h"
#include "schemas/dialect.h"
#include "schemas/error_body.h"
#include "schemas/sse_write.h"
#include "service/exchange/fanout_internal.h"

enum { LANE_TITLE_MOST = 65536, LANE_REASON_MOST = 64, FANOUT_ERROR_MOST = 65536 };

/* ---- what is told, as JSON (schemas/answer_fields.def). All of these empty fanout->json first. ---- */

static const char *fanout_status_name(enum lane_status status)
{
	static const char *const names[] = {[LANE_RUNS] = "started",
					    [LANE_FINISHED] = "finished",
					    [LANE_FAILED] = "failed",
					    [LANE_CANCELLED] = "cancelled"};
	return names[status];
}

static void write_or_null(struct buf *out, struct span json)
{
	buf_append(out, json.at == NULL ? SPAN("null") : json);
}

static void write_usage(struct buf *out, const struct fanout_run *fanout, const struct usage *usage)
{
	if (!usage_is_known(usage))
		buf_append(out, SPAN("null"));
	else
		fanout->exchange->request->dialect->usage_write(out, ENDPOINT_CHAT, usage);
}

static void write_lane(struct buf *out, const struct fanout_run *fanout, const struct lane *lane)
{
	buf_append(out, SPAN("{"));
	buf_append(out, lane->title);
	buf_printf(out, ",\"status\":\"%s\",\"finish_reason\":", fanout_status_name(lane->status));
	json_write_string_or_null(out, lane->finish_reason);
	buf_append(out, SPAN(",\"usage\":"));
	write_usage(out, fanout, &lane->usage);
	buf_append(out, SPAN(",\"error\":"));
	write_or_null(out, lane->error);
	buf_append(out, SPAN("}"));
}

/* The beginning of an event about a lane, up to its title. */
static struct buf *begin_event(struct fanout_run *fanout, const char *type)
{
	buf_reset(&fanout->json);
	buf_printf(&fanout->json, "{\"type\":\"lane.%s\",\"lane\":", type);
	return &fanout->json;
}

static void fanout_write_started(struct fanout_run *fanout, const struct lane *lane)
{
	struct buf *out = begin_event(fanout, "started");
	buf_append(out, SPAN("{"));
	buf_append(out, lane->title);
	buf_append(out, SPAN("}}"));
}

static void fanout_write_delta(struct fanout_run *fanout, const struct lane *lane, struct span chunk)
{
	struct buf *out = begin_event(fanout, "delta");
	buf_append(out, SPAN("{"));
	buf_append(out, lane->title);
	buf_append(out, SPAN("},\"chunk\":"));
	buf_append(out, chunk);
	buf_append(out, SPAN("}"));
}

static void fanout_write_ended(struct fanout_run *fanout, const struct lane *lane)
{
	struct buf *out = begin_event(fanout, fanout_status_name(lane->status));
	write_lane(out, fanout, lane);
	buf_append(out, SPAN("}"));
}

static void write_lanes(struct buf *out, const struct fanout_run *fanout)
{
	buf_append(out, SPAN(",\"lanes\":["));
	for (const struct lane *lane = fanout->first; lane != NULL; lane = lane->next) {
		write_lane(out, fanout, lane);
		if (lane->next != NULL)
			buf_append(out, SPAN(","));
	}
	buf_append(out, SPAN("]"));
}

void fanout_write_before_result(struct fanout_run *fanout, const struct lane *winner)
{
	struct buf *out = &fanout->json;
	struct usage usage = USAGE_UNKNOWN;
	for (const struct lane *lane = fanout->first; lane != NULL; lane = lane->next)
		usage_add(&usage, &lane->usage);
	buf_reset(out);
	buf_append(out, fanout->exchange->request->stream ? SPAN("{\"type\":\"result\",\"id\":") : SPAN("{\"id\":"));
	json_write_string(out, fanout->id);
	buf_printf(out, ",\"object\":\"fanout\",\"created\":%" PRId64 ",\"strategy\":", fanout->created);
	json_write_string_or_null(out, fanout->strategy == NULL ? (struct span){NULL, 0} : span_of(fanout->strategy));
	if (winner == NULL)
		buf_append(out, SPAN(",\"winner\":null"));
	else
		buf_printf(out, ",\"winner\":%u", winner->index);
	write_lanes(out, fanout);
	buf_append(out, SPAN(",\"usage\":"));
	write_usage(out, fanout, &usage);
	buf_append(out, SPAN(",\"result\":"));
}

static struct span fanout_error(const struct fanout_run *fanout, const struct failure *failure)
{
	struct error_told told = {.code = failure->code, .message = failure->message, .param = failure->param};
	struct span copy = {NULL, 0};
	struct buf text;
	buf_init(&text, FANOUT_ERROR_MOST);
	fanout->exchange->request->dialect->error_write_object(&text, &told);
	if (!buf_failed(&text))
		copy = arena_copy(exchange_arena(fanout->exchange), buf_span(&text));
	buf_fini(&text);
	return copy;
}

/* ---- what happens ---- */

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

static void lane_started(struct exchange_observer *observer, unsigned index, const struct plan *leaf)
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

static void note_finish(struct fanout_run *fanout, struct lane *lane, const struct event *event)
{
	struct arena scratch;
	struct deltas deltas;
	arena_init(&scratch, 0);
	struct span reason = event_deltas(event, &scratch, &deltas) ? deltas_finish(&deltas) : (struct span){NULL, 0};
	if (lane->finish_reason.at == NULL && reason.at != NULL && reason.len <= LANE_REASON_MOST)
		lane->finish_reason = arena_copy(exchange_arena(fanout->exchange), reason);
	arena_fini(&scratch);
}

static void lane_chunk(struct fanout_run *fanout, struct lane *lane, const struct event *event)
{
	if ((event->carries & CARRIES_USAGE) != 0)
		lane->usage = event->usage;
	if ((event->carries & CARRIES_FINISH) != 0)
		note_finish(fanout, lane, event);
	report_content(&fanout->exchange->report, event, exchange_now(fanout->exchange));
	fanout_write_delta(fanout, lane, event->data);
	send_event(fanout, "lane.delta");
}

/* A long one comes in pieces, of which nothing is known. */
static void lane_body(struct fanout_run *fanout, struct lane *lane, const struct event *event)
{
	lane->usage = event->usage;
	if (event->total == (int64_t)event->data.len)
		note_finish(fanout, lane, event);
}

static void lane_ended(struct fanout_run *fanout, struct lane *lane, enum lane_status status)
{
	static const char *const names[] = {
	    [LANE_FINISHED] = "lane.finished", [LANE_FAILED] = "lane.failed", [LANE_CANCELLED] = "lane.cancelled"};
	lane->status = status;
	if (!fanout->exchange->request->stream)
		return;
	fanout_write_ended(fanout, lane);
	send_event(fanout, names[status]);
}

static void lane_event(struct exchange_observer *observer, unsigned index, const struct event *event)
{
	struct fanout_run *fanout = fanout_of(observer);
	struct lane *lane = find_lane(fanout, index);
	if (lane == NULL)
		return;
	switch (event->kind) {
	case EVENT_CHUNK:
		lane_chunk(fanout, lane, event);
		break;
	case EVENT_USAGE:
		lane->usage = event->usage;
		break;
	case EVENT_BODY:
		lane_body(fanout, lane, event);
		break;
	case EVENT_END:
		lane_ended(fanout, lane, LANE_FINISHED);
		break;
	case EVENT_ERROR:
		lane->error = fanout_error(fanout, event->failure);
		lane_ended(fanout, lane, LANE_FAILED);
		break;
	}
}

static void lane_cancelled(struct exchange_observer *observer, unsigned index)
{
	struct fanout_run *fanout = fanout_of(observer);
	struct lane *lane = find_lane(fanout, index);
	if (lane != NULL)
		lane_ended(fanout, lane, LANE_CANCELLED);
}

static void lanes_end(struct exchange_observer *observer, uint64_t now_us)
{
	struct fanout_run *fanout = fanout_of(observer);
	(void)now_us;
	task_drop(exchange_plan(fanout->exchange)->reactor, &fanout->give_up);
	buf_fini(&fanout->answer);
	buf_fini(&fanout->json);
	collection_fini(&fanout->events);
}

const struct exchange_observer_ops fanout_observer_ops = {.on_leaf_started = lane_started,
							  .on_leaf_event = lane_event,
							  .on_leaf_cancelled = lane_cancelled,
							  .on_end = lanes_end};

const struct lane *fanout_winner(const struct fanout_run *fanout, const struct config_plan *leaf)
{
	const struct lane *lane = leaf == NULL ? NULL : fanout->first;
	while (lane != NULL && (lane->leaf != leaf || lane->status != LANE_FINISHED))
		lane = lane->next;
	return lane;
}
