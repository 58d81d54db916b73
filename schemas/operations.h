/* SPDX-License-Identifier: MIT */
/* The table of operations; operations.def is its source. */
#ifndef SLUICE_SCHEMAS_OPERATIONS_H
#define SLUICE_SCHEMAS_OPERATIONS_H

#include "lib/span.h"
#include "schemas/field.h"

enum operation {
#define OPERATION(symbol, ...) OPERATION_##symbol,
#include "schemas/operations.def"
#undef OPERATION
	OPERATION_COUNT
};

enum { OPERATION_NO_ENDPOINT = -1 };

struct operation_row {
	const char *id; /* OpenAPI's operationId */
	const char *method;
	const char *path; /* as in OpenAPI; a segment in braces at the end is an argument */
	const char *tag;
	int endpoint;                     /* enum openai_endpoint, or OPERATION_NO_ENDPOINT */
	const struct field_table *query;  /* the parameters of the query; NULL = the query is not read */
	const struct field_table *body;   /* of the request; NULL = it has none */
	const char *media_type;           /* of a good answer that is not streamed */
	const struct field_table *answer; /* of a good JSON answer; NULL = it is no JSON object of ours */
	const struct field_table *event;  /* of the data of a streamed answer's events; NULL = it never streams */
	bool revalidates;                 /* answers carry an ETag, and If-None-Match is read */
	const char *deprecated;           /* the day it was deprecated, "2026-11-23"; NULL = it is not (RFC 9745) */
	const char *sunset;               /* the day it goes away, as above; NULL = not known (RFC 8594) */
	const char *sdk;     /* how the OpenAI SDKs call it: "chat.completions.create"; NULL = they don't */
	const char *example; /* of the body, as JSON text, or of the path's argument */
	const char *summary; /* one line */
	const char *doc;     /* more, in Markdown; NULL = nothing to add */
};

const struct operation_row *operation_row(enum operation operation);

/* True when path is that of the operation; *argument is then its last segment where the operation takes one. */
bool operation_matches(enum operation operation, struct span path, struct span *argument);

#endif
