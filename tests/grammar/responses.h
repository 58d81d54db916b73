/* SPDX-License-Identifier: MIT */
/*
 * An automaton that reads a stream of the Responses dialect as its specification has it: names, sequence numbers,
 * brackets of items and parts, indices, ids, and what each bracket says at its end; one terminal event, then [DONE]. It
 * shares no code with what writes such streams.
 */
#ifndef SLUICE_TESTS_GRAMMAR_RESPONSES_H
#define SLUICE_TESTS_GRAMMAR_RESPONSES_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

enum { GRAMMAR_ITEMS = 64, GRAMMAR_FAULT = 256 };

/* An item so far. */
struct grammar_item {
	char *id;
	char *kind;   /* message, reasoning, function_call or custom_tool_call */
	char *name;   /* of a call; NULL = it is none */
	char *part;   /* the type of the part that is open; NULL = none is */
	int parts;    /* that began */
	char *text;   /* all deltas */
	bool said;    /* its content is done */
	cJSON *ended; /* the item as it was done; NULL = it goes on */
};

struct grammar {
	struct grammar_item items[GRAMMAR_ITEMS];
	int count;
	int sequence;
	char *id;  /* of the response */
	char *end; /* how it ended: completed, incomplete or failed; NULL = it has not */
	bool done; /* [DONE] came */
	char fault[GRAMMAR_FAULT];
};

static inline bool grammar_fails(struct grammar *grammar, const char *what, const char *type)
{
	if (grammar->fault[0] == '\0')
		snprintf(grammar->fault, sizeof(grammar->fault), "event %d, %s: %s", grammar->sequence, type, what);
	return false;
}

static inline const char *grammar_text(const cJSON *object, const char *name)
{
	const cJSON *member = cJSON_GetObjectItemCaseSensitive(object, name);
	return cJSON_IsString(member) ? member->valuestring : "";
}

static inline int grammar_int(const cJSON *object, const char *name)
{
	const cJSON *member = cJSON_GetObjectItemCaseSensitive(object, name);
	return cJSON_IsNumber(member) ? member->valueint : -1;
}

static inline void grammar_append(char **text, const char *piece)
{
	size_t len = *text == NULL ? 0 : strlen(*text);
	*text = realloc(*text, len + strlen(piece) + 1);
	strcpy(*text + len, piece);
}

static inline void grammar_set(char **text, const char *value)
{
	free(*text);
	*text = value == NULL ? NULL : strdup(value);
}

/* The text of an item as it says it itself. */
static inline const char *grammar_said(const cJSON *item, const char *kind)
{
	if (strcmp(kind, "function_call") == 0)
		return grammar_text(item, "arguments");
	if (strcmp(kind, "custom_tool_call") == 0)
		return grammar_text(item, "input");
	const cJSON *content = cJSON_GetObjectItemCaseSensitive(item, "content");
	const cJSON *part = cJSON_GetArraySize(content) == 1 ? cJSON_GetArrayItem(content, 0) : NULL;
	return grammar_text(part, strcmp(grammar_text(part, "type"), "refusal") == 0 ? "refusal" : "text");
}

/* Returns the item that an event is about, which must go on; NULL with a fault. */
static inline struct grammar_item *grammar_open_item(struct grammar *grammar, const cJSON *event, const char *type)
{
	int index = grammar_int(event, "output_index");
	if (index < 0 || index >= grammar->count) {
		grammar_fails(grammar, "there is no such item", type);
		return NULL;
	}
	struct grammar_item *item = &grammar->items[index];
	const cJSON *whole = cJSON_GetObjectItemCaseSensitive(event, "item");
	const char *id = whole != NULL ? grammar_text(whole, "id") : grammar_text(event, "item_id");
	if (strcmp(id, item->id) != 0)
		grammar_fails(grammar, "another id", type);
	if (item->ended != NULL)
		grammar_fails(grammar, "the item is over", type);
	return grammar->fault[0] == '\0' ? item : NULL;
}

static inline bool grammar_item_added(struct grammar *grammar, const cJSON *event, const char *type)
{
	const cJSON *whole = cJSON_GetObjectItemCaseSensitive(event, "item");
	const char *kind = grammar_text(whole, "type");
	bool call = strstr(kind, "call") != NULL;
	if (grammar_int(event, "output_index") != grammar->count || grammar->count == GRAMMAR_ITEMS)
		return grammar_fails(grammar, "not the next item", type);
	for (int i = 0; i < grammar->count; i++)
		if (strcmp(grammar->items[i].id, grammar_text(whole, "id")) == 0)
			return grammar_fails(grammar, "an id that there is", type);
	if (strcmp(grammar_text(whole, "status"), "in_progress") != 0 || grammar_said(whole, kind)[0] != '\0' ||
	    cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(whole, "content")) != 0)
		return grammar_fails(grammar, "it has begun before", type);
	if (strcmp(kind, "message") == 0 && strcmp(grammar_text(whole, "role"), "assistant") != 0)
		return grammar_fails(grammar, "a message without a role", type);
	if (call && (grammar_text(whole, "call_id")[0] == '\0'))
		return grammar_fails(grammar, "a call without an id", type);
	struct grammar_item *item = &grammar->items[grammar->count++];
	item->id = strdup(grammar_text(whole, "id"));
	item->kind = strdup(kind);
	item->name = call ? strdup(grammar_text(whole, "name")) : NULL;
	item->text = strdup("");
	return true;
}

