/* SPDX-License-Identifier: MIT */
/* The field tables of openai_requests.def. */
#include "schemas/openai/request_fields.h"

#define FIELD_DEF_TABLES
#include "schemas/field_def.h"
#include "schemas/openai/request_fields.def"
#undef FIELD_DEF_TABLES

const struct field_table *openai_request_fields(enum endpoint endpoint)
{
	static const struct field_table *const tables[] = {
	    [ENDPOINT_CHAT] = &openai_chat_fields,
	    [ENDPOINT_COMPLETIONS] = &openai_completion_fields,
	    [ENDPOINT_EMBEDDINGS] = &openai_embedding_fields,
	};
	return tables[endpoint];
}
