/* SPDX-License-Identifier: MIT */
/* Leaves are told by their first slash. Equal ones are neighbours once sorted, so that numbering them is one pass. */
#include "config/targets.h"

#include <stdlib.h>

#include "config/expand.h"
#include "config/suggest.h"

static const struct config_backend *find_backend(const struct config *config, struct span name, struct suggestion *near)
{
	for (size_t i = 0; i < config->backend_count; i++) {
		const struct config_backend *backend = &config->backends[i];
		if (span_is(name, backend->name))
			return backend;
		suggest_offer(near, span_of(backend->name));
	}
	return NULL;
}

static void report_backend(struct plan_reader *reader, const struct tree_node *node, const char *path,
			   const struct suggestion *near, bool tainted)
{
	char shown[FINDING_VALUE_MAX];
	char hint[SUGGEST_TEXT_MAX];
	if (tainted)
		findings_add(reader->in.findings, node->line, path,
			     "no backend has the name that the value expands to");
	else
		findings_add(reader->in.findings, node->line, path, "no backend is named \"%s\"%s",
			     finding_value(near->wanted, shown), suggest_text(near, hint));
}

/* A copy of the leaf, listed with the reader's targets; NULL when out of memory. */
static struct config_plan *keep_target(struct plan_reader *reader, const struct config_plan *leaf)
{
	struct config_plan *plan = arena_zalloc(reader->in.arena, 1, sizeof(*plan));
	struct plan_target *target = arena_zalloc(reader->in.arena, 1, sizeof(*target));
	if (plan == NULL || target == NULL)
		return NULL;
	*plan = *leaf;
	*target = (struct plan_target){plan, reader->targets};
	reader->targets = target;
	return plan;
}

/* Splits target at its first slash and looks the backend up. */
static struct config_plan *read_target(struct plan_reader *reader, const struct tree_node *node, const char *path)
{
	struct expansion target;
	char shown[FINDING_VALUE_MAX];
	if (!expand(reader->in.arena, node->text, reader->in.directory, &target)) {
		findings_add(reader->in.findings, node->line, path, "%s", target.problem);
		return NULL;
	}
	const char *slash = memchr(target.text.at, '/', target.text.len);
	if (slash == NULL || slash == target.text.at || slash[1] == '\0') {
		findings_add(reader->in.findings, node->line, path, "got %s%s%s; expected %s",
			     target.tainted ? "" : "\"",
			     target.tainted ? "a value that is not shown" : finding_value(target.text, shown),
			     target.tainted ? "" : "\"", targets_grammar.plan);
		return NULL;
	}
	struct span name = {target.text.at, (size_t)(slash - target.text.at)};
	struct suggestion near = suggest(name);
	const struct config_backend *backend = find_backend(reader->config, name, &near);
	if (backend == NULL) {
		if (reader->config->backend_count != 0)
			report_backend(reader, node, path, &near, target.tainted);
		return NULL;
	}
	struct config_plan leaf = {.backend = backend, .target_model = slash + 1, .target = target.text.at};
	leaf.line = node->line;
	return keep_target(reader, &leaf);
}

const struct plan_grammar targets_grammar = {
    .read_leaf = read_target,
    .plan = "a target such as backend/model, or one combinator such as fallback: [a/model, b/model]",
    .children = "[a/model, b/model]",
    .named = "{ name: first, plan: a/model }",
    .leaves = "targets",
    .width = "",
    .depth = "",
};

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

/* Returns the only target below plan, or NULL. found: that of the plans before it, *several: there are others. */
static const struct config_plan *only_leaf(const struct config_plan *plan, const struct config_plan *found,
					   bool *several)
{
	if (plan == NULL || *several)
		return found;
	if (plan->combinator == NULL) {
		*several = found != NULL && found->target_index != plan->target_index;
		return plan;
	}
	for (size_t i = 0; i < plan->child_count; i++)
		found = only_leaf(plan->children[i], found, several);
	return found;
}

/* Marks the targets that are all that some model has. */
static void mark_alone(const struct config *config, struct config_target *targets)
{
	for (size_t i = 0; i < config->model_count; i++) {
		bool several = false;
		const struct config_plan *leaf = only_leaf(config->models[i].plan, NULL, &several);
		if (leaf != NULL && !several)
			targets[leaf->target_index].alone = true;
	}
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
			targets[count++] = (struct config_target){
			    .backend = leaf->backend, .model = leaf->target_model, .name = leaf->target};
		leaf->target_index = count - 1;
	}
	config->targets = targets;
	config->target_count = count;
	mark_alone(config, targets);
}