static inline bool grammar_item_done(struct grammar *grammar, const cJSON *event, const char *type)
{
	struct grammar_item *item = grammar_open_item(grammar, event, type);
	const cJSON *whole = cJSON_GetObjectItemCaseSensitive(event, "item");
	if (item == NULL)
		return false;
	if (item->part != NULL || !item->said)
		return grammar_fails(grammar, "its content is not done", type);
	if (strcmp(grammar_text(whole, "type"), item->kind) != 0 ||
	    strcmp(grammar_said(whole, item->kind), item->text) != 0)
		return grammar_fails(grammar, "another content", type);
	if (strcmp(grammar_text(whole, "status"), "completed") != 0 &&
	    strcmp(grammar_text(whole, "status"), "incomplete") != 0)
		return grammar_fails(grammar, "a status of no item that is done", type);
	item->ended = cJSON_Duplicate(whole, true);
	return true;
}

static inline bool grammar_part_event(struct grammar *grammar, const cJSON *event, const char *type, bool begins)
{
	struct grammar_item *item = grammar_open_item(grammar, event, type);
	const cJSON *part = cJSON_GetObjectItemCaseSensitive(event, "part");
	if (item == NULL)
		return false;
	const char *text = grammar_text(part, strcmp(grammar_text(part, "type"), "refusal") == 0 ? "refusal" : "text");
	if (item->name != NULL)
		return grammar_fails(grammar, "a call has no parts", type);
	if (begins != (item->part == NULL))
		return grammar_fails(grammar, "brackets of parts", type);
	if (grammar_int(event, "content_index") != (begins ? item->parts : item->parts - 1))
		return grammar_fails(grammar, "another index of content", type);
	if (begins ? text[0] != '\0' : (!item->said || strcmp(text, item->text) != 0))
		return grammar_fails(grammar, "another text", type);
	item->parts += begins;
	grammar_set(&item->part, begins ? grammar_text(part, "type") : NULL);
	return true;
}

/* Whether content of that name belongs to the item. */
static inline bool grammar_fits(const struct grammar_item *item, const char *content)
{
	if (item->name == NULL)
		return item->part != NULL && strcmp(item->part, content) == 0;
	return strcmp(content, strcmp(item->kind, "function_call") == 0 ? "function_call_arguments"
									: "custom_tool_call_input") == 0;
}

/* content: output_text for one. */
static inline bool grammar_content(struct grammar *grammar, const cJSON *event, const char *type, const char *content,
				   bool done)
{
	static const char *const members[] = {"text", "refusal", "arguments", "input"};
	struct grammar_item *item = grammar_open_item(grammar, event, type);
	if (item == NULL)
		return false;
	if (!grammar_fits(item, content) || item->said)
		return grammar_fails(grammar, "no place for such content", type);
	if (item->name == NULL && grammar_int(event, "content_index") != item->parts - 1)
		return grammar_fails(grammar, "another index of content", type);
	if (!done) {
		grammar_append(&item->text, grammar_text(event, "delta"));
		return true;
	}
	item->said = true;
	for (size_t i = 0; i < 4; i++)
		if (cJSON_GetObjectItemCaseSensitive(event, members[i]) != NULL)
			return strcmp(grammar_text(event, members[i]), item->text) == 0 ||
			       grammar_fails(grammar, "another text than that of the deltas", type);
	return grammar_fails(grammar, "no text", type);
}

static inline bool grammar_ends_well(struct grammar *grammar, const cJSON *response, const char *type)
{
	const cJSON *output = cJSON_GetObjectItemCaseSensitive(response, "output");
	bool incomplete = strcmp(grammar_text(response, "status"), "incomplete") == 0;
	if (incomplete != cJSON_IsObject(cJSON_GetObjectItemCaseSensitive(response, "incomplete_details")))
		return grammar_fails(grammar, "details of why it is incomplete", type);
	if (cJSON_GetArraySize(output) != grammar->count)
		return grammar_fails(grammar, "another number of items", type);
	for (int i = 0; i < grammar->count; i++) {
		const struct grammar_item *item = &grammar->items[i];
		if (item->ended == NULL)
			return grammar_fails(grammar, "an item goes on", type);
		if (!cJSON_Compare(item->ended, cJSON_GetArrayItem(output, i), true))
			return grammar_fails(grammar, "another item than the one that was done", type);
		if (strcmp(grammar_text(item->ended, "status"), "incomplete") == 0 &&
		    (!incomplete || i + 1 < grammar->count))
			return grammar_fails(grammar, "an incomplete item that is not the last", type);
	}
	return true;
}

