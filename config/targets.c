/* SPDX-License-Identifier: MIT */
/* Equal leaves are neighbours once sorted, so that numbering them is one pass. */
#include "config/targets.h"

#include <stdlib.h>

#include "config/plan.h"

static int compare(const struct config_plan *left, const struct config_plan *right)
{
	if (left->backend != right->backend)
		return left->backend < right->backend ? -1 : 1;
	return strcmp(left->target_model, right->target_model);
}

static int compare_leaves(const void *a, const void *b)
{
	return compare(*(struct config_plan *const *)a, *(struct config_plan *const *)b);
}

/* The leaves of list as a sorted array; NULL when out of memory. */
static struct config_plan **sort_leaves(struct arena *arena, const struct plan_target *list, size_t *count)
{
	*count = 0;
	for (const struct plan_target *at = list; at != NULL; at = at->next)
		++*count;
	struct config_plan **leaves = arena_zalloc(arena, *count, sizeof(struct config_plan *));
	if (leaves == NULL)
		return NULL;
	size_t filled = 0;
	for (const struct plan_target *at = list; at != NULL; at = at->next)
		leaves[filled++] = at->plan;
	qsort(leaves, *count, sizeof(struct config_plan *), compare_leaves);
	return leaves;
}

void targets_number(struct arena *arena, struct config *config, struct plan_target *list)
{
	size_t leaf_count = 0;
	struct config_plan **leaves = list == NULL ? NULL : sort_leaves(arena, list, &leaf_count);
	struct config_target *targets = leaves == NULL ? NULL : arena_zalloc(arena, leaf_count, sizeof(*targets));
	if (targets == NULL)
		return;
	size_t count = 0;
	for (size_t i = 0; i < leaf_count; i++) {
		struct config_plan *leaf = leaves[i];
		if (i == 0 || compare(leaves[i - 1], leaf) != 0)
			targets[count++] = (struct config_target){leaf->backend, leaf->target_model, leaf->target};
		leaf->target_index = count - 1;
	}
	config->targets = targets;
	config->target_count = count;
}
