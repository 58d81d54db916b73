/* SPDX-License-Identifier: MIT */
/* The events of a backend's stream as deltas; response_read.h holds the contract. */
#include "schemas/openai/stream_end.h"
#include "schemas/responses/read.h"
#include "schemas/responses/response_read.h"
#include "schemas/sse.h"

enum { DEPTH = 128, DELTAS_OF_EVENT = 6 };

void responses_reader_begin(struct responses_reader *reader)
{
	memset(reader, 0, sizeof(*reader));
	reader->created = -1;
}

static size_t keep(char room[RESPONSES_ID_SIZE], struct span text)
{
	size_t len = text.len < RESPONSES_ID_SIZE ? text.len : RESPONSES_ID_SIZE;
	if (len > 0)
		memcpy(room, text.at, len);
	return len;
}

/* One event that is being read. */
struct event_reader {
	struct responses_reader *reader;
	const struct json *json;
	struct arena *scratch;
	struct answer_reading *reading;
	struct answer_told *told;
	struct delta *room; /* of DELTAS_OF_EVENT */
};

static enum stream_step tell(struct event_reader *at, unsigned carries)
{
	at->reading->carries = carries | (at->reader->begun ? 0 : CARRIES_ROLE);
	at->reader->begun = true;
	at->told->deltas.choices = 1;
	at->told->identity = (struct answer_identity){.id = {at->reader->id, at->reader->id_len},
						      .model = {at->reader->model, at->reader->model_len},
						      .created = at->reader->created};
	return STREAM_EVENT;
}

/* Returns the item that the event is about; NULL: none that is kept track of. */
static struct responses_heard *item_of(const struct event_reader *at)
{
	int64_t place = response_count(at->json, 0, "output_index");
	return place < 0 || place >= RESPONSES_ITEMS ? NULL : &at->reader->items[place];
}

/* The response was created, or is under way. */
static enum stream_step read_begin(struct event_reader *at)
{
	uint32_t response = response_member(at->json, 0, "response", JSON_OBJECT);
	if (response == JSON_NONE)
		return STREAM_BROKEN;
	at->reader->id_len = keep(at->reader->id, response_text(at->json, response, "id", at->scratch));
	at->reader->model_len = keep(at->reader->model, response_text(at->json, response, "model", at->scratch));
	at->reader->created = response_created(at->json, response);
	return at->reader->begun ? STREAM_NOTHING : tell(at, 0);
}

static enum stream_step add_arguments(struct event_reader *at, struct responses_heard *item, struct span text)
{
	if (text.len == 0)
		return STREAM_NOTHING;
	item->argued = true;
	response_add(&at->told->deltas, at->room, PART_TOOL_ARGUMENTS, item->tool - 1, text, SPAN(""));
	return tell(at, CARRIES_CONTENT);
}

static enum stream_step read_item(struct event_reader *at)
{
	uint32_t node = response_member(at->json, 0, "item", JSON_OBJECT);
	struct responses_heard *item = item_of(at);
	if (node == JSON_NONE || item == NULL)
		return STREAM_BROKEN;
	if (!response_is_call(at->json, node) || item->tool != 0)
		return STREAM_NOTHING;
	item->tool = ++at->reader->calls;
	return tell(at, response_add_call(&at->told->deltas, at->room, at->json, node, item->tool - 1, at->scratch));
}

/* Arguments that did not come in pieces. */
static enum stream_step read_item_done(struct event_reader *at)
{
	uint32_t node = response_member(at->json, 0, "item", JSON_OBJECT);
	struct responses_heard *item = item_of(at);
	if (node == JSON_NONE || item == NULL)
		return STREAM_BROKEN;
	if (item->tool == 0 || item->argued)
		return STREAM_NOTHING;
	return add_arguments(at, item, response_arguments(at->json, node, at->scratch));
}

static enum stream_step read_arguments(struct event_reader *at)
{
	struct responses_heard *item = item_of(at);
	if (item == NULL || item->tool == 0)
		return STREAM_BROKEN;
	return add_arguments(at, item, response_text(at->json, 0, "delta", at->scratch));
}

static enum stream_step read_text(struct event_reader *at)
{
	unsigned carries =
	    response_add_text(&at->told->deltas, at->room, PART_TEXT, response_text(at->json, 0, "delta", at->scratch));
	return carries == 0 ? STREAM_NOTHING : tell(at, carries);
}

static enum stream_step read_refusal(struct event_reader *at)
{
	unsigned carries = response_add_text(&at->told->deltas, at->room, PART_REFUSAL,
					     response_text(at->json, 0, "delta", at->scratch));
	return carries == 0 ? STREAM_NOTHING : tell(at, carries);
}

static enum stream_step add_reasoning(struct event_reader *at)
{
	unsigned carries = response_add_text(&at->told->deltas, at->room, PART_REASONING,
					     response_text(at->json, 0, "delta", at->scratch));
	return carries == 0 ? STREAM_NOTHING : tell(at, carries);
}

/* An item has its reasoning, or a summary; where it has both, whatever came first is told. */
static enum stream_step read_reasoning(struct event_reader *at)
{
	struct responses_heard *item = item_of(at);
	if (item == NULL)
		return STREAM_BROKEN;
	if (item->summarised)
		return STREAM_NOTHING;
	item->reasoned = true;
	return add_reasoning(at);
}

