/* SPDX-License-Identifier: MIT */
/* Items of an answer; items.h holds the contract. */
#include "schemas/responses/items.h"

#include <stdlib.h>

#include "lib/decimal.h"
#include "lib/json_write.h"
#include "schemas/responses/to_chat.h"

enum { TEXTS_MOST = 16 << 20, CALLS_MOST = 1024, ID_MOST = 256, NAME_MOST = 1024, INPUT_DEPTH = 8 };

void responses_items_init(struct responses_items *items, uint32_t party)
{
	*items = (struct responses_items){.left = TEXTS_MOST, .party = party};
}

static void free_item(struct responses_item *item)
{
	buf_fini(&item->call);
	buf_fini(&item->name);
	buf_fini(&item->text);
	free(item);
}

void responses_items_fini(struct responses_items *items)
{
	for (struct responses_item *next, *at = items->calls; at != NULL; at = next) {
		next = at->next_call;
		if (!at->begun)
			free_item(at);
	}
	for (struct responses_item *next, *at = items->first; at != NULL; at = next) {
		next = at->next;
		free_item(at);
	}
	items->first = items->last = items->calls = NULL;
}

static struct responses_item *make_item(const struct responses_items *items, enum responses_kind kind)
{
	struct responses_item *item = calloc(1, sizeof(*item));
	if (item == NULL)
		return NULL;
	item->kind = kind;
	buf_init(&item->call, ID_MOST);
	buf_init(&item->name, NAME_MOST);
	buf_init(&item->text, TEXTS_MOST);
	buf_charge(&item->text, items->party);
	return item;
}

static void append_item(struct responses_items *items, struct responses_item *item)
{
	item->begun = true;
	item->place = items->count++;
	if (items->last == NULL)
		items->first = item;
	else
		items->last->next = item;
	items->last = item;
}

struct responses_item *responses_items_add(struct responses_items *items, enum responses_kind kind)
{
	struct responses_item *item = make_item(items, kind);
	if (item != NULL)
		append_item(items, item);
	return item;
}

struct responses_item *responses_items_call(struct responses_items *items, int64_t index)
{
	struct responses_item **link = &items->calls;
	while (*link != NULL && (*link)->tool < index)
		link = &(*link)->next_call;
	if (*link != NULL && (*link)->tool == index)
		return *link;
	struct responses_item *call = items->call_count < CALLS_MOST ? make_item(items, RESPONSES_FUNCTION_CALL) : NULL;
	if (call == NULL)
		return NULL;
	items->call_count++;
	call->tool = index;
	call->next_call = *link;
	return *link = call;
}

void responses_items_begin(struct responses_items *items, struct responses_item *call)
{
	append_item(items, call);
}

bool responses_item_append(struct responses_items *items, struct responses_item *item, struct span text)
{
	if (text.len > items->left || !buf_append(&item->text, text))
		return false;
	items->left -= text.len;
	return true;
}

/* ---- writing ---- */

/* How an item is written. */
static const struct {
	const char *type, *prefix;  /* of its id */
	const char *part, *member;  /* of its content */
	struct span before, inside; /* what else it has, and its part */
} words[] = {
    [RESPONSES_TEXT] = {"message", "msg", "output_text", "text", SPAN_INIT(",\"role\":\"assistant\""),
			SPAN_INIT(",\"annotations\":[],\"logprobs\":[]")},
    [RESPONSES_REFUSAL] = {"message", "msg", "refusal", "refusal", SPAN_INIT(",\"role\":\"assistant\""), SPAN_INIT("")},
    [RESPONSES_REASONING] = {"reasoning", "rs", "reasoning_text", "text", SPAN_INIT(",\"summary\":[]"), SPAN_INIT("")},
    [RESPONSES_FUNCTION_CALL] = {"function_call", "fc", NULL, NULL, SPAN_INIT(""), SPAN_INIT("")},
    [RESPONSES_CUSTOM_CALL] = {"custom_tool_call", "ctc", NULL, NULL, SPAN_INIT(""), SPAN_INIT("")},
};

