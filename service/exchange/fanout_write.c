/* SPDX-License-Identifier: MIT */
/* What a fan-out tells: lanes, events and results as JSON; the tables are in schemas/answers.def. */
#include <inttypes.h>

#include "lib/json_write.h"
#include "service/exchange/fanout_internal.h"

enum { FANOUT_ERROR_MOST = 65536 };

const char *fanout_status_name(enum lane_status status)
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

void fanout_write_started(struct fanout_run *fanout, const struct lane *lane)
{
	struct buf *out = begin_event(fanout, "started");
	buf_append(out, SPAN("{"));
	buf_append(out, lane->title);
	buf_append(out, SPAN("}}"));
}

void fanout_write_delta(struct fanout_run *fanout, const struct lane *lane, struct span chunk)
{
	struct buf *out = begin_event(fanout, "delta");
	buf_append(out, SPAN("{"));
	buf_append(out, lane->title);
	buf_append(out, SPAN("},\"chunk\":"));
	buf_append(out, chunk);
	buf_append(out, SPAN("}"));
}

void fanout_write_ended(struct fanout_run *fanout, const struct lane *lane)
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

struct span fanout_error(const struct fanout_run *fanout, const struct failure *failure)
{
	struct error_told told = {.code = failure->code, .message = failure->message, .param = failure->param};
	struct span copy = {NULL, 0};
	struct buf text;
	buf_init(&text, FANOUT_ERROR_MOST);
	error_write_object(&text, &told);
	if (!buf_failed(&text))
		copy = arena_copy(exchange_arena(fanout->exchange), buf_span(&text));
	buf_fini(&text);
	return copy;
}
