/* SPDX-License-Identifier: MIT */
/*
 * The JSON becomes the tree that files become, so that one reader knows the grammar and the options; only what a leaf
 * is differs. The request's arena has everything but the findings.
 */
#include "config/plan_inline.h"

#include "config/plan.h"
#include "config/suggest.h"
#include "lib/json.h"

enum { INLINE_NODES_MAX = 4096 }; /* JSON values and keys of a plan: 64 models on 16 levels need far fewer */

static struct tree_node *to_tree(struct arena *arena, const struct json *json, uint32_t node);

static bool add_children(struct arena *arena, const struct json *json, uint32_t node, struct tree_node *parent)
{
	struct tree_node **tail = &parent->first;
	bool object = parent->kind == TREE_MAPPING;
	for (uint32_t at = json_first(json, node); at != JSON_NONE; at = json_next(json, node, at)) {
		struct tree_node *child = to_tree(arena, json, object ? at + 1 : at);
		if (child == NULL)
			return false;
		if (object)
			child->key = arena_copy(arena, json_string(json, at, arena));
		*tail = child;
		tail = &child->next;
		parent->count++;
	}
	return !arena_failed(arena);
}

static enum tree_kind kind_of(enum json_type type)
{
	switch (type) {
	case JSON_NULL:
		return TREE_NULL;
	case JSON_ARRAY:
		return TREE_LIST;
	case JSON_OBJECT:
		return TREE_MAPPING;
	default:
		return TREE_SCALAR;
	}
}

/* The value at node as files have it, without lines; NULL when out of memory. */
static struct tree_node *to_tree(struct arena *arena, const struct json *json, uint32_t node)
{
	enum json_type type = json_type(json, node);
	struct tree_node *tree = arena_zalloc(arena, 1, sizeof(*tree));
	if (tree == NULL)
		return NULL;
	tree->kind = kind_of(type);
	if (tree->kind == TREE_SCALAR) {
		bool string = type == JSON_STRING;
		tree->bare = !string;
		tree->text = arena_copy(arena, string ? json_string(json, node, arena) : json_raw(json, node));
		return tree->text.at == NULL ? NULL : tree;
	}
	return add_children(arena, json, node, tree) ? tree : NULL;
}

static void report_model(struct plan_reader *reader, const struct tree_node *node, const char *path)
{
	struct suggestion near = suggest(node->text);
	char shown[FINDING_VALUE_MAX];
	char hint[SUGGEST_TEXT_MAX];
	for (size_t i = 0; i < reader->config->model_count; i++)
		if (config_key_may_use(reader->holder, span_of(reader->config->models[i].name)))
			suggest_offer(&near, span_of(reader->config->models[i].name));
	findings_add(reader->in.findings, node->line, path, "no model is named \"%s\"%s; expected %s",
		     finding_value(node->text, shown), suggest_text(&near, hint), reader->grammar->plan);
}

/* Refuses the model. The words do not show whether it exists. */
static void forbid_model(struct plan_reader *reader, const struct tree_node *node, const char *path)
{
	findings_add(reader->in.findings, node->line, path, "the key may not use this model");
	if (reader->forbidden != NULL)
		return;
	reader->forbidden = arena_copy(reader->in.arena, span_of(path)).at;
	reader->forbidden_model = node->text;
}

/* A model's own plan, by the model's name. */
static struct config_plan *read_model(struct plan_reader *reader, const struct tree_node *node, const char *path)
{
	char shown[FINDING_VALUE_MAX];
	const struct config_model *model = config_find_model(reader->config, node->text);
	if (node->bare) {
		findings_add(reader->in.findings, node->line, path, "got %s; expected %s",
			     finding_value(node->text, shown), reader->grammar->plan);
		return NULL;
	}
	if (!config_key_may_use(reader->holder, node->text)) {
		forbid_model(reader, node, path);
		return NULL;
	}
	if (model == NULL) {
		report_model(reader, node, path);
		return NULL;
	}
	struct config_plan *plan = arena_alloc(reader->in.arena, sizeof(*plan));
	if (plan == NULL)
		return NULL;
	*plan = *model->plan;
	plan->name = model->name;
	plan->model = model;
	plan->strict = model->strict;
	return plan;
}

bool config_plan_is_strict(const struct config_plan *plan)
{
	bool strict = plan->strict;
	for (size_t i = 0; i < plan->child_count && !strict; i++)
		strict = config_plan_is_strict(plan->children[i]);
	return strict;
}

static const struct plan_grammar grammar = {
    .read_leaf = read_model,
    .plan = "the name of a model, or an object with one combinator such as {\"race\": [\"small\", \"large\"]}",
    .children = "[\"small\", \"large\"]",
    .named = "{\"name\": \"first\", \"plan\": \"small\"}",
    .leaves = "models",
    .width = " (fanout.width)",
    .depth = " (fanout.depth)",
};

/* The first of the findings; without any, memory ran out. */
static void inline_tell(const struct plan_reader *reader, struct config_plan_finding *finding)
{
	const struct findings *findings = reader->in.findings;
	struct arena *arena = reader->in.arena;
	const struct finding *first = findings->count == 0 ? NULL : &findings->list[0];
	*finding = (struct config_plan_finding){.path = "plan", .text = "out of memory"};
	if (first == NULL || arena_failed(arena))
		return;
	if (reader->forbidden != NULL) {
		*finding = (struct config_plan_finding){
		    .forbidden = reader->forbidden_model, .path = reader->forbidden, .text = "forbidden"};
		return;
	}
	const char *path = first->key == NULL ? NULL : arena_copy(arena, span_of(first->key)).at;
	const char *text = arena_copy(arena, span_of(first->text)).at;
	if (path != NULL && text != NULL)
		*finding = (struct config_plan_finding){.path = path, .text = text};
}

const struct config_plan *config_plan_read_json(const struct config *config, const struct json *json, uint32_t node,
						const struct config_fanout *limits, const struct config_key *holder,
						struct arena *arena, struct config_plan_finding *finding)
{
	if (json->nodes[node].after - node > INLINE_NODES_MAX) {
		*finding = (struct config_plan_finding){.path = "plan", .text = "the plan has too many members"};
		return NULL;
	}
	struct findings findings;
	findings_init(&findings, "");
	struct plan_reader reader = {.in = {.arena = arena, .findings = &findings, .directory = "", .json = true},
				     .grammar = &grammar,
				     .config = config,
				     .holder = holder,
				     .depth_most = limits->depth,
				     .leaves_most = limits->width};
	const struct tree_node *tree = to_tree(arena, json, node);
	const struct config_plan *plan = tree == NULL ? NULL : plan_read(&reader, tree, "plan");
	if (arena_failed(arena))
		plan = NULL;
	if (plan == NULL)
		inline_tell(&reader, finding);
	findings_fini(&findings);
	return plan;
}
