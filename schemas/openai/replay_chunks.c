/* SPDX-License-Identifier: MIT */
/* Whole answers, told as the chunks of a stream; replay.h holds the contract. */
#include "schemas/openai/replay.h"

#include <inttypes.h>

#include "lib/json_write.h"
#include "lib/utf8.h"
#include "schemas/openai/answer_read.h"
#include "schemas/openai/chunk_deltas.h"
#include "schemas/openai/internal.h"

enum {
	PIECE_MOST = 1024,   /* bytes of text in a chunk */
	LOGPROBS_MOST = 128, /* tokens whose log probabilities are in one: each may have hundreds of values */
	LOGPROBS_LISTS = 8,
	BESIDE_MOST = 16 << 10, /* bytes of members that an engine has put beside the usage */
};

struct telling {
	const struct answer_replay *replay;
	const struct json *json;
	struct arena *scratch;
	bool (*emit)(void *context, struct span data, unsigned carries);
	void *context;
	struct buf opening; /* `{"id":…,"choices":[` */
	struct buf choice;  /* the same, and a choice's beginning, up to where its delta or text goes */
	struct buf out;
	struct buf part;               /* of log probabilities */
	uint32_t next[LOGPROBS_LISTS]; /* of each of their lists: the first that was not told */
};

static bool is_chat(const struct telling *telling)
{
	return telling->replay->endpoint == ENDPOINT_CHAT;
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
	const struct answer_replay *replay = telling->replay;
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

/* Makes what all chunks of a choice begin with. */
static void make_choice(struct telling *telling, uint32_t choice, unsigned position)
{
	struct buf *out = &telling->choice;
	uint32_t index = json_member(telling->json, choice, "index");
	uint32_t target = json_member(telling->json, choice, "sluice_target");
	buf_reset(out);
	buf_append(out, buf_span(&telling->opening));
	buf_append(out, SPAN("{\"index\":"));
	if (index == JSON_NONE)
		buf_printf(out, "%u", position);
	else
		buf_append(out, json_raw(telling->json, index));
	if (target != JSON_NONE) {
		buf_append(out, SPAN(",\"sluice_target\":"));
		buf_append(out, json_raw(telling->json, target));
	}
	buf_append(out, is_chat(telling) ? SPAN(",\"delta\":{") : SPAN(",\"text\":"));
}

/* Begins a chunk of the choice: up to where its delta, or its text, goes. */
static void begin(struct telling *telling)
{
	buf_reset(&telling->out);
	buf_append(&telling->out, buf_span(&telling->choice));
}

#define PLAIN_END ",\"logprobs\":null,\"finish_reason\":null}]}"

/* logprobs, finish: JSON tokens; {NULL,0} = null. */
static bool end(struct telling *telling, struct span logprobs, struct span finish, unsigned carries)
{
	struct span null = SPAN("null");
	if (logprobs.at == NULL && finish.at == NULL) {
		buf_append(&telling->out, is_chat(telling) ? SPAN("}" PLAIN_END) : SPAN(PLAIN_END));
	} else {
		buf_append(&telling->out, is_chat(telling) ? SPAN("},\"logprobs\":") : SPAN(",\"logprobs\":"));
		buf_append(&telling->out, logprobs.at == NULL ? null : logprobs);
		buf_append(&telling->out, SPAN(",\"finish_reason\":"));
		buf_append(&telling->out, finish.at == NULL ? null : finish);
		buf_append(&telling->out, SPAN("}]}"));
	}
	return !buf_failed(&telling->out) && !buf_failed(&telling->part) && !arena_failed(telling->scratch) &&
	       telling->emit(telling->context, buf_span(&telling->out), carries);
}

/* Returns how many tokens the longest list of log probabilities has; 0: they are no lists, and told at once. */
static unsigned count_logprobs(struct telling *telling, uint32_t logprobs)
{
	const struct json *json = telling->json;
	unsigned longest = 0, lists = 0;
	if (logprobs == JSON_NONE || json_type(json, logprobs) != JSON_OBJECT)
		return 0;
	for (uint32_t at = json_first(json, logprobs); at != JSON_NONE; at = json_next(json, logprobs, at), lists++) {
		const struct json_node *list = &json->nodes[at + 1];
		if (lists == LOGPROBS_LISTS || (list->type != JSON_ARRAY && list->type != JSON_NULL))
			return 0;
		telling->next[lists] = list->type == JSON_ARRAY ? json_first(json, at + 1) : JSON_NONE;
		if (list->type == JSON_ARRAY && list->count > longest)
			longest = list->count;
	}
	return longest;
}

/* Appends the next ones of a list. */
static void append_items(const struct json *json, uint32_t list, uint32_t *next, struct buf *out)
{
	buf_append(out, SPAN("["));
	for (unsigned i = 0; i < LOGPROBS_MOST && *next != JSON_NONE; i++, *next = json_next(json, list, *next)) {
		buf_append(out, i == 0 ? SPAN("") : SPAN(","));
		buf_append(out, json_raw(json, *next));
	}
	buf_append(out, SPAN("]"));
}

/* Returns the log probabilities of the next tokens. */
static struct span part_of_logprobs(struct telling *telling, uint32_t logprobs)
{
	const struct json *json = telling->json;
	uint32_t *next = telling->next;
	buf_reset(&telling->part);
	buf_append(&telling->part, SPAN("{"));
	for (uint32_t at = json_first(json, logprobs); at != JSON_NONE; at = json_next(json, logprobs, at), next++) {
		buf_append(&telling->part, next == telling->next ? SPAN("") : SPAN(","));
		buf_append(&telling->part, json_raw(json, at));
		buf_append(&telling->part, SPAN(":"));
		if (json_type(json, at + 1) == JSON_ARRAY)
			append_items(json, at + 1, next, &telling->part);
		else
			buf_append(&telling->part, SPAN("null"));
	}
	buf_append(&telling->part, SPAN("}"));
	return buf_span(&telling->part);
}

/* Tells one piece of a text. member: the JSON token of its name; {NULL,0}: it has none. logprobs: a JSON token. */
static bool tell_piece(struct telling *telling, struct span member, struct span piece, struct span logprobs)
{
	begin(telling);
	if (member.at != NULL) {
		buf_append(&telling->out, member);
		buf_append(&telling->out, SPAN(":"));
	}
	json_write_string(&telling->out, piece);
	return end(telling, logprobs, (struct span){NULL, 0}, CARRIES_CONTENT);
}

/* Tells a text whole, which may be empty, with its log probabilities; of many, the rest follows in parts. */
static bool tell_with_logprobs(struct telling *telling, struct span member, struct span text, uint32_t logprobs)
{
	unsigned tokens = count_logprobs(telling, logprobs);
	if (tokens <= LOGPROBS_MOST)
		return tell_piece(telling, member, text, json_raw(telling->json, logprobs));
	for (unsigned told = 0; told < tokens; told += LOGPROBS_MOST, text.len = 0)
		if (!tell_piece(telling, member, text, part_of_logprobs(telling, logprobs)))
			return false;
	return true;
}

/* A text in pieces; in one when log probabilities go with it. */
static bool tell_text(struct telling *telling, struct span member, uint32_t value, uint32_t logprobs)
{
	struct span text = json_string(telling->json, value, telling->scratch);
	if (logprobs != JSON_NONE && text.at != NULL)
		return tell_with_logprobs(telling, member, text, logprobs);
	while (text.len > 0) {
		size_t len = text.len <= PIECE_MOST ? text.len : PIECE_MOST;
		while (len < text.len && utf8_is_tail((unsigned char)text.at[len]))
			len--;
		if (!tell_piece(telling, member, (struct span){text.at, len}, (struct span){NULL, 0}))
			return false;
		text = (struct span){text.at + len, text.len - len};
	}
	return text.at != NULL;
}

static bool tell_calls(struct telling *telling, uint32_t calls)
{
	const struct json *json = telling->json;
	unsigned position = 0;
	for (uint32_t at = json_first(json, calls); at != JSON_NONE; at = json_next(json, calls, at), position++) {
		bool own = json_type(json, at) == JSON_OBJECT && json_member(json, at, "index") != JSON_NONE;
		struct span raw = json_raw(json, at);
		if (json_type(json, at) != JSON_OBJECT || json->nodes[at].count == 0)
			return false;
		begin(telling);
		buf_append(&telling->out, SPAN("\"tool_calls\":[{"));
		if (!own)
			buf_printf(&telling->out, "\"index\":%u,", position);
		buf_append(&telling->out, (struct span){raw.at + 1, raw.len - 1});
		buf_append(&telling->out, SPAN("]"));
		if (!end(telling, (struct span){NULL, 0}, (struct span){NULL, 0}, CARRIES_CONTENT))
			return false;
	}
	return true;
}

/* What is told in pieces. Content may also be a list of parts, which is told as it is. */
static bool is_told_as_text(const struct json *json, uint32_t key)
{
	enum part part = openai_part_of(json, key);
	bool text = json_type(json, key + 1) == JSON_STRING || json_type(json, key + 1) == JSON_NULL;
	return text && (part == PART_TEXT || part == PART_REFUSAL || part == PART_REASONING);
}

/* The role, and what is neither text nor calls, such as annotations. */
static bool tell_role(struct telling *telling, uint32_t message)
{
	const struct json *json = telling->json;
	begin(telling);
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
	return end(telling, (struct span){NULL, 0}, (struct span){NULL, 0}, CARRIES_ROLE);
}

/* Tells the texts of a message that are such a part. The first that is no reasoning takes the log probabilities along.
 */
static bool tell_texts(struct telling *telling, uint32_t message, enum part part, uint32_t *logprobs)
{
	const struct json *json = telling->json;
	for (uint32_t at = json_first(json, message); at != JSON_NONE; at = json_next(json, message, at)) {
		if (json_type(json, at + 1) != JSON_STRING || openai_part_of(json, at) != part)
			continue;
		if (!tell_text(telling, json_raw(json, at), at + 1, part == PART_REASONING ? JSON_NONE : *logprobs))
			return false;
		if (part != PART_REASONING)
			*logprobs = JSON_NONE;
	}
	return true;
}

static bool tell_message(struct telling *telling, uint32_t message, uint32_t *logprobs)
{
	static const enum part order[] = {PART_REASONING, PART_TEXT, PART_REFUSAL};
	const struct json *json = telling->json;
	if (!tell_role(telling, message))
		return false;
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		if (!tell_texts(telling, message, order[i], logprobs))
			return false;
	uint32_t calls = json_member(json, message, "tool_calls");
	return calls == JSON_NONE || json_type(json, calls) != JSON_ARRAY || tell_calls(telling, calls);
}

static bool tell_choice(struct telling *telling, uint32_t choice, unsigned position)
{
	const struct json *json = telling->json;
	uint32_t logprobs = json_member(json, choice, "logprobs");
	uint32_t finish = json_member(json, choice, "finish_reason");
	uint32_t content = json_member(json, choice, is_chat(telling) ? "message" : "text");
	if (logprobs != JSON_NONE && json_type(json, logprobs) == JSON_NULL)
		logprobs = JSON_NONE;
	if (content == JSON_NONE || json_type(json, content) != (is_chat(telling) ? JSON_OBJECT : JSON_STRING))
		return false;
	make_choice(telling, choice, position);
	if (is_chat(telling) ? !tell_message(telling, content, &logprobs)
			     : !tell_text(telling, (struct span){NULL, 0}, content, logprobs))
		return false;
	begin(telling);
	if (!is_chat(telling))
		buf_append(&telling->out, SPAN("\"\""));
	return end(telling, (struct span){NULL, 0},
		   finish == JSON_NONE ? (struct span){NULL, 0} : json_raw(json, finish), CARRIES_FINISH);
}

/* Returns whether a member of the answer is none that chunks have in their own way. */
static bool is_beside(const struct json *json, uint32_t key)
{
	static const struct span own[] = {SPAN_INIT("id"),           SPAN_INIT("object"),
					  SPAN_INIT("created"),      SPAN_INIT("model"),
					  SPAN_INIT("service_tier"), SPAN_INIT("system_fingerprint"),
					  SPAN_INIT("choices"),      SPAN_INIT("usage")};
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (openai_key_is(json, key, own[i]))
			return false;
	return true;
}

/* Appends what an engine put beside the usage (timings, …); of much, the beginning. */
static void append_beside(struct telling *telling)
{
	const struct json *json = telling->json;
	size_t left = BESIDE_MOST;
	for (uint32_t at = json_first(json, 0); at != JSON_NONE; at = json_next(json, 0, at)) {
		struct span value = json_raw(json, at + 1);
		if (!is_beside(json, at) || value.len > left)
			continue;
		left -= value.len;
		buf_append(&telling->out, SPAN(","));
		buf_append(&telling->out, json_raw(json, at));
		buf_append(&telling->out, SPAN(":"));
		buf_append(&telling->out, value);
	}
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
	append_beside(telling);
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
	unsigned position = 0;
	make_opening(telling);
	for (uint32_t at = json_first(json, choices); at != JSON_NONE; at = json_next(json, choices, at))
		if (json_type(json, at) != JSON_OBJECT || !tell_choice(telling, at, position++))
			return false;
	return tell_usage(telling);
}

bool openai_replay_chunks(const struct answer_replay *replay, struct arena *scratch,
			  bool (*emit)(void *context, struct span data, unsigned carries), void *context)
{
	struct json json;
	struct telling telling = {
	    .replay = replay, .json = &json, .scratch = scratch, .emit = emit, .context = context};
	if (!event_parse(replay->body, scratch, &json))
		return false;
	buf_init(&telling.opening, replay->body.len * 6 + 1024);
	buf_init(&telling.choice, replay->body.len * 7 + 2048);
	buf_init(&telling.out, replay->body.len * 7 + 4096);
	buf_init(&telling.part, replay->body.len + 4096);
	bool told = tell_choices(&telling);
	buf_fini(&telling.opening);
	buf_fini(&telling.choice);
	buf_fini(&telling.out);
	buf_fini(&telling.part);
	return told;
}
