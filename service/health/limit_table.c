/* SPDX-License-Identifier: MIT */
/* Limits by the names of targets; limit_table.h holds the contract. */
#include "service/health/limit_table.h"

#include <stdlib.h>
#include <string.h>

#include "service/health/limit.h"

/* Returns the limit, held, that an earlier configuration has for the target, or NULL. */
static struct limit *hold_earlier(const struct limit_table *earlier, const struct config_target *target)
{
	size_t count = earlier == NULL ? 0 : earlier->config->target_count;
	for (size_t i = 0; i < count; i++) {
		const struct config_target *before = &earlier->config->targets[i];
		if (strcmp(before->name, target->name) == 0 && earlier->by_target[i] != NULL &&
		    limit_has_options(earlier->by_target[i], &target->backend->concurrency))
			return limit_hold(earlier->by_target[i]);
	}
	return NULL;
}

struct limit_table *limit_table_create(const struct config *config, const struct limit_table *earlier)
{
	struct limit_table *limits = calloc(1, sizeof(*limits));
	if (limits == NULL)
		return NULL;
	limits->config = config;
	limits->by_target = calloc(config->target_count + 1, sizeof(struct limit *));
	bool done = limits->by_target != NULL;
	for (size_t i = 0; done && i < config->target_count; i++) {
		const struct config_target *target = &config->targets[i];
		if (target->backend->concurrency.calls == 0)
			continue;
		limits->by_target[i] = hold_earlier(earlier, target);
		if (limits->by_target[i] == NULL)
			limits->by_target[i] = limit_create(&target->backend->concurrency);
		done = limits->by_target[i] != NULL;
	}
	if (done)
		return limits;
	limit_table_destroy(limits);
	return NULL;
}

void limit_table_destroy(struct limit_table *limits)
{
	if (limits == NULL)
		return;
	for (size_t i = 0; limits->by_target != NULL && i < limits->config->target_count; i++)
		if (limits->by_target[i] != NULL)
			limit_drop(limits->by_target[i]);
	free(limits->by_target);
	free(limits);
}
