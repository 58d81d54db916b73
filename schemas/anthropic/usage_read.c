/* SPDX-License-Identifier: MIT */
/* Usage of a message; usage_read.h holds the contract. */
#include "schemas/anthropic/usage_read.h"

static void read_count(const struct json *json, uint32_t object, const char *member, int64_t *count)
{
	int64_t told = -1;
	uint32_t node = json_member(json, object, member);
	if (node != JSON_NONE && json_int(json, node, &told) && told >= 0 && told <= USAGE_MOST)
		*count = told;
}

void anthropic_usage_read(const struct json *json, uint32_t node, struct anthropic_usage *usage)
{
	if (node == JSON_NONE)
		return;
	read_count(json, node, "input_tokens", &usage->fresh);
	read_count(json, node, "cache_read_input_tokens", &usage->cache_read);
	read_count(json, node, "cache_creation_input_tokens", &usage->cache_write);
	read_count(json, node, "output_tokens", &usage->output);
}

static int64_t known(int64_t count)
{
	return count > 0 ? count : 0;
}

struct usage anthropic_usage_sum(const struct anthropic_usage *usage)
{
	bool input = usage->fresh >= 0 || usage->cache_read > 0 || usage->cache_write > 0;
	struct usage sum = {.prompt_tokens = -1,
			    .completion_tokens = usage->output,
			    .total_tokens = -1,
			    .cache_read = usage->cache_read,
			    .cache_write = usage->cache_write};
	if (input)
		sum.prompt_tokens = known(usage->fresh) + known(usage->cache_read) + known(usage->cache_write);
	if (input && usage->output >= 0)
		sum.total_tokens = sum.prompt_tokens + usage->output;
	return sum;
}
