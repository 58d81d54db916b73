/* SPDX-License-Identifier: MIT */
/* Requests to count the tokens of a Responses request: what is known of it without a tokenizer. */
#ifndef SLUICE_SCHEMAS_RESPONSES_COUNT_H
#define SLUICE_SCHEMAS_RESPONSES_COUNT_H

#include "schemas/dialect.h"

/*
 * As count_read of struct dialect. The body is one of POST /v1/responses. Images, files and sounds by data or URL count
 * by themselves, not as text.
 */
bool responses_count_read(struct span body, const struct json_limits *limits, const struct request_memory *memory,
			  struct arena *arena, struct findings *findings, struct input_size *size);

/* Appends {"object":"response.input_tokens","input_tokens":…}. */
void responses_count_write(struct buf *out, uint64_t tokens);

#endif
