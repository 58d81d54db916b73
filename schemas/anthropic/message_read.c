/* SPDX-License-Identifier: MIT */
/* What a backend's messages say, as deltas; message_read.h holds the contract. */
#include "schemas/anthropic/message_read.h"

#include "schemas/anthropic/error_write.h"
#include "schemas/anthropic/finish_reason.h"
#include "schemas/failure_rules.h"
#include "schemas/openai/error_read.h"
#include "schemas/sse.h"

enum { DEPTH = 128, DELTAS_OF_EVENT = 4, DELTAS_OF_BLOCK = 3, DELTAS_BESIDE = 3 };

#define REASONING SPAN("reasoning_content") /* as most chat backends call it */

/* ---- members ---- */

/* Returns a member that is an object; JSON_NONE: there is none. */
static uint32_t object_member(const struct json *json, uint32_t object, const char *member)
{
	uint32_t node = json_member(json, object, member);
	return node != JSON_NONE && json_type(json, node) == JSON_OBJECT ? node : JSON_NONE;
}

/* Returns a member that is a string; {NULL,0}: there is none. */
static struct span text_member(const struct json *json, uint32_t object, const char *member, struct arena *arena)
{
	uint32_t node = json_member(json, object, member);
	bool text = node != JSON_NONE && json_type(json, node) == JSON_STRING;
	return text ? json_string(json, node, arena) : (struct span){NULL, 0};
}

static bool is_type(const struct json *json, uint32_t object, const char *type)
{
	uint32_t node = json_member(json, object, "type");
	return node != JSON_NONE && json_type(json, node) == JSON_STRING && json_string_is(json, node, type);
}

/* ---- deltas ---- */

static void add(struct deltas *deltas, struct delta *room, enum part part, int64_t tool, struct span text,
		struct span name)
{
	deltas->list = room;
	room[deltas->count++] = (struct delta){.part = part, .tool = tool, .text = text, .name = name};
}

/* Adds a text, unless it is empty. Returns what it carries. */
static unsigned add_text(struct deltas *deltas, struct delta *room, enum part part, struct span text)
{
	if (text.len == 0)
		return 0;
	add(deltas, room, part, -1, text, part == PART_REASONING ? REASONING : SPAN(""));
	return CARRIES_CONTENT;
}

/* Adds the begin of a call. tool: its position. */
static unsigned add_call(struct deltas *deltas, struct delta *room, const struct json *json, uint32_t block,
			 int64_t tool, struct arena *arena)
{
	add(deltas, room, PART_TOOL_BEGIN, tool, text_member(json, block, "name", arena),
	    text_member(json, block, "id", arena));
	add(deltas, room, PART_TOOL_TYPE, tool, SPAN("function"), SPAN(""));
	return CARRIES_CONTENT;
}

static void read_identity(const struct json *json, uint32_t message, struct arena *arena,
			  struct answer_identity *identity)
{
	*identity = (struct answer_identity){.id = text_member(json, message, "id", arena),
					     .model = text_member(json, message, "model", arena),
					     .created = -1};
}

/* ---- errors ---- */

bool anthropic_error_read(struct span body, struct arena *arena, struct backend_error *error)
{
	bool told = openai_error_read(body, arena, error);
	error->object = false; /* a client of another dialect would not know it */
	if (error->status == 0)
		error->status = anthropic_error_status(error->type);
	return told;
}

static void read_error(struct span data, struct arena *scratch, struct answer_reading *reading)
{
	struct backend_error *error = arena_zalloc(scratch, 1, sizeof(*error));
	reading->carries = CARRIES_ERROR;
	reading->error = error;
	if (error != NULL)
		anthropic_error_read(data, scratch, error);
}

/* Notes that the message ended by a failure of the backend. */
static void fail_generation(struct answer_reading *reading, struct span reason, struct arena *scratch)
{
	struct backend_error *error = arena_zalloc(scratch, 1, sizeof(*error));
	reading->carries |= CARRIES_ERROR;
	reading->error = error;
	if (error == NULL)
		return;
	error->type = reason;
	error->choice = true;
}

/* ---- streams ---- */

void anthropic_reader_begin(struct anthropic_reader *reader)
{
	memset(reader, 0, sizeof(*reader));
	reader->usage = ANTHROPIC_USAGE_UNKNOWN;
}

