/* SPDX-License-Identifier: MIT */
/*
 * A Messages request as the chat request that asks for the same. Every other part of the service reads that one; the
 * client's own bytes go to backends of its dialect alone.
 *
 *   system                             a system message in front
 *   text, image, document blocks       parts of the message
 *   tool_use                           tool_calls of the assistant's message
 *   tool_result                        messages of tools, in front of what else the user says
 *   tools, tool_choice                 functions; disable_parallel_tool_use is parallel_tool_calls: false
 *   stop_sequences, metadata.user_id   stop, user
 *   output_config.effort and .format   reasoning_effort, response_format
 *
 * What a chat has no place for is dropped and named: thinking and its signatures, cache_control, citations, is_error,
 * tools that the backend itself runs, blocks of other types. Files and documents by reference are refused by the
 * tables.
 */
#ifndef SLUICE_SCHEMAS_ANTHROPIC_TO_CHAT_H
#define SLUICE_SCHEMAS_ANTHROPIC_TO_CHAT_H

#include "lib/json.h"
#include "schemas/anthropic/request_fields.h"
#include "schemas/dropped.h"

struct to_chat {
	const struct json *json;                /* the request, validated by anthropic_messages_fields */
	const struct anthropic_messages *typed; /* decoded from it */
	struct arena *arena;
	struct buf *out;         /* the chat request's text is appended here */
	struct dropped *dropped; /* is added to */
};

/* Returns whether an object has that member; null counts as absent. */
static inline bool to_chat_has(const struct to_chat *to, uint32_t object, const char *member)
{
	uint32_t node = json_member(to->json, object, member);
	return node != JSON_NONE && json_type(to->json, node) != JSON_NULL;
}

/* Appends the chat request. Failures are the buffer's and the arena's. */
void anthropic_write_chat(const struct to_chat *to);

/* Appends the messages, as an array: for anthropic_write_chat(). */
void anthropic_write_chat_messages(const struct to_chat *to);

#endif
