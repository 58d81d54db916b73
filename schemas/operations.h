/* SPDX-License-Identifier: MIT */
/* The table of operations; operations.def is its source. */
#ifndef SLUICE_SCHEMAS_OPERATIONS_H
#define SLUICE_SCHEMAS_OPERATIONS_H

#include "lib/span.h"

enum operation {
#define OPERATION(symbol, id, method, path, tag, request, answer, summary) OPERATION_##symbol,
#include "schemas/operations.def"
#undef OPERATION
	OPERATION_COUNT
};

enum operation_answer { OPERATION_JSON, OPERATION_JSON_OR_SSE, OPERATION_TEXT };

enum { OPERATION_NO_BODY = -1 };

struct operation_row {
	const char *id; /* OpenAPI's operationId */
	const char *method;
	const char *path;
	const char *tag;
	int request; /* enum openai_endpoint, or OPERATION_NO_BODY */
	enum operation_answer answer;
	const char *summary;
};

const struct operation_row *operation_row(enum operation operation);

/* True when path is that of the operation; *argument is then its last segment where the operation takes one. */
bool operation_matches(enum operation operation, struct span path, struct span *argument);

#endif