static enum stream_step read_summary(struct event_reader *at)
{
	struct responses_heard *item = item_of(at);
	if (item == NULL)
		return STREAM_BROKEN;
	if (item->reasoned)
		return STREAM_NOTHING;
	item->summarised = true;
	return add_reasoning(at);
}

/* The end is read twice: why it ends, then usage, which stands alone. */
static enum stream_step read_end(struct event_reader *at)
{
	uint32_t response = response_member(at->json, 0, "response", JSON_OBJECT);
	if (response == JSON_NONE)
		return STREAM_BROKEN;
	struct usage usage = response_usage_read(at->json, response);
	if (at->reader->usage_next) {
		at->reader->usage_next = false;
		at->reading->usage = usage;
		tell(at, CARRIES_USAGE | CARRIES_NO_CHOICE);
		at->told->deltas.choices = 0;
		return STREAM_EVENT;
	}
	if (at->reader->finished)
		return STREAM_NOTHING;
	at->reader->finished = true;
	at->reader->usage_next = at->reading->more = usage_is_known(&usage);
	response_add(&at->told->deltas, at->room, PART_FINISH, -1,
		     response_finish(at->json, response, at->reader->calls > 0, at->scratch), SPAN(""));
	return tell(at, CARRIES_FINISH);
}

static enum stream_step read_failed(struct event_reader *at)
{
	uint32_t response = response_member(at->json, 0, "response", JSON_OBJECT);
	uint32_t error = response == JSON_NONE ? JSON_NONE : response_member(at->json, response, "error", JSON_OBJECT);
	response_error(at->json, error == JSON_NONE ? 0 : error, at->scratch, at->reading);
	return STREAM_EVENT;
}

static enum stream_step read_error_event(struct event_reader *at)
{
	uint32_t error = response_member(at->json, 0, "error", JSON_OBJECT);
	response_error(at->json, error == JSON_NONE ? 0 : error, at->scratch, at->reading);
	return STREAM_EVENT;
}

static enum stream_step read_event(struct event_reader *at)
{
	static const struct {
		struct span type;
		enum stream_step (*read)(struct event_reader *at);
	} types[] = {
	    {SPAN_INIT("response.output_text.delta"), read_text},
	    {SPAN_INIT("response.function_call_arguments.delta"), read_arguments},
	    {SPAN_INIT("response.custom_tool_call_input.delta"), read_arguments},
	    {SPAN_INIT("response.reasoning_text.delta"), read_reasoning},
	    {SPAN_INIT("response.reasoning.delta"), read_reasoning},
	    {SPAN_INIT("response.reasoning_summary_text.delta"), read_summary},
	    {SPAN_INIT("response.refusal.delta"), read_refusal},
	    {SPAN_INIT("response.output_item.added"), read_item},
	    {SPAN_INIT("response.output_item.done"), read_item_done},
	    {SPAN_INIT("response.created"), read_begin},
	    {SPAN_INIT("response.in_progress"), read_begin},
	    {SPAN_INIT("response.queued"), read_begin},
	    {SPAN_INIT("response.completed"), read_end},
	    {SPAN_INIT("response.incomplete"), read_end},
	    {SPAN_INIT("response.failed"), read_failed},
	    {SPAN_INIT("error"), read_error_event},
	};
	uint32_t type = response_member(at->json, 0, "type", JSON_STRING);
	if (type == JSON_NONE)
		return STREAM_BROKEN;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (json_string_equals(at->json, type, types[i].type))
			return types[i].read(at);
	return STREAM_NOTHING; /* brackets, whole texts again, tools of the backend, and what comes in years */
}

enum stream_step responses_reader_read(struct responses_reader *reader, const struct sse_event *sse,
				       struct arena *scratch, struct answer_reading *reading)
{
	static const struct json_limits limits = {.depth = DEPTH, .values = EVENT_VALUES};
	struct json_error error;
	struct answer_told *told = arena_alloc(scratch, sizeof(*told));
	struct delta *room = arena_alloc(scratch, DELTAS_OF_EVENT * sizeof(*room));
	struct event_reader at = {reader, &reading->json, scratch, reading, told, room};
	*reading = (struct answer_reading){.usage = USAGE_UNKNOWN, .told = told};
	if (told == NULL || room == NULL)
		return STREAM_BROKEN;
	if (openai_ends_stream(sse->data))
		return STREAM_END;
	*told = (struct answer_told){.identity = {.created = -1}};
	if (!json_parse_relaxed(&reading->json, scratch, sse->data, &limits, &error)) {
		reading->too_large = error.what == json_too_many;
		return STREAM_BROKEN;
	}
	if (json_type(&reading->json, 0) != JSON_OBJECT)
		return STREAM_BROKEN;
	response_add(&told->deltas, room, PART_CHOICE, -1, SPAN(""), SPAN(""));
	if (!reader->begun)
		response_add(&told->deltas, room, PART_ROLE, -1, SPAN("assistant"), SPAN(""));
	enum stream_step step = read_event(&at);
	for (size_t i = 0; i < told->deltas.count; i++)
		reading->content += room[i].part == PART_ROLE ? 0 : room[i].text.len;
	return arena_failed(scratch) ? STREAM_BROKEN : step;
}
