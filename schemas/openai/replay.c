/* SPDX-License-Identifier: MIT */
/* Whole answers, told once more; openai_replay.h holds the contract. */
#include "schemas/openai/replay.h"

#include <inttypes.h>

#include "lib/decimal.h"
#include "lib/json_write.h"
#include "lib/utf8.h"
#include "schemas/openai/answer.h"
#include "schemas/openai/internal.h"

enum { PIECE_MOST = 1024 /* bytes of text in a chunk */ };

struct telling {
	const struct openai_replay *replay;
	const struct json *json;
	struct arena *scratch;
	bool (*emit)(void *context, struct span data, unsigned carries);
	void *context;
	struct buf opening; /* `{"id":…,"choices":[` */
	struct buf out;
};

static struct openai_mark mark(const struct json *json, const char *key)
{
	uint32_t value = json_member(json, 0, key);
	if (value == JSON_NONE)
		return (struct openai_mark){0, 0};
	return (struct openai_mark){json->nodes[value].start, json->nodes[value].end};
}

bool openai_replay_mark(struct span body, struct arena *scratch, struct openai_marks *marks)
{
	struct json json;
	if (!openai_read_object(&json, scratch, body))
		return false;
	*marks = (struct openai_marks){.id = mark(&json, "id"), .created = mark(&json, "created")};
	return true;
}

/* Appends the body from done to a mark, and steps over that. */
static void append_to(const struct openai_replay *replay, struct openai_mark to, size_t *done, struct buf *out)
{
	buf_append(out, (struct span){replay->body.at + *done, to.start - *done});
	*done = to.end;
}

static void put_id(const struct openai_replay *replay, size_t *done, struct buf *out)
{
	if (replay->id.at == NULL || replay->marks.id.start == replay->marks.id.end)
		return;
	append_to(replay, replay->marks.id, done, out);
	buf_append(out, SPAN("\""));
	buf_append(out, replay->id);
	buf_append(out, SPAN("\""));
}

static void put_created(const struct openai_replay *replay, size_t *done, struct buf *out)
{
	if (replay->created < 0 || replay->marks.created.start == replay->marks.created.end)
		return;
	append_to(replay, replay->marks.created, done, out);
	decimal_append_signed(out, replay->created);
}

bool openai_replay_whole(const struct openai_replay *replay, struct buf *out)
{
	size_t done = 0;
	bool id_first = replay->marks.id.start < replay->marks.created.start;
	if (id_first)
		put_id(replay, &done, out);
	put_created(replay, &done, out);
	if (!id_first)
		put_id(replay, &done, out);
	append_to(replay, (struct openai_mark){replay->body.len, replay->body.len}, &done, out);
	return !buf_failed(out);
}

static bool is_chat(const struct telling *telling)
{
	return telling->replay->endpoint == OPENAI_CHAT;
}

static void append_raw(struct telling *telling, struct buf *out, const char *key)
{
	uint32_t value = json_member(telling->json, 0, key);
	if (value == JSON_NONE)
		return;
	buf_printf(out, "\"%s\":", key);
	buf_append(out, json_raw(telling->json, value));
	buf_append(out, SPAN(","));
}

/* What all chunks begin with. */
static void make_opening(struct telling *telling)
{
	const struct openai_replay *replay = telling->replay;
	struct buf *out = &telling->opening;
	buf_append(out, SPAN("{"));
	if (replay->id.at != NULL) {
		buf_append(out, SPAN("\"id\":"));
		json_write_string(out, replay->id);
		buf_append(out, SPAN(","));
	} else {
		append_raw(telling, out, "id");
	}
	buf_printf(out, "\"object\":\"%s\",", is_chat(telling) ? "chat.completion.chunk" : "text_completion");
	if (replay->created >= 0)
		buf_printf(out, "\"created\":%" PRId64 ",", replay->created);
	else
		append_raw(telling, out, "created");
	append_raw(telling, out, "model");
	append_raw(telling, out, "service_tier");
	append_raw(telling, out, "system_fingerprint");
	buf_append(out, SPAN("\"choices\":["));
}