static const char *const statuses[] = {[RESPONSES_IN_PROGRESS] = "in_progress",
				       [RESPONSES_COMPLETED] = "completed",
				       [RESPONSES_INCOMPLETE] = "incomplete"};

/* Ids of items are made of the answer's and their place. */
static void write_id(struct buf *out, const char *prefix, const struct responses_echo *echo,
		     const struct responses_item *item)
{
	static const size_t behind = sizeof("resp_") - 1;
	struct span id = {echo->id.at + behind, echo->id.len - behind};
	buf_append(out, SPAN("\""));
	buf_append(out, span_of(prefix));
	buf_append(out, SPAN("_"));
	buf_append(out, id);
	buf_append(out, SPAN("_"));
	decimal_append(out, item->place);
	buf_append(out, SPAN("\""));
}

void responses_item_write_id(struct buf *out, const struct responses_echo *echo, const struct responses_item *item)
{
	write_id(out, words[item->kind].prefix, echo, item);
}

void responses_item_write_input(struct buf *out, const struct responses_item *item)
{
	struct arena arena;
	struct json json;
	struct json_error error;
	arena_init(&arena, 0);
	bool object =
	    json_parse(&json, &arena, buf_span(&item->text), INPUT_DEPTH, &error) && json_type(&json, 0) == JSON_OBJECT;
	uint32_t input = object ? json_member(&json, 0, RESPONSES_CUSTOM_PARAMETER) : JSON_NONE;
	if (input != JSON_NONE && json_type(&json, input) == JSON_STRING)
		buf_append(out, json_raw(&json, input));
	else
		json_write_string(out, buf_span(&item->text));
	arena_fini(&arena);
}

void responses_item_write_part(struct buf *out, const struct responses_item *item, bool empty)
{
	buf_append(out, SPAN("{\"type\":\""));
	buf_append(out, span_of(words[item->kind].part));
	buf_append(out, SPAN("\""));
	buf_append(out, words[item->kind].inside);
	buf_append(out, SPAN(",\""));
	buf_append(out, span_of(words[item->kind].member));
	buf_append(out, SPAN("\":"));
	json_write_string(out, empty ? SPAN("") : buf_span(&item->text));
	buf_append(out, SPAN("}"));
}

static void write_call(struct buf *out, const struct responses_echo *echo, const struct responses_item *item,
		       bool empty)
{
	buf_append(out, SPAN(",\"call_id\":"));
	if (buf_len(&item->call) == 0)
		write_id(out, "call", echo, item); /* the backend named none */
	else
		json_write_string(out, buf_span(&item->call));
	buf_append(out, SPAN(",\"name\":"));
	json_write_string(out, buf_span(&item->name));
	buf_append(out, item->kind == RESPONSES_CUSTOM_CALL ? SPAN(",\"input\":") : SPAN(",\"arguments\":"));
	if (empty)
		buf_append(out, SPAN("\"\""));
	else if (item->kind == RESPONSES_CUSTOM_CALL)
		responses_item_write_input(out, item);
	else
		json_write_string(out, buf_span(&item->text));
}

void responses_item_write(struct buf *out, const struct responses_echo *echo, const struct responses_item *item,
			  bool empty)
{
	buf_append(out, SPAN("{\"type\":\""));
	buf_append(out, span_of(words[item->kind].type));
	buf_append(out, SPAN("\",\"id\":"));
	responses_item_write_id(out, echo, item);
	buf_append(out, SPAN(",\"status\":\""));
	buf_append(out, span_of(statuses[item->status]));
	buf_append(out, SPAN("\""));
	buf_append(out, words[item->kind].before);
	if (responses_item_is_call(item)) {
		write_call(out, echo, item, empty);
	} else {
		buf_append(out, SPAN(",\"content\":["));
		if (!empty)
			responses_item_write_part(out, item, false);
		buf_append(out, SPAN("]"));
	}
	buf_append(out, SPAN("}"));
}
