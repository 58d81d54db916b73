/* SPDX-License-Identifier: MIT */
/*
 * A Responses request as the chat request that asks for the same, which is what every other part of the service reads.
 *
 *   instructions, system and developer   system messages; those at the beginning become one
 *   message items                        messages; parts become those of a chat
 *   function_call, custom_tool_call      tool_calls of the assistant's message before, or of one without content
 *   …_output                             messages of tools; their pictures follow in a message of the user
 *   tools, tool_choice                   functions; a custom tool is a function with the parameter "input"
 *   text.format, text.verbosity          response_format, verbosity
 *   reasoning.effort, max_output_tokens  reasoning_effort, max_completion_tokens
 *
 * What a chat has no place for is dropped and named: reasoning items, phase, include, truncation: auto, store, tools
 * that a backend itself runs, items and parts of other types, members without a row. What refers to something that is
 * not in the request is refused by the tables.
 */
#ifndef SLUICE_SCHEMAS_RESPONSES_TO_CHAT_H
#define SLUICE_SCHEMAS_RESPONSES_TO_CHAT_H

#include "lib/json.h"
#include "schemas/dropped.h"
#include "schemas/responses/request_fields.h"

/* The parameter of the function that stands for a custom tool. */
#define RESPONSES_CUSTOM_PARAMETER "input"

struct responses_to_chat {
	const struct json *json;               /* the request, validated by responses_request_fields */
	const struct responses_request *typed; /* decoded from it */
	struct arena *arena;
	struct buf *out;         /* the chat request's text is appended here */
	struct dropped *dropped; /* is added to */
	bool keeps;              /* answers can be stored */
	size_t messages;         /* that were written */
};

/* Appends the chat request. Failures are the buffer's and the arena's. */
void responses_write_chat(struct responses_to_chat *to);

/* ---- for the files that make it up ---- */

/* Appends the messages, as an array. */
void responses_write_messages(struct responses_to_chat *to);

/* Where content is: input[ITEM].MEMBER, and the part of it that is looked at. */
struct responses_place {
	uint32_t item;
	const char *member;
};

/* Returns whether the object's member "type" is that word. */
bool responses_is_type(const struct responses_to_chat *to, uint32_t object, const char *type);

/* Returns a member that is not null; JSON_NONE: there is none. */
uint32_t responses_member(const struct responses_to_chat *to, uint32_t object, const char *member);

/* Appends the text of content (a string or parts) inside a string that is being written. between: stands between two
 * parts, as it is written in a string. others: parts without a text are dropped and named. */
void responses_write_text(const struct responses_to_chat *to, const struct responses_place *place, uint32_t content,
			  struct span between, bool others);

/* Appends the content of a user's message: a string, or an array of parts. False, with nothing appended, when it has no
 * part that a chat could have. */
bool responses_write_content(const struct responses_to_chat *to, const struct responses_place *place, uint32_t content);

/* Appends those parts of a tool's output that are no text, as parts of a message; *count: how many were written before
 * and with these. */
void responses_write_pictures(const struct responses_to_chat *to, const struct responses_place *place, uint32_t output,
			      size_t *count);

#endif
