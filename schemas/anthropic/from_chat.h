/* SPDX-License-Identifier: MIT */
/*
 * A chat request as the Messages request that asks for the same, for a backend of the Anthropic dialect.
 *
 *   system and developer messages      system, wherever they stand
 *   messages of users and tools        one user's message for those that follow each other: results of tools, then the
 * rest assistants' messages               text and tool_use blocks image_url, file parts              image and
 * document blocks tools, tool_choice                 tools, tool_choice; parallel_tool_calls: false is
 * disable_parallel_tool_use max_completion_tokens, max_tokens  max_tokens, which must be there stop, user,
 * safety_identifier      stop_sequences, metadata.user_id reasoning_effort                   output_config.effort, with
 * adaptive thinking response_format: json_schema       output_config.format
 *
 * Everything else is dropped and named, a temperature above 1 as well, of which 1 remains. A result of a tool that no
 * message before it called becomes text.
 */
#ifndef SLUICE_SCHEMAS_ANTHROPIC_FROM_CHAT_H
#define SLUICE_SCHEMAS_ANTHROPIC_FROM_CHAT_H

#include "lib/json.h"
#include "schemas/translation.h"

/* Appends the Messages request. Failures are the buffer's and the arena's. */
void anthropic_write_from_chat(const struct translation *translation);

/* Appends "system", if there is one, and "messages", as members: for anthropic_write_from_chat(). */
void anthropic_write_from_chat_messages(const struct translation *translation, uint32_t messages);

/* Returns whether the last message is one of a tool: the model is in the middle of a turn. */
bool anthropic_is_in_turn(const struct json *json, uint32_t messages);

#endif