/* Begins a chunk of a choice: up to where its delta, or its text, goes. */
static void begin(struct telling *telling, uint32_t choice)
{
	uint32_t index = json_member(telling->json, choice, "index");
	uint32_t target = json_member(telling->json, choice, "sluice_target");
	buf_reset(&telling->out);
	buf_append(&telling->out, buf_span(&telling->opening));
	buf_append(&telling->out, SPAN("{\"index\":"));
	buf_append(&telling->out, index == JSON_NONE ? SPAN("0") : json_raw(telling->json, index));
	if (target != JSON_NONE) {
		buf_append(&telling->out, SPAN(",\"sluice_target\":"));
		buf_append(&telling->out, json_raw(telling->json, target));
	}
	buf_append(&telling->out, is_chat(telling) ? SPAN(",\"delta\":{") : SPAN(",\"text\":"));
}

/* logprobs, finish: JSON tokens. */
static bool end(struct telling *telling, struct span logprobs, struct span finish, unsigned carries)
{
	if (is_chat(telling))
		buf_append(&telling->out, SPAN("}"));
	buf_append(&telling->out, SPAN(",\"logprobs\":"));
	buf_append(&telling->out, logprobs);
	buf_append(&telling->out, SPAN(",\"finish_reason\":"));
	buf_append(&telling->out, finish);
	buf_append(&telling->out, SPAN("}]}"));
	return !buf_failed(&telling->out) && !arena_failed(telling->scratch) &&
	       telling->emit(telling->context, buf_span(&telling->out), carries);
}

/* A text in pieces; in one, which may be empty, when log probabilities go with it. */
static bool tell_text(struct telling *telling, uint32_t choice, const char *member, uint32_t value,
		      struct span logprobs)
{
	struct span text = json_string(telling->json, value, telling->scratch);
	bool whole = !span_is(logprobs, "null");
	for (bool more = text.len > 0 || (whole && text.at != NULL); more; more = text.len > 0) {
		size_t len = whole || text.len <= PIECE_MOST ? text.len : PIECE_MOST;
		while (len < text.len && utf8_is_tail((unsigned char)text.at[len]))
			len--;
		begin(telling, choice);
		if (member != NULL)
			buf_printf(&telling->out, "\"%s\":", member);
		json_write_string(&telling->out, (struct span){text.at, len});
		if (!end(telling, logprobs, SPAN("null"), CARRIES_CONTENT))
			return false;
		text = (struct span){text.at + len, text.len - len};
	}
	return text.at != NULL;
}

static bool tell_calls(struct telling *telling, uint32_t choice, uint32_t calls)
{
	const struct json *json = telling->json;
	unsigned position = 0;
	for (uint32_t at = json_first(json, calls); at != JSON_NONE; at = json_next(json, calls, at), position++) {
		bool own = json_type(json, at) == JSON_OBJECT && json_member(json, at, "index") != JSON_NONE;
		struct span raw = json_raw(json, at);
		if (json_type(json, at) != JSON_OBJECT || json->nodes[at].count == 0)
			return false;
		begin(telling, choice);
		buf_append(&telling->out, SPAN("\"tool_calls\":[{"));
		if (!own)
			buf_printf(&telling->out, "\"index\":%u,", position);
		buf_append(&telling->out, (struct span){raw.at + 1, raw.len - 1});
		buf_append(&telling->out, SPAN("]"));
		if (!end(telling, SPAN("null"), SPAN("null"), CARRIES_CONTENT))
			return false;
	}
	return true;
}

/* What is told in pieces. Content may also be a list of parts, which is told as it is. */
static bool is_told_as_text(const struct json *json, uint32_t key)
{
	if (json_type(json, key + 1) != JSON_STRING && json_type(json, key + 1) != JSON_NULL)
		return false;
	return openai_key_is(json, key, SPAN("content")) || openai_key_is(json, key, SPAN("refusal")) ||
	       openai_key_is(json, key, SPAN("reasoning")) || openai_key_is(json, key, SPAN("reasoning_content"));
}

/* The role, and what is neither text nor calls, such as annotations. */
static bool tell_role(struct telling *telling, uint32_t choice, uint32_t message)
{
	const struct json *json = telling->json;
	begin(telling, choice);
	uint32_t content = json_member(json, message, "content");
	enum json_type type = content == JSON_NONE ? JSON_NULL : json_type(json, content);
	buf_append(&telling->out, SPAN("\"role\":\"assistant\""));
	if (type == JSON_STRING || type == JSON_NULL)
		buf_append(&telling->out, type == JSON_STRING ? SPAN(",\"content\":\"\"") : SPAN(",\"content\":null"));
	for (uint32_t at = json_first(json, message); at != JSON_NONE; at = json_next(json, message, at)) {
		if (is_told_as_text(json, at) || openai_key_is(json, at, SPAN("role")) ||
		    openai_key_is(json, at, SPAN("tool_calls")))
			continue;
		buf_append(&telling->out, SPAN(","));
		buf_append(&telling->out, json_raw(json, at));
		buf_append(&telling->out, SPAN(":"));
		buf_append(&telling->out, json_raw(json, at + 1));
	}
	return end(telling, SPAN("null"), SPAN("null"), CARRIES_ROLE);
}

