/* SPDX-License-Identifier: MIT */
/* Deltas of the OpenAI dialect; chunk_deltas.h holds the contract. */
#include "schemas/openai/chunk_deltas.h"

#include "schemas/openai/internal.h"

/* The deltas so far. */
struct reader {
	const struct json *json;
	struct arena *arena;
	struct delta *list;
	size_t count, room;
	int64_t choice;
};

static void add(struct reader *reader, struct delta delta)
{
	enum { FIRST_ROOM = 8 };
	if (reader->count == reader->room) {
		size_t room = reader->room == 0 ? FIRST_ROOM : reader->room * 2;
		struct delta *list = arena_alloc(reader->arena, room * sizeof(*list));
		if (list == NULL)
			return; /* the arena remembers */
		if (reader->count > 0)
			memcpy(list, reader->list, reader->count * sizeof(*list));
		reader->list = list;
		reader->room = room;
	}
	delta.choice = reader->choice;
	reader->list[reader->count++] = delta;
}

static struct span string_of(const struct reader *reader, uint32_t node)
{
	return json_string(reader->json, node, reader->arena);
}

/* Adds a member that should be a text. */
static void add_text(struct reader *reader, enum part part, uint32_t key, int64_t tool)
{
	const struct json *json = reader->json;
	enum json_type type = json_type(json, key + 1);
	bool text = type == JSON_STRING;
	if (!openai_is_filled(json, key + 1) && type != JSON_NUMBER && type != JSON_TRUE)
		return;
	add(reader, (struct delta){.part = text ? part : PART_ODD,
				   .tool = tool,
				   .node = key + 1,
				   .text = text ? string_of(reader, key + 1) : (struct span){NULL, 0},
				   .name = string_of(reader, key)});
}

/* Adds a member as the dialect has it. */
static void add_token(struct reader *reader, enum part part, uint32_t key, int64_t tool)
{
	add(reader, (struct delta){.part = part,
				   .tool = tool,
				   .node = key + 1,
				   .text = json_raw(reader->json, key + 1),
				   .name = string_of(reader, key)});
}

/* Engines have members of their own; numbers among them are no content. */
static void add_other(struct reader *reader, enum part part, uint32_t key, int64_t tool)
{
	if (openai_is_filled(reader->json, key + 1))
		add_token(reader, part, key, tool);
}

static struct span filled_text(const struct reader *reader, uint32_t value)
{
	bool text = value != JSON_NONE && json_type(reader->json, value) == JSON_STRING;
	return text ? string_of(reader, value) : (struct span){NULL, 0};
}

/* Adds the arguments, which custom tools call their input; the name is told with the begin of the call. */
static void read_function(struct reader *reader, uint32_t function, int64_t tool)
{
	const struct json *json = reader->json;
	for (uint32_t at = json_first(json, function); at != JSON_NONE; at = json_next(json, function, at)) {
		if (openai_key_is(json, at, SPAN("arguments")) || openai_key_is(json, at, SPAN("input")))
			add_text(reader, PART_TOOL_ARGUMENTS, at, tool);
		else if (openai_key_is(json, at, SPAN("name")) && json_type(json, at + 1) != JSON_STRING)
			add_text(reader, PART_ODD, at, tool);
	}
}

/* Returns where a function or custom tool has its name; JSON_NONE: nowhere. */
static uint32_t find_name(const struct json *json, uint32_t function)
{
	uint32_t name = function == JSON_NONE ? JSON_NONE : json_member(json, function, "name");
	return name == JSON_NONE || json_type(json, name) != JSON_STRING ? JSON_NONE : name;
}

/* Returns the object with name and arguments of a call; JSON_NONE: it has none. */
static uint32_t find_function(const struct json *json, uint32_t call)
{
	uint32_t function = json_member(json, call, "function");
	return function == JSON_NONE ? json_member(json, call, "custom") : function;
}

/* position: the call's, when it does not tell it. */
static void read_call(struct reader *reader, uint32_t call, int64_t position)
{
	const struct json *json = reader->json;
	int64_t tool = position;
	uint32_t index = json_member(json, call, "index"), name = find_name(json, find_function(json, call));
	bool odd = index != JSON_NONE && json_type(json, index) != JSON_NULL && !json_int(json, index, &tool);
	if (odd || tool < 0) {
		add(reader, (struct delta){.part = PART_ODD, .tool = -1, .node = index, .name = SPAN("index")});
		return;
	}
	add(reader, (struct delta){.part = PART_TOOL_BEGIN,
				   .tool = tool,
				   .node = name,
				   .text = filled_text(reader, name),
				   .name = filled_text(reader, json_member(json, call, "id"))});
	for (uint32_t at = json_first(json, call); at != JSON_NONE; at = json_next(json, call, at)) {
		if (openai_key_is(json, at, SPAN("function")) || openai_key_is(json, at, SPAN("custom")))
			read_function(reader, at + 1, tool);
		else if (openai_key_is(json, at, SPAN("type")))
			add_text(reader, PART_TOOL_TYPE, at, tool);
		else if (!openai_key_is(json, at, SPAN("id")))
			add_other(reader, PART_OPAQUE, at, tool);
	}
}

static void read_calls(struct reader *reader, uint32_t calls)
{
	const struct json *json = reader->json;
	int64_t position = 0;
	if (json_type(json, calls) != JSON_ARRAY)
		return;
	for (uint32_t at = json_first(json, calls); at != JSON_NONE; at = json_next(json, calls, at), position++)
		read_call(reader, at, position);
}

