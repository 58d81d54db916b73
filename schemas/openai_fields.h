/* SPDX-License-Identifier: MIT */
/* The field tables of the OpenAI dialect's requests. */
#ifndef SLUICE_SCHEMAS_OPENAI_FIELDS_H
#define SLUICE_SCHEMAS_OPENAI_FIELDS_H

#include "schemas/field.h"
#include "schemas/openai.h"

/* The table of an endpoint's request body. */
const struct field_table *openai_request_fields(enum openai_endpoint endpoint);

/* The tables behind it; chat's nested ones are in openai_fields_chat.c. */
extern const struct field_table openai_chat_fields;
extern const struct field_table openai_completion_fields;
extern const struct field_table openai_embedding_fields;

/* Rules that more than one endpoint uses. */
extern const struct field openai_string_element;
extern const struct field_table openai_stream_options_fields;

#define FIELD_ROWS(rows) .fields = (rows), .count = sizeof(rows) / sizeof((rows)[0])

/* The largest count of tokens a backend could mean: engines keep it in 32 bits. */
#define OPENAI_TOKENS_MOST 2147483647.0

#endif
