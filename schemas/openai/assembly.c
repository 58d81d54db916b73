/* SPDX-License-Identifier: MIT */
/* Chunks become a whole answer; see openai_assembly.h. */
#include "schemas/openai/assembly.h"

#include <inttypes.h>

#include "lib/json_write.h"
#include "schemas/openai/internal.h"

enum { ASSEMBLY_ARENA_MOST = 8 << 20, ASSEMBLY_PARTS_MOST = 4096 };

/* A member of a delta whose pieces are joined. */
struct piece_row {
	const char *name;
	size_t offset; /* of its struct buf */
};

struct assembly_list;

struct assembly_call {
	struct assembly_call *next;
	int64_t index;
	struct span id, type; /* {NULL,0} = not told */
	struct buf name, arguments;
	bool function;                /* it told of one */
	struct assembly_list *others; /* further members */
};

/* A list of log probabilities, or another member of a message or call: a list, a text or an object. */
struct assembly_list {
	struct assembly_list *next;
	struct span name;
	enum json_type type; /* JSON_NULL: nothing came yet */
	struct buf items;    /* as they were written: what is between the brackets or quotes */
};

struct assembly_choice {
	struct assembly_choice *next;
	int64_t index;
	struct assembly_list *lists;  /* of log probabilities, in the order in which they came */
	struct assembly_list *others; /* further members of the message */
	struct buf content, refusal, reasoning_content, reasoning;
	struct assembly_call *calls; /* by index */
	struct span finish_reason;
	struct span target;
};

static const struct piece_row choice_pieces[] = {
    {"content", offsetof(struct assembly_choice, content)},
    {"refusal", offsetof(struct assembly_choice, refusal)},
    {"reasoning_content", offsetof(struct assembly_choice, reasoning_content)},
    {"reasoning", offsetof(struct assembly_choice, reasoning)},
};
enum { CHOICE_PIECES = sizeof(choice_pieces) / sizeof(choice_pieces[0]) };

void openai_assembly_init(struct openai_assembly *assembly, size_t most)
{
	*assembly = (struct openai_assembly){.left = most};
	arena_init(&assembly->arena, ASSEMBLY_ARENA_MOST);
	arena_init(&assembly->scratch, 0);
}

void openai_assembly_charge(struct openai_assembly *assembly, uint32_t party)
{
	assembly->party = party;
	arena_charge(&assembly->arena, party);
	arena_charge(&assembly->scratch, party);
}

static void lists_fini(struct assembly_list *list)
{
	for (; list != NULL; list = list->next)
		buf_fini(&list->items);
}

void openai_assembly_fini(struct openai_assembly *assembly)
{
	for (struct assembly_choice *choice = assembly->choices; choice != NULL; choice = choice->next) {
		for (size_t i = 0; i < CHOICE_PIECES; i++)
			buf_fini((struct buf *)((char *)choice + choice_pieces[i].offset));
		for (struct assembly_call *call = choice->calls; call != NULL; call = call->next) {
			buf_fini(&call->name);
			buf_fini(&call->arguments);
			lists_fini(call->others);
		}
		lists_fini(choice->lists);
		lists_fini(choice->others);
	}
	assembly->choices = NULL;
	arena_fini(&assembly->scratch);
	arena_fini(&assembly->arena);
}

/* The value of a member that is a string; {NULL,0} when it is none. */
static struct span member_text(struct openai_assembly *assembly, const struct json *json, uint32_t object,
			       const char *name)
{
	uint32_t value = json_member(json, object, name);
	if (value == JSON_NONE || json_type(json, value) != JSON_STRING)
		return (struct span){NULL, 0};
	return json_string(json, value, &assembly->scratch);
}

static void append(struct openai_assembly *assembly, struct span piece, struct buf *out)
{
	if (piece.at == NULL || assembly->failed)
		return;
	assembly->too_large = piece.len > assembly->left;
	assembly->exhausted = !assembly->too_large && !buf_append(out, piece);
	assembly->failed = assembly->too_large || assembly->exhausted;
	assembly->left -= assembly->failed ? 0 : piece.len;
}

/* Appends the piece that the member holds. What is no text, and not empty, cannot be joined. */
static void join(struct openai_assembly *assembly, const struct json *json, uint32_t object, const char *name,
		 struct buf *out)
{
	uint32_t value = json_member(json, object, name);
	if (value == JSON_NONE)
		return;
	if (json_type(json, value) == JSON_STRING)
		append(assembly, json_string(json, value, &assembly->scratch), out);
	else
		assembly->failed |= openai_is_filled(json, value);
}