static inline bool grammar_response(struct grammar *grammar, const cJSON *event, const char *type)
{
	const cJSON *response = cJSON_GetObjectItemCaseSensitive(event, "response");
	const char *word = type + strlen("response."), *status = grammar_text(response, "status");
	bool begins = grammar->sequence < 2;
	if (begins != (strcmp(status, "in_progress") == 0))
		return grammar_fails(grammar, "not the place for this", type);
	if (begins ? strcmp(word, grammar->sequence == 0 ? "created" : "in_progress") != 0 : strcmp(word, status) != 0)
		return grammar_fails(grammar, "another status", type);
	if (grammar->id == NULL)
		grammar->id = strdup(grammar_text(response, "id"));
	if (strncmp(grammar->id, "resp_", 5) != 0 || strcmp(grammar->id, grammar_text(response, "id")) != 0)
		return grammar_fails(grammar, "another id", type);
	if (begins)
		return cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(response, "output")) == 0 ||
		       grammar_fails(grammar, "output before there is any", type);
	grammar_set(&grammar->end, word);
	bool failed = strcmp(word, "failed") == 0;
	if (failed != cJSON_IsObject(cJSON_GetObjectItemCaseSensitive(response, "error")))
		return grammar_fails(grammar, "an error, or none", type);
	return failed || grammar_ends_well(grammar, response, type);
}

static inline bool grammar_event(struct grammar *grammar, const cJSON *event, const char *type)
{
	char content[64];
	const char *dot = strrchr(type, '.');
	if (strncmp(type, "response.", 9) != 0 || strcmp(grammar_text(event, "type"), type) != 0)
		return grammar_fails(grammar, "another name than its type", type);
	if (grammar_int(event, "sequence_number") != grammar->sequence)
		return grammar_fails(grammar, "another sequence number", type);
	if (grammar->end != NULL)
		return grammar_fails(grammar, "comes behind the end", type);
	if (cJSON_GetObjectItemCaseSensitive(event, "response") != NULL)
		return grammar_response(grammar, event, type);
	if (grammar->sequence < 2)
		return grammar_fails(grammar, "comes before the beginning", type);
	if (strcmp(type, "response.output_item.added") == 0)
		return grammar_item_added(grammar, event, type);
	if (strcmp(type, "response.output_item.done") == 0)
		return grammar_item_done(grammar, event, type);
	if (strncmp(type, "response.content_part.", 22) == 0)
		return grammar_part_event(grammar, event, type, strcmp(dot, ".added") == 0);
	snprintf(content, sizeof(content), "%.*s", (int)(dot - type - 9), type + 9);
	if (strcmp(dot, ".delta") != 0 && strcmp(dot, ".done") != 0)
		return grammar_fails(grammar, "an unknown event", type);
	return grammar_content(grammar, event, type, content, strcmp(dot, ".done") == 0);
}

/* Makes \u0000 another character: cJSON ends a text there. */
static inline void grammar_replace_nul(char *data)
{
	for (char *at = strchr(data, '\\'); at != NULL && at[1] != '\0'; at = strchr(at + 2, '\\'))
		if (strncmp(at, "\\u0000", 6) == 0)
			at[5] = '1';
}

static inline bool grammar_block(struct grammar *grammar, const char *name, char *data)
{
	if (grammar->done)
		return grammar_fails(grammar, "comes behind [DONE]", data);
	if (strcmp(data, "[DONE]") == 0) {
		grammar->done = true;
		return grammar->end != NULL || grammar_fails(grammar, "no end before it", data);
	}
	grammar_replace_nul(data);
	cJSON *event = cJSON_Parse(data);
	bool good = event != NULL ? grammar_event(grammar, event, name == NULL ? "(no name)" : name)
				  : grammar_fails(grammar, "no JSON", data);
	cJSON_Delete(event);
	grammar->sequence++;
	return good;
}

/* Reads a whole stream. False with grammar->fault when it does not follow the grammar. grammar_free() in any case. */
static inline bool grammar_read(struct grammar *grammar, const char *stream)
{
	char *text = strdup(stream), *rest = text, *line, *name = NULL, *data = NULL;
	bool good = true;
	*grammar = (struct grammar){.count = 0};
	while (good && (line = strsep(&rest, "\n")) != NULL && rest != NULL) {
		if (strncmp(line, "event: ", 7) == 0) {
			name = line + 7;
		} else if (strncmp(line, "data: ", 6) == 0) {
			data = line + 6;
		} else if (line[0] == '\0') {
			good = data == NULL ? grammar_fails(grammar, "a block without data", "")
					    : grammar_block(grammar, name, data);
			name = data = NULL;
		} else if (line[0] != ':') {
			good = grammar_fails(grammar, "no field of an event", line);
		}
	}
	if (good && !grammar->done)
		good = grammar_fails(grammar, "no [DONE]", "");
	free(text);
	return good;
}

static inline void grammar_free(struct grammar *grammar)
{
	for (int i = 0; i < grammar->count; i++) {
		struct grammar_item *item = &grammar->items[i];
		free(item->id);
		free(item->kind);
		free(item->name);
		free(item->part);
		free(item->text);
		cJSON_Delete(item->ended);
	}
	free(grammar->id);
	free(grammar->end);
}

#endif
