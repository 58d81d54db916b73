/* SPDX-License-Identifier: MIT */
/* A tenant's shares; tenant_shares.h holds the contract. */
#include "service/plan/tenant_shares.h"

#include "lib/hash.h"

/* Returns where the level ends that begins at from. */
static size_t level_end(struct span path, size_t from)
{
	const char *slash = memchr(path.at + from, '/', path.len - from);
	return slash == NULL ? path.len : (size_t)(slash - path.at);
}

bool tenant_shares_read(struct queue_tenant *shares, const struct config *config, struct span path)
{
	size_t from = 0;
	shares->count = 0;
	while (from < path.len && shares->count < QUEUE_TENANT_LEVELS) {
		bool last = shares->count + 1 == QUEUE_TENANT_LEVELS;
		size_t end = last ? path.len : level_end(path, from);
		struct span text = {path.at + from, end - from};
		shares->levels[shares->count++] =
		    (struct queue_share){.name = hash_bytes(HASH_START, text),
					 .weight = config_tenant_weight(config, (struct span){path.at, end}),
					 .text = text};
		from = end + 1;
	}
	return shares->count > 0;
}