/* A call as it was before there were tools: the one call of a message, of a type of its own. */
static void read_legacy_call(struct reader *reader, uint32_t call)
{
	uint32_t name = find_name(reader->json, call);
	if (json_type(reader->json, call) != JSON_OBJECT)
		return;
	add(reader, (struct delta){.part = PART_TOOL_BEGIN, .node = name, .text = filled_text(reader, name)});
	add(reader, (struct delta){.part = PART_TOOL_TYPE, .node = call, .text = SPAN(OPENAI_LEGACY_CALL)});
	read_function(reader, call, 0);
}

/* Members of a delta or message; any other one is opaque. */
static const struct {
	struct span name;
	enum part part;
} members[] = {
    {SPAN_INIT("content"), PART_TEXT},        {SPAN_INIT("role"), PART_ROLE},
    {SPAN_INIT("refusal"), PART_REFUSAL},     {SPAN_INIT("reasoning_content"), PART_REASONING},
    {SPAN_INIT("reasoning"), PART_REASONING}, {SPAN_INIT("annotations"), PART_ANNOTATION},
    {SPAN_INIT("audio"), PART_SOUND},
};

enum part openai_part_of(const struct json *json, uint32_t key)
{
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		if (openai_key_is(json, key, members[i].name))
			return members[i].part;
	return PART_OPAQUE;
}

static void read_member(struct reader *reader, uint32_t key)
{
	enum part part = openai_part_of(reader->json, key);
	if (part == PART_OPAQUE || part == PART_ANNOTATION || part == PART_SOUND)
		add_other(reader, part, key, -1);
	else
		add_text(reader, part, key, -1);
}

static void read_message(struct reader *reader, uint32_t message)
{
	const struct json *json = reader->json;
	for (uint32_t at = json_first(json, message); at != JSON_NONE; at = json_next(json, message, at)) {
		if (openai_key_is(json, at, SPAN("tool_calls")))
			read_calls(reader, at + 1);
		else if (openai_key_is(json, at, SPAN(OPENAI_LEGACY_CALL)))
			read_legacy_call(reader, at + 1);
		else
			read_member(reader, at);
	}
}

static void read_logprobs(struct reader *reader, uint32_t key)
{
	const struct json *json = reader->json;
	enum json_type type = json_type(json, key + 1);
	if (type != JSON_NULL && type != JSON_OBJECT)
		add(reader,
		    (struct delta){.part = PART_ODD, .tool = -1, .node = key + 1, .name = string_of(reader, key)});
	for (uint32_t at = json_first(json, key + 1); at != JSON_NONE; at = json_next(json, key + 1, at))
		add_token(reader, PART_LOGPROBS, at, -1);
}

/* Adds why the choice ends; what is no word says nothing but that it does. */
static void read_finish(struct reader *reader, uint32_t key)
{
	const struct json *json = reader->json;
	if (json_type(json, key + 1) == JSON_STRING ? openai_is_filled(json, key + 1) : openai_is_truthy(json, key + 1))
		add(reader,
		    (struct delta){
			.part = PART_FINISH, .tool = -1, .node = key + 1, .text = filled_text(reader, key + 1)});
}

static void read_choice(struct reader *reader, uint32_t choice, int64_t position)
{
	const struct json *json = reader->json;
	uint32_t index = json_member(json, choice, "index");
	bool chat =
	    json_member(json, choice, "delta") != JSON_NONE || json_member(json, choice, "message") != JSON_NONE;
	reader->choice = position;
	if (index != JSON_NONE && (!json_int(json, index, &reader->choice) || reader->choice < 0))
		reader->choice = position;
	add(reader, (struct delta){.part = PART_CHOICE, .tool = -1, .node = choice});
	for (uint32_t at = json_first(json, choice); at != JSON_NONE; at = json_next(json, choice, at)) {
		if (openai_key_is(json, at, SPAN("delta")) || openai_key_is(json, at, SPAN("message")))
			read_message(reader, at + 1);
		else if (!chat && openai_key_is(json, at, SPAN("text"))) /* some engines have it beside a delta, too */
			add_text(reader, PART_TEXT, at, -1);
		else if (openai_key_is(json, at, SPAN("logprobs")))
			read_logprobs(reader, at);
		else if (openai_key_is(json, at, SPAN("finish_reason")))
			read_finish(reader, at);
		else if (openai_key_is(json, at, SPAN("sluice_target")))
			add_text(reader, PART_ORIGIN, at, -1);
	}
}

bool openai_deltas_read(const struct json *json, struct arena *arena, struct deltas *deltas)
{
	struct reader reader = {.json = json, .arena = arena};
	uint32_t choices = json_member(json, 0, "choices");
	*deltas = (struct deltas){NULL, 0, 0};
	if (choices == JSON_NONE || json_type(json, choices) != JSON_ARRAY)
		return false;
	for (uint32_t at = json_first(json, choices); at != JSON_NONE; at = json_next(json, choices, at))
		read_choice(&reader, at, (int64_t)deltas->choices++);
	deltas->list = reader.list;
	deltas->count = reader.count;
	return !arena_failed(arena);
}

static struct span copy_text(const struct json *json, const char *name, struct arena *arena)
{
	uint32_t value = json_member(json, 0, name);
	if (value == JSON_NONE || json_type(json, value) != JSON_STRING)
		return (struct span){NULL, 0};
	return arena_copy(arena, json_string(json, value, arena));
}

void openai_identity_read(const struct json *json, struct arena *arena, struct answer_identity *identity)
{
	uint32_t created = json_member(json, 0, "created");
	identity->id = copy_text(json, "id", arena);
	identity->model = copy_text(json, "model", arena);
	if (created == JSON_NONE || !json_int(json, created, &identity->created) || identity->created < 0)
		identity->created = -1;
}