static size_t keep(char room[ANTHROPIC_ID_SIZE], struct span text)
{
	size_t len = text.len < ANTHROPIC_ID_SIZE ? text.len : ANTHROPIC_ID_SIZE;
	if (len > 0)
		memcpy(room, text.at, len);
	return len;
}

/* One event that is being read. */
struct event_reader {
	struct anthropic_reader *reader;
	const struct json *json;
	struct arena *scratch;
	struct answer_reading *reading;
	struct answer_told *told;
	struct delta *room; /* of DELTAS_OF_EVENT */
};

static enum stream_step tell(struct event_reader *at, unsigned carries)
{
	at->reading->carries = carries;
	at->told->deltas.choices = 1;
	at->told->identity.id = (struct span){at->reader->id, at->reader->id_len};
	at->told->identity.model = (struct span){at->reader->model, at->reader->model_len};
	return STREAM_EVENT;
}

static enum stream_step read_start(struct event_reader *at)
{
	struct anthropic_reader *reader = at->reader;
	uint32_t message = object_member(at->json, 0, "message");
	if (message == JSON_NONE)
		return STREAM_BROKEN;
	reader->id_len = keep(reader->id, text_member(at->json, message, "id", at->scratch));
	reader->model_len = keep(reader->model, text_member(at->json, message, "model", at->scratch));
	anthropic_usage_read(at->json, object_member(at->json, message, "usage"), &reader->usage);
	add(&at->told->deltas, at->room, PART_ROLE, -1, SPAN("assistant"), SPAN(""));
	return tell(at, CARRIES_ROLE);
}

/* Returns the index of the block; -1: there is none. */
static int64_t block_index(const struct event_reader *at)
{
	int64_t index = -1;
	uint32_t node = json_member(at->json, 0, "index");
	if (node == JSON_NONE || !json_int(at->json, node, &index) || index < 0)
		return -1;
	return index;
}

static void add_arguments(struct event_reader *at, struct tool_block *tool, struct span text)
{
	tool->argued = true;
	add(&at->told->deltas, at->room, PART_TOOL_ARGUMENTS, tool->call, text, SPAN(""));
}

/* Some servers send all of the input at once, where the call begins. */
static void read_early_input(struct event_reader *at, uint32_t block, struct tool_block *tool)
{
	uint32_t input = object_member(at->json, block, "input");
	if (input != JSON_NONE && at->json->nodes[input].count > 0)
		add_arguments(at, tool, json_raw(at->json, input));
}

static enum stream_step read_tool_start(struct event_reader *at, uint32_t block, int64_t index)
{
	struct tool_block *tool = tool_blocks_add(&at->reader->tools, index);
	if (tool == NULL)
		return STREAM_BROKEN;
	unsigned carries = add_call(&at->told->deltas, at->room, at->json, block, tool->call, at->scratch);
	read_early_input(at, block, tool);
	return tell(at, carries);
}

static enum stream_step read_block_start(struct event_reader *at)
{
	struct deltas *deltas = &at->told->deltas;
	uint32_t block = object_member(at->json, 0, "content_block");
	int64_t index = block_index(at);
	unsigned carries = 0;
	if (block == JSON_NONE || index < 0)
		return STREAM_BROKEN;
	struct tool_block *before = tool_blocks_find(&at->reader->tools, index);
	if (before != NULL)
		before->used = false; /* the index is another block's from here on */
	if (is_type(at->json, block, "tool_use"))
		return read_tool_start(at, block, index);
	if (is_type(at->json, block, "text"))
		carries = add_text(deltas, at->room, PART_TEXT, text_member(at->json, block, "text", at->scratch));
	else if (is_type(at->json, block, "thinking"))
		carries =
		    add_text(deltas, at->room, PART_REASONING, text_member(at->json, block, "thinking", at->scratch));
	return carries == 0 ? STREAM_NOTHING : tell(at, carries);
}

