/* SPDX-License-Identifier: MIT */
/* The requests of the OpenAI dialect as typed structs, and their field tables; openai_requests.def is the source. */
#ifndef SLUICE_SCHEMAS_OPENAI_REQUEST_FIELDS_H
#define SLUICE_SCHEMAS_OPENAI_REQUEST_FIELDS_H

#include "schemas/field.h"
#include "schemas/openai/openai.h"

/* The largest count of tokens a backend could mean: engines keep it in 32 bits. */
#define FIELD_TOKENS_MOST 2147483647.0

#define FIELD_DEF_STRUCTS
#include "schemas/field_def.h"
#include "schemas/openai/request_fields.def"
#undef FIELD_DEF_STRUCTS

/* The table of an endpoint's request body. */
const struct field_table *openai_request_fields(enum endpoint endpoint);

#endif