/* Keeps the first value that a member has. */
static void keep(struct openai_assembly *assembly, const struct json *json, uint32_t object, const char *name,
		 struct span *kept)
{
	struct span text = member_text(assembly, json, object, name);
	if (kept->at == NULL && text.len > 0)
		*kept = arena_copy(&assembly->arena, text);
}

static int64_t member_index(const struct json *json, uint32_t object)
{
	int64_t index = 0;
	uint32_t value = json_member(json, object, "index");
	return value != JSON_NONE && json_int(json, value, &index) && index >= 0 ? index : 0;
}

/* Memory for one more choice, call or list, zeroed; NULL when there are too many. */
static void *add_part(struct openai_assembly *assembly, size_t size)
{
	if (assembly->parts++ < ASSEMBLY_PARTS_MOST)
		return arena_zalloc(&assembly->arena, 1, size);
	assembly->failed = assembly->too_large = true;
	return NULL;
}

static struct assembly_choice *need_choice(struct openai_assembly *assembly, int64_t index)
{
	struct assembly_choice **at = &assembly->choices;
	while (*at != NULL && (*at)->index < index)
		at = &(*at)->next;
	if (*at != NULL && (*at)->index == index)
		return *at;
	struct assembly_choice *choice = add_part(assembly, sizeof(*choice));
	if (choice == NULL)
		return NULL;
	choice->index = index;
	for (size_t i = 0; i < CHOICE_PIECES; i++) {
		struct buf *piece = (struct buf *)((char *)choice + choice_pieces[i].offset);
		buf_init(piece, SIZE_MAX / 2);
		buf_charge(piece, assembly->party);
	}
	choice->next = *at;
	return *at = choice;
}

static struct assembly_call *need_call(struct openai_assembly *assembly, struct assembly_choice *choice, int64_t index)
{
	struct assembly_call **at = &choice->calls;
	while (*at != NULL && (*at)->index < index)
		at = &(*at)->next;
	if (*at != NULL && (*at)->index == index)
		return *at;
	struct assembly_call *call = add_part(assembly, sizeof(*call));
	if (call == NULL)
		return NULL;
	call->index = index;
	buf_init(&call->name, SIZE_MAX / 2);
	buf_init(&call->arguments, SIZE_MAX / 2);
	buf_charge(&call->arguments, assembly->party);
	call->next = *at;
	return *at = call;
}

/* Returns the list of that name; one that is new lies at the end. */
static struct assembly_list *need_list(struct openai_assembly *assembly, struct assembly_list **at, struct span name)
{
	while (*at != NULL && !span_equal((*at)->name, name))
		at = &(*at)->next;
	if (*at != NULL)
		return *at;
	struct assembly_list *list = add_part(assembly, sizeof(*list));
	if (list == NULL)
		return NULL;
	list->name = arena_copy(&assembly->arena, name);
	list->type = JSON_NULL;
	buf_init(&list->items, SIZE_MAX / 2);
	buf_charge(&list->items, assembly->party);
	return *at = list;
}

/* Joins a value to what came of it before: a list or a text; an object comes once. null says nothing. */
static void add_list(struct openai_assembly *assembly, const struct json *json, uint32_t key,
		     struct assembly_list **lists)
{
	enum json_type type = json_type(json, key + 1);
	struct assembly_list *list = need_list(assembly, lists, json_string(json, key, &assembly->scratch));
	if (list == NULL || type == JSON_NULL)
		return;
	bool joins = type == JSON_ARRAY || type == JSON_STRING || type == JSON_OBJECT;
	struct span raw = json_raw(json, key + 1);
	joins &= list->type == JSON_NULL || (list->type == type && type != JSON_OBJECT);
	list->type = type;
	assembly->failed |= !joins;
	if (!joins || (type == JSON_ARRAY && json_first(json, key + 1) == JSON_NONE))
		return;
	if (type == JSON_ARRAY && buf_len(&list->items) > 0)
		append(assembly, SPAN(","), &list->items);
	append(assembly, (struct span){raw.at + 1, raw.len - 2}, &list->items);
}

/* Joins what is not told otherwise. Engines have members of their own; numbers among them are no content. */
static void add_others(struct openai_assembly *assembly, const struct json *json, uint32_t object,
		       bool (*is_told)(const struct json *json, uint32_t key), struct assembly_list **others)
{
	for (uint32_t at = json_first(json, object); at != JSON_NONE; at = json_next(json, object, at))
		if (!is_told(json, at) && openai_is_filled(json, at + 1))
			add_list(assembly, json, at, others);
}

