/* SPDX-License-Identifier: MIT */
/*
 * A chat request as the Responses request that asks for the same, for a backend of the Responses dialect.
 *
 *   messages                           items of the input, in their order
 *   tool_calls, messages of tools      function_call and function_call_output, or those of custom tools
 *   tools, tool_choice                 the same, flat
 *   max_completion_tokens, max_tokens  max_output_tokens
 *   reasoning_effort                   reasoning.effort
 *   response_format, verbosity         text.format, text.verbosity
 *   store                              the same; false where the chat does not say
 *
 * Members that both have are copied. Everything else is dropped and named. A result of a tool that no message before it
 * called becomes what a user says.
 */
#ifndef SLUICE_SCHEMAS_RESPONSES_FROM_CHAT_H
#define SLUICE_SCHEMAS_RESPONSES_FROM_CHAT_H

#include "lib/json.h"
#include "schemas/translation.h"

/* As request_misfit of struct dialect: a response is one choice. */
struct span responses_request_misfit(const struct request *request);

/* As request_translate of struct dialect. What a Responses client asked goes out in its own bytes. */
void responses_request_translate(const struct translation *translation);

/* As splice_growth of struct dialect. */
size_t responses_splice_growth(const struct request_splice *splice);

/* Appends "input" as a member: for responses_request_translate(). */
void responses_write_input(const struct translation *translation, uint32_t messages);

#endif
