/* SPDX-License-Identifier: MIT */
/* Usage as backends of the Anthropic dialect tell it. */
#ifndef SLUICE_SCHEMAS_ANTHROPIC_USAGE_READ_H
#define SLUICE_SCHEMAS_ANTHROPIC_USAGE_READ_H

#include "lib/json.h"
#include "schemas/event.h"

/* The counts of input are disjoint: fresh, read from a cache and written to it. -1 = not told. */
struct anthropic_usage {
	int64_t fresh, cache_read, cache_write, output;
};

#define ANTHROPIC_USAGE_UNKNOWN ((struct anthropic_usage){-1, -1, -1, -1})

/* Takes the counts of a usage object; those that it does not tell stay. In a stream they are cumulative. */
void anthropic_usage_read(const struct json *json, uint32_t node, struct anthropic_usage *usage);

/* Returns the counts with the input as one. */
struct usage anthropic_usage_sum(const struct anthropic_usage *usage);

#endif