static bool is_told_of_call(const struct json *json, uint32_t key)
{
	return openai_key_is(json, key, SPAN("id")) || openai_key_is(json, key, SPAN("type")) ||
	       openai_key_is(json, key, SPAN("function"));
}

static bool is_told_of_message(const struct json *json, uint32_t key)
{
	for (size_t i = 0; i < CHOICE_PIECES; i++)
		if (json_string_is(json, key, choice_pieces[i].name))
			return true;
	return openai_key_is(json, key, SPAN("role")) || openai_key_is(json, key, SPAN("tool_calls")) ||
	       openai_key_is(json, key, SPAN("audio"));
}

static void add_calls(struct openai_assembly *assembly, const struct json *json, uint32_t delta,
		      struct assembly_choice *choice)
{
	uint32_t calls = json_member(json, delta, "tool_calls");
	if (calls == JSON_NONE || json_type(json, calls) != JSON_ARRAY)
		return;
	for (uint32_t at = json_first(json, calls); at != JSON_NONE; at = json_next(json, calls, at)) {
		struct assembly_call *call = need_call(assembly, choice, member_index(json, at));
		uint32_t function = json_member(json, at, "function");
		if (call == NULL)
			return;
		keep(assembly, json, at, "id", &call->id);
		keep(assembly, json, at, "type", &call->type);
		add_others(assembly, json, at, is_told_of_call, &call->others);
		if (function == JSON_NONE)
			continue;
		call->function = true;
		join(assembly, json, function, "name", &call->name);
		join(assembly, json, function, "arguments", &call->arguments);
	}
}

static void add_logprobs(struct openai_assembly *assembly, const struct json *json, uint32_t node,
			 struct assembly_choice *choice)
{
	uint32_t logprobs = json_member(json, node, "logprobs");
	if (logprobs == JSON_NONE || json_type(json, logprobs) == JSON_NULL)
		return;
	assembly->failed |= json_type(json, logprobs) != JSON_OBJECT;
	for (uint32_t at = json_first(json, logprobs); at != JSON_NONE && !assembly->failed;
	     at = json_next(json, logprobs, at))
		add_list(assembly, json, at, &choice->lists);
}

static void add_choice(struct openai_assembly *assembly, const struct json *json, uint32_t node)
{
	struct assembly_choice *choice = need_choice(assembly, member_index(json, node));
	uint32_t delta = json_member(json, node, "delta");
	if (choice == NULL)
		return;
	keep(assembly, json, node, "finish_reason", &choice->finish_reason);
	keep(assembly, json, node, "sluice_target", &choice->target);
	add_logprobs(assembly, json, node, choice);
	if (delta == JSON_NONE) {
		assembly->completion |= json_member(json, node, "text") != JSON_NONE;
		join(assembly, json, node, "text", &choice->content);
		return;
	}
	for (size_t i = 0; i < CHOICE_PIECES; i++)
		join(assembly, json, delta, choice_pieces[i].name,
		     (struct buf *)((char *)choice + choice_pieces[i].offset));
	add_calls(assembly, json, delta, choice);
	add_others(assembly, json, delta, is_told_of_message, &choice->others);
}

void openai_assembly_add(struct openai_assembly *assembly, struct span data)
{
	struct json json;
	arena_reset(&assembly->scratch);
	assembly->bytes += data.len;
	if (assembly->failed)
		return;
	uint32_t choices =
	    openai_read_object(&json, &assembly->scratch, data) ? json_member(&json, 0, "choices") : JSON_NONE;
	if (choices == JSON_NONE || json_type(&json, choices) != JSON_ARRAY) {
		assembly->failed = true;
		return;
	}
	for (uint32_t at = json_first(&json, choices); at != JSON_NONE; at = json_next(&json, choices, at))
		add_choice(assembly, &json, at);
	assembly->exhausted |= arena_failed(&assembly->arena) || arena_failed(&assembly->scratch);
	assembly->failed |= assembly->exhausted;
}

