/* SPDX-License-Identifier: MIT */
/* Requests to count the tokens of a Messages request: what is known of it without a tokenizer. */
#ifndef SLUICE_SCHEMAS_ANTHROPIC_COUNT_H
#define SLUICE_SCHEMAS_ANTHROPIC_COUNT_H

#include "schemas/dialect.h"

/* As count_read of struct dialect; memory is not asked. Images and documents by base64 or URL count by themselves, not
 * as text. */
bool anthropic_count_read(struct span body, const struct json_limits *limits, const struct request_memory *memory,
			  struct arena *arena, struct findings *findings, struct input_size *size);

/* Appends {"input_tokens":…}. */
void anthropic_count_write(struct buf *out, uint64_t tokens);

#endif
