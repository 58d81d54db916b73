/* SPDX-License-Identifier: MIT */
/* What reading a stream and reading a whole response have in common: for stream_read.c and response_read.c. */
#ifndef SLUICE_SCHEMAS_RESPONSES_READ_H
#define SLUICE_SCHEMAS_RESPONSES_READ_H

#include "schemas/dialect.h"

/* Returns a member of that type; JSON_NONE: there is none. */
uint32_t response_member(const struct json *json, uint32_t object, const char *member, enum json_type type);
/* Returns a member that is a string; {NULL,0}: there is none. */
struct span response_text(const struct json *json, uint32_t object, const char *member, struct arena *arena);
bool response_is_type(const struct json *json, uint32_t object, const char *type);
/* Returns a member that is a count; -1: there is none. */
int64_t response_count(const struct json *json, uint32_t object, const char *member);

struct usage response_usage_read(const struct json *json, uint32_t response);
/* Returns the Unix seconds; -1: they are not told. */
int64_t response_created(const struct json *json, uint32_t response);
/* Returns why the response ended, in the words of a chat. */
struct span response_finish(const struct json *json, uint32_t response, bool calls, struct arena *arena);

/* Notes what stands under an error, or in an event that is one. */
void response_error(const struct json *json, uint32_t node, struct arena *scratch, struct answer_reading *reading);

/* Adds a delta; room: there is some for it. */
void response_add(struct deltas *deltas, struct delta *room, enum part part, int64_t tool, struct span text,
		  struct span name);
/* Adds a text, unless it is empty. Returns what it carries. */
unsigned response_add_text(struct deltas *deltas, struct delta *room, enum part part, struct span text);

/* Returns whether the item is a call that the client answers. */
bool response_is_call(const struct json *json, uint32_t item);
/* Adds the begin of a call: two deltas. */
unsigned response_add_call(struct deltas *deltas, struct delta *room, const struct json *json, uint32_t item,
			   int64_t tool, struct arena *arena);
/* Returns all arguments of a call, or the input of a custom tool. */
struct span response_arguments(const struct json *json, uint32_t item, struct arena *arena);

#endif