static enum stream_step read_arguments(struct event_reader *at, uint32_t delta)
{
	int64_t index = block_index(at);
	struct span text = text_member(at->json, delta, "partial_json", at->scratch);
	struct tool_block *tool = tool_blocks_find(&at->reader->tools, index);
	if (index < 0)
		return STREAM_BROKEN;
	if (tool == NULL || text.len == 0)
		return STREAM_NOTHING; /* of a tool that the backend runs, or nothing yet */
	add_arguments(at, tool, text);
	return tell(at, CARRIES_CONTENT);
}

static enum stream_step read_block_delta(struct event_reader *at)
{
	uint32_t delta = object_member(at->json, 0, "delta");
	unsigned carries = 0;
	if (delta == JSON_NONE)
		return STREAM_BROKEN;
	if (is_type(at->json, delta, "text_delta"))
		carries =
		    add_text(&at->told->deltas, at->room, PART_TEXT, text_member(at->json, delta, "text", at->scratch));
	else if (is_type(at->json, delta, "thinking_delta"))
		carries = add_text(&at->told->deltas, at->room, PART_REASONING,
				   text_member(at->json, delta, "thinking", at->scratch));
	else if (is_type(at->json, delta, "input_json_delta"))
		return read_arguments(at, delta);
	return carries == 0 ? STREAM_NOTHING : tell(at, carries);
}

/* A call without arguments has none but {}. */
static enum stream_step read_block_stop(struct event_reader *at)
{
	struct tool_block *tool = tool_blocks_find(&at->reader->tools, block_index(at));
	if (tool == NULL || tool->stopped)
		return STREAM_NOTHING;
	tool->stopped = true;
	if (tool->argued)
		return STREAM_NOTHING;
	add_arguments(at, tool, SPAN("{}"));
	return tell(at, CARRIES_CONTENT);
}

/* Tells the usage so far, which stands alone. */
static enum stream_step read_usage(struct event_reader *at)
{
	at->reader->usage_next = false;
	at->reading->usage = anthropic_usage_sum(&at->reader->usage);
	tell(at, CARRIES_USAGE | CARRIES_NO_CHOICE);
	at->told->deltas.choices = 0;
	return STREAM_EVENT;
}

static enum stream_step read_message_delta(struct event_reader *at)
{
	uint32_t delta = object_member(at->json, 0, "delta");
	struct span reason =
	    delta == JSON_NONE ? (struct span){NULL, 0} : text_member(at->json, delta, "stop_reason", at->scratch);
	if (at->reader->usage_next)
		return read_usage(at);
	anthropic_usage_read(at->json, object_member(at->json, 0, "usage"), &at->reader->usage);
	if (reason.at == NULL || at->reader->finished)
		return STREAM_NOTHING;
	if (failure_is_finish(reason)) {
		fail_generation(at->reading, reason, at->scratch);
		return STREAM_EVENT;
	}
	at->reader->finished = at->reader->usage_next = at->reading->more = true;
	add(&at->told->deltas, at->room, PART_FINISH, -1, anthropic_finish_reason(reason), SPAN(""));
	return tell(at, CARRIES_FINISH);
}

static enum stream_step read_stop(struct event_reader *at)
{
	at->reader->stopped = true;
	return STREAM_END;
}

static enum stream_step read_event(struct event_reader *at)
{
	static const struct {
		struct span type;
		enum stream_step (*read)(struct event_reader *at);
	} types[] = {
	    {SPAN_INIT("content_block_delta"), read_block_delta}, {SPAN_INIT("content_block_start"), read_block_start},
	    {SPAN_INIT("content_block_stop"), read_block_stop},   {SPAN_INIT("message_start"), read_start},
	    {SPAN_INIT("message_delta"), read_message_delta},
	};
	uint32_t type = json_member(at->json, 0, "type");
	if (type == JSON_NONE || json_type(at->json, type) != JSON_STRING)
		return STREAM_BROKEN;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (json_string_equals(at->json, type, types[i].type)) {
			at->reading->alive = true;
			return types[i].read(at);
		}
	if (json_string_is(at->json, type, "message_stop"))
		return read_stop(at);
	return STREAM_NOTHING; /* ping, and what comes in years */
}