static void write_list(struct buf *out, const struct assembly_list *list)
{
	static const char *const opens[] = {[JSON_ARRAY] = ":[", [JSON_STRING] = ":\"", [JSON_OBJECT] = ":{"};
	static const char *const closes[] = {[JSON_ARRAY] = "]", [JSON_STRING] = "\"", [JSON_OBJECT] = "}"};
	bool null = list->type == JSON_NULL;
	json_write_string(out, list->name);
	buf_append(out, null ? SPAN(":null") : span_of(opens[list->type]));
	buf_append(out, buf_span(&list->items));
	buf_append(out, null ? SPAN("") : span_of(closes[list->type]));
}

static void write_others(struct buf *out, const struct assembly_list *list)
{
	for (; list != NULL; list = list->next) {
		buf_append(out, SPAN(","));
		write_list(out, list);
	}
}

static void write_calls(struct buf *out, const struct assembly_choice *choice)
{
	buf_append(out, SPAN(",\"tool_calls\":["));
	for (const struct assembly_call *call = choice->calls; call != NULL; call = call->next) {
		buf_append(out, SPAN("{\"id\":"));
		json_write_string(out, call->id.at == NULL ? SPAN("") : call->id);
		buf_append(out, SPAN(",\"type\":"));
		json_write_string(out, call->type.at == NULL ? SPAN("function") : call->type);
		if (call->function || call->others == NULL) {
			buf_append(out, SPAN(",\"function\":{\"name\":"));
			json_write_string(out, buf_span(&call->name));
			buf_append(out, SPAN(",\"arguments\":"));
			json_write_string(out, buf_span(&call->arguments));
			buf_append(out, SPAN("}"));
		}
		write_others(out, call->others);
		buf_append(out, call->next == NULL ? SPAN("}") : SPAN("},"));
	}
	buf_append(out, SPAN("]"));
}

/* content is always there, null when nothing was said; the others only with something in them. */
static void write_message(struct buf *out, const struct assembly_choice *choice)
{
	buf_append(out, SPAN("{\"role\":\"assistant\""));
	for (size_t i = 0; i < CHOICE_PIECES; i++) {
		const struct buf *text = (const struct buf *)((const char *)choice + choice_pieces[i].offset);
		bool said = buf_len(text) > 0 || (i == 0 && choice->calls == NULL);
		if (i > 0 && !said)
			continue;
		buf_printf(out, ",\"%s\":", choice_pieces[i].name);
		json_write_string_or_null(out, said ? buf_span(text) : (struct span){NULL, 0});
	}
	write_others(out, choice->others);
	if (choice->calls != NULL)
		write_calls(out, choice);
	buf_append(out, SPAN("}"));
}

static void write_logprobs(struct buf *out, const struct assembly_choice *choice)
{
	buf_append(out, SPAN(",\"logprobs\":{"));
	for (const struct assembly_list *list = choice->lists; list != NULL; list = list->next) {
		write_list(out, list);
		buf_append(out, list->next == NULL ? SPAN("") : SPAN(","));
	}
	buf_append(out, SPAN("}"));
}

static void write_choice(struct buf *out, const struct assembly_choice *choice, bool completion)
{
	buf_printf(out, "{\"index\":%" PRId64 ",\"%s\":", choice->index, completion ? "text" : "message");
	if (completion)
		json_write_string(out, buf_span(&choice->content));
	else
		write_message(out, choice);
	if (choice->lists != NULL)
		write_logprobs(out, choice);
	else if (completion)
		buf_append(out, SPAN(",\"logprobs\":null"));
	buf_append(out, SPAN(",\"finish_reason\":"));
	json_write_string_or_null(out, choice->finish_reason);
	if (choice->target.at != NULL) {
		buf_append(out, SPAN(",\"sluice_target\":"));
		json_write_string(out, choice->target);
	}
	buf_append(out, SPAN("}"));
}

bool openai_assembly_write(const struct openai_assembly *assembly, struct span id, struct span model, int64_t created,
			   struct buf *out)
{
	if (assembly->failed || assembly->choices == NULL)
		return false;
	buf_append(out, SPAN("{\"id\":"));
	json_write_string(out, id);
	buf_printf(out, ",\"object\":\"%s\",\"created\":%" PRId64 ",\"model\":",
		   assembly->completion ? "text_completion" : "chat.completion", created);
	json_write_string(out, model);
	buf_append(out, SPAN(",\"choices\":["));
	for (const struct assembly_choice *choice = assembly->choices; choice != NULL; choice = choice->next) {
		write_choice(out, choice, assembly->completion);
		if (choice->next != NULL)
			buf_append(out, SPAN(","));
	}
	buf_append(out, SPAN("]}"));
	return true;
}