static bool tell_message(struct telling *telling, uint32_t choice, uint32_t message, struct span logprobs)
{
	static const char *const texts[] = {"reasoning_content", "reasoning", "content", "refusal"};
	const struct json *json = telling->json;
	if (!tell_role(telling, choice, message))
		return false;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		uint32_t value = json_member(json, message, texts[i]);
		if (value == JSON_NONE || json_type(json, value) != JSON_STRING)
			continue;
		bool theirs = strcmp(texts[i], "content") == 0 || strcmp(texts[i], "refusal") == 0;
		if (!tell_text(telling, choice, texts[i], value, theirs ? logprobs : SPAN("null")))
			return false;
		if (theirs)
			logprobs = SPAN("null"); /* with the first of them */
	}
	uint32_t calls = json_member(json, message, "tool_calls");
	return calls == JSON_NONE || json_type(json, calls) != JSON_ARRAY || tell_calls(telling, choice, calls);
}

static bool tell_choice(struct telling *telling, uint32_t choice)
{
	const struct json *json = telling->json;
	uint32_t logprobs = json_member(json, choice, "logprobs");
	uint32_t finish = json_member(json, choice, "finish_reason");
	uint32_t content = json_member(json, choice, is_chat(telling) ? "message" : "text");
	struct span told = logprobs == JSON_NONE ? SPAN("null") : json_raw(json, logprobs);
	if (content == JSON_NONE || json_type(json, content) != (is_chat(telling) ? JSON_OBJECT : JSON_STRING))
		return false;
	if (is_chat(telling) ? !tell_message(telling, choice, content, told)
			     : !tell_text(telling, choice, NULL, content, told))
		return false;
	begin(telling, choice);
	if (!is_chat(telling))
		buf_append(&telling->out, SPAN("\"\""));
	return end(telling, SPAN("null"), finish == JSON_NONE ? SPAN("null") : json_raw(json, finish), CARRIES_FINISH);
}

static bool tell_usage(struct telling *telling)
{
	uint32_t usage = json_member(telling->json, 0, "usage");
	if (!telling->replay->include_usage || usage == JSON_NONE)
		return true;
	buf_reset(&telling->out);
	buf_append(&telling->out, buf_span(&telling->opening));
	buf_append(&telling->out, SPAN("],\"usage\":"));
	buf_append(&telling->out, json_raw(telling->json, usage));
	buf_append(&telling->out, SPAN("}"));
	return !buf_failed(&telling->out) &&
	       telling->emit(telling->context, buf_span(&telling->out), CARRIES_USAGE | CARRIES_NO_CHOICE);
}

static bool tell_choices(struct telling *telling)
{
	const struct json *json = telling->json;
	uint32_t choices = json_member(json, 0, "choices");
	if (choices == JSON_NONE || json_type(json, choices) != JSON_ARRAY || json->nodes[choices].count == 0)
		return false;
	make_opening(telling);
	for (uint32_t at = json_first(json, choices); at != JSON_NONE; at = json_next(json, choices, at))
		if (json_type(json, at) != JSON_OBJECT || !tell_choice(telling, at))
			return false;
	return tell_usage(telling);
}

bool openai_replay_chunks(const struct openai_replay *replay, struct arena *scratch,
			  bool (*emit)(void *context, struct span data, unsigned carries), void *context)
{
	struct json json;
	struct telling telling = {
	    .replay = replay, .json = &json, .scratch = scratch, .emit = emit, .context = context};
	if (!openai_read_object(&json, scratch, replay->body))
		return false;
	buf_init(&telling.opening, replay->body.len * 6 + 1024);
	buf_init(&telling.out, replay->body.len * 7 + 4096);
	bool told = tell_choices(&telling);
	buf_fini(&telling.opening);
	buf_fini(&telling.out);
	return told;
}