enum stream_step anthropic_reader_read(struct anthropic_reader *reader, const struct sse_event *sse,
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
	*told = (struct answer_told){.identity = {.created = -1}};
	if (span_is(sse->name, "error")) {
		read_error(sse->data, scratch, reading);
		return STREAM_EVENT;
	}
	if (!json_parse_relaxed(&reading->json, scratch, sse->data, &limits, &error)) {
		reading->too_large = error.what == json_too_many;
		return STREAM_BROKEN;
	}
	if (json_type(&reading->json, 0) != JSON_OBJECT)
		return STREAM_BROKEN;
	if (is_type(&reading->json, 0, "error")) {
		read_error(sse->data, scratch, reading);
		return STREAM_EVENT;
	}
	add(&told->deltas, room, PART_CHOICE, -1, SPAN(""), SPAN(""));
	enum stream_step step = read_event(&at);
	for (size_t i = 0; i < told->deltas.count; i++)
		reading->content += room[i].text.len;
	return arena_failed(scratch) ? STREAM_BROKEN : step;
}

bool anthropic_reader_is_finished(const struct anthropic_reader *reader)
{
	return reader->finished && reader->stopped;
}

/* ---- whole messages ---- */

static unsigned read_block(const struct json *json, uint32_t block, struct deltas *deltas, struct delta *room,
			   int64_t *calls, struct arena *arena)
{
	if (is_type(json, block, "text"))
		return add_text(deltas, room, PART_TEXT, text_member(json, block, "text", arena));
	if (is_type(json, block, "thinking"))
		return add_text(deltas, room, PART_REASONING, text_member(json, block, "thinking", arena));
	if (!is_type(json, block, "tool_use"))
		return 0;
	uint32_t input = object_member(json, block, "input");
	unsigned carries = add_call(deltas, room, json, block, *calls, arena);
	add(deltas, room, PART_TOOL_ARGUMENTS, *calls, input == JSON_NONE ? SPAN("{}") : json_raw(json, input),
	    SPAN(""));
	++*calls;
	return carries;
}

static void read_content(const struct json *json, uint32_t content, struct arena *scratch,
			 struct answer_reading *reading, struct deltas *deltas)
{
	size_t most = (size_t)json->nodes[content].count * DELTAS_OF_BLOCK + DELTAS_BESIDE;
	struct delta *room = arena_alloc(scratch, most * sizeof(*room));
	int64_t calls = 0;
	if (room == NULL)
		return; /* the arena remembers */
	add(deltas, room, PART_CHOICE, -1, SPAN(""), SPAN(""));
	add(deltas, room, PART_ROLE, -1, SPAN("assistant"), SPAN(""));
	deltas->choices = 1;
	reading->carries = CARRIES_ROLE;
	for (uint32_t at = json_first(json, content); at != JSON_NONE; at = json_next(json, content, at))
		reading->carries |= read_block(json, at, deltas, room, &calls, scratch);
	struct span reason = text_member(json, 0, "stop_reason", scratch);
	if (reason.at == NULL)
		return;
	if (failure_is_finish(reason))
		fail_generation(reading, reason, scratch);
	add(deltas, room, PART_FINISH, -1, anthropic_finish_reason(reason), SPAN(""));
	reading->carries |= CARRIES_FINISH;
}

bool anthropic_message_read(struct span body, struct arena *scratch, struct answer_reading *reading)
{
	struct json *json = &reading->json;
	struct answer_told *told = arena_zalloc(scratch, 1, sizeof(*told));
	*reading = (struct answer_reading){.carries = CARRIES_NO_CHOICE, .usage = USAGE_UNKNOWN, .told = told};
	if (told == NULL || !event_parse(body, scratch, json))
		return false;
	uint32_t content = json_member(json, 0, "content"), usage = object_member(json, 0, "usage");
	if (is_type(json, 0, "error")) {
		read_error(body, scratch, reading);
		return !arena_failed(scratch);
	}
	read_identity(json, 0, scratch, &told->identity);
	if (content != JSON_NONE && json_type(json, content) == JSON_ARRAY)
		read_content(json, content, scratch, reading, &told->deltas);
	if (usage != JSON_NONE) {
		struct anthropic_usage counts = ANTHROPIC_USAGE_UNKNOWN;
		anthropic_usage_read(json, usage, &counts);
		reading->usage = anthropic_usage_sum(&counts);
		reading->carries |= CARRIES_USAGE;
	}
	return !arena_failed(scratch);
}
