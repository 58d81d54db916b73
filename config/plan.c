/* SPDX-License-Identifier: MIT */
/* Plan expressions; plan.h says what they look like. */
#include "config/plan.h"

#include <stdio.h>

#include "config/expand.h"
#include "config/suggest.h"

enum { PLAN_PATH_MAX = 512, COMBINATOR_MAX = 64 };

static const char expected_plan[] = "expected a target such as backend/model, or one combinator such as fallback: "
				    "[a/model, b/model]";

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
		findings_add(reader->findings, node->line, path, "no backend has the name that the value expands to");
	else
		findings_add(reader->findings, node->line, path, "no backend is named \"%s\"%s",
			     finding_value(near->wanted, shown), suggest_text(near, hint));
}

/* A copy of the leaf, listed with the reader's targets; NULL when out of memory. */
static const struct config_plan *keep_target(struct plan_reader *reader, const struct config_plan *leaf)
{
	struct config_plan *plan = arena_zalloc(reader->arena, 1, sizeof(*plan));
	struct plan_target *target = arena_zalloc(reader->arena, 1, sizeof(*target));
	if (plan == NULL || target == NULL)
		return NULL;
	*plan = *leaf;
	*target = (struct plan_target){plan, reader->targets};
	reader->targets = target;
	return plan;
}

/* Splits target at its first slash and looks the backend up. */
static const struct config_plan *read_target(struct plan_reader *reader, const struct tree_node *node, const char *path)
{
	struct expansion target;
	char shown[FINDING_VALUE_MAX];
	if (!expand(reader->arena, node->text, reader->directory, &target)) {
		findings_add(reader->findings, node->line, path, "%s", target.problem);
		return NULL;
	}
	const char *slash = memchr(target.text.at, '/', target.text.len);
	if (slash == NULL || slash == target.text.at || slash[1] == '\0') {
		findings_add(reader->findings, node->line, path, "got %s%s%s; %s", target.tainted ? "" : "\"",
			     target.tainted ? "a value that is not shown" : finding_value(target.text, shown),
			     target.tainted ? "" : "\"", expected_plan);
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

static const struct config_plan *read_plan(struct plan_reader *reader, const struct tree_node *node, const char *path,
					   unsigned depth);

/* list: the children of combinator, whose line it has. All children are read even when one is refused. */
static bool read_children(struct plan_reader *reader, const struct tree_node *list, const char *path, unsigned depth,
			  struct config_plan *plan)
{
	const struct config_plan **children = arena_zalloc(reader->arena, list->count, sizeof(struct config_plan *));
	if (children == NULL)
		return false;
	bool complete = true;
	for (const struct tree_node *at = list->first; at != NULL; at = at->next) {
		char child[PLAN_PATH_MAX];
		snprintf(child, sizeof(child), "%s.%s[%zu]", path, plan->combinator, plan->child_count);
		children[plan->child_count] = read_plan(reader, at, child, depth + 1);
		complete = complete && children[plan->child_count] != NULL;
		plan->child_count++;
		if (reader->leaves > PLAN_LEAVES_MAX)
			return false;
	}
	plan->children = children;
	return complete;
}

static bool is_combinator_name(struct span name)
{
	for (size_t i = 0; i < name.len; i++)
		if ((name.at[i] < 'a' || name.at[i] > 'z') && name.at[i] != '_')
			return false;
	return name.len != 0 && name.len <= COMBINATOR_MAX;
}

static const struct config_plan *read_combinator(struct plan_reader *reader, const struct tree_node *node,
						 const char *path, unsigned depth)
{
	const struct tree_node *list = node->first;
	if (node->count != 1 || !is_combinator_name(list->key)) {
		findings_add(reader->findings, node->line, path,
			     "a mapping here must have exactly one key, the name of a combinator; %s", expected_plan);
		return NULL;
	}
	if (list->kind != TREE_LIST || list->count == 0) {
		findings_add(reader->findings, list->line, path,
			     "%s takes a list of at least one plan, such as [a/model, b/model]", list->key.at);
		return NULL;
	}
	struct config_plan *plan = arena_zalloc(reader->arena, 1, sizeof(*plan));
	if (plan == NULL)
		return NULL;
	*plan = (struct config_plan){.combinator = list->key.at, .line = list->key_line};
	return read_children(reader, list, path, depth, plan) ? plan : NULL;
}

static const struct config_plan *read_plan(struct plan_reader *reader, const struct tree_node *node, const char *path,
					   unsigned depth)
{
	if (depth > PLAN_DEPTH_MAX) {
		findings_add(reader->findings, node->line, path, "the plan is nested deeper than %d levels",
			     PLAN_DEPTH_MAX);
		return NULL;
	}
	if (node->kind == TREE_MAPPING)
		return read_combinator(reader, node, path, depth);
	if (node->kind != TREE_SCALAR) {
		findings_add(reader->findings, node->line, path, "got %s; %s",
			     node->kind == TREE_LIST ? "a list" : "nothing", expected_plan);
		return NULL;
	}
	if (++reader->leaves > PLAN_LEAVES_MAX) {
		findings_add(reader->findings, node->line, path, "the plan has more than %d targets", PLAN_LEAVES_MAX);
		return NULL;
	}
	return read_target(reader, node, path);
}

const struct config_plan *plan_read(struct plan_reader *reader, const struct tree_node *node, const char *path)
{
	reader->leaves = 0;
	return read_plan(reader, node, path, 1);
}
