/* SPDX-License-Identifier: MIT */
/* Plan expressions; plan.h says what they look like. */
#include "config/plan.h"

#include <stdio.h>

#include "config/combinators.h"
#include "config/attempts.h"
#include "config/plan_options.h"
#include "config/suggest.h"

enum { COMBINATOR_MAX = 64 };

static struct config_plan *read_plan(struct plan_reader *reader, const struct tree_node *node, const char *path,
				     unsigned depth);

/* The name of a child, beside its plan. */
static void read_name(struct plan_reader *reader, const struct tree_node *node, const char *path,
		      struct config_plan *plan)
{
	static const struct key key = {.path = "name", .type = KEY_NAME};
	char place[READER_PATH_MAX];
	struct value value;
	reader_path(place, path, SPAN("name"));
	if (reader_value(&reader->in, place, &key, node, &value) && plan != NULL)
		plan->name = value.string;
}

/* node: a mapping with a member `plan`. */
static struct config_plan *read_named(struct plan_reader *reader, const struct tree_node *node, const char *path,
				      unsigned depth)
{
	const struct tree_node *inner = tree_member(node, "plan");
	const struct tree_node *name = tree_member(node, "name");
	char place[READER_PATH_MAX];
	reader_refuse_duplicates(&reader->in, path, node);
	for (const struct tree_node *at = node->first; at != NULL; at = at->next) {
		if (span_is(at->key, "name") || span_is(at->key, "plan"))
			continue;
		findings_add(reader->in.findings, at->key_line, reader_path(place, path, at->key),
			     "unknown key; expected nothing but \"name\" beside \"plan\"");
	}
	struct config_plan *plan = read_plan(reader, inner, reader_path(place, path, SPAN("plan")), depth);
	if (name != NULL)
		read_name(reader, name, path, plan);
	return plan;
}

static struct config_plan *read_child(struct plan_reader *reader, const struct tree_node *node, const char *path,
				      unsigned depth)
{
	bool named = tree_member(node, "plan") != NULL;
	return named ? read_named(reader, node, path, depth) : read_plan(reader, node, path, depth);
}

/* Of a child that is written as a mapping of name and plan; other children may have the names of their leaves. */
static bool is_named(const struct tree_node *node)
{
	return tree_member(node, "plan") != NULL && tree_member(node, "name") != NULL;
}

/* Two children of one name, at least one of them so called by the document. first: the node of the first child. */
static void check_names(struct plan_reader *reader, const struct tree_node *first, const char *path,
			const struct config_plan *plan)
{
	size_t i = 0;
	for (const struct tree_node *a = first; i < plan->child_count; a = a->next, i++) {
		const char *name = plan->children[i] == NULL ? NULL : plan->children[i]->name;
		size_t j = 0;
		for (const struct tree_node *b = first; name != NULL && j < i; b = b->next, j++)
			if (plan->children[j] != NULL && plan->children[j]->name != NULL &&
			    strcmp(plan->children[j]->name, name) == 0 && (is_named(a) || is_named(b)))
				findings_add(reader->in.findings, a->line, path, "two children have the name \"%s\"",
					     name);
	}
}

/* node: the combinator's value. All children are read even when one is refused. */
static void read_children(struct plan_reader *reader, const struct tree_node *node, const char *path, unsigned depth,
			  struct config_plan *plan)
{
	bool list = node->kind == TREE_LIST;
	const struct config_plan **children =
	    arena_zalloc(reader->in.arena, list ? node->count : 1, sizeof(struct config_plan *));
	plan->child_count = list ? node->count : 1;
	size_t count = 0;
	for (const struct tree_node *at = list ? node->first : node; children != NULL && count < plan->child_count;
	     at = at->next) {
		char place[READER_PATH_MAX];
		size_t len = (size_t)snprintf(place, sizeof(place), "%s.%s", path, plan->combinator);
		if (list && len < sizeof(place))
			snprintf(place + len, sizeof(place) - len, "[%zu]", count);
		children[count++] = read_child(reader, at, place, depth + 1);
		if (reader->leaves > reader->leaves_most)
			return;
	}
	plan->children = children;
	if (children != NULL && plan->child_count <= reader->leaves_most)
		check_names(reader, list ? node->first : node, path, plan);
}

static bool is_combinator_name(struct span name)
{
	for (size_t i = 0; i < name.len; i++)
		if ((name.at[i] < 'a' || name.at[i] > 'z') && name.at[i] != '_')
			return false;
	return name.len != 0 && name.len <= COMBINATOR_MAX && !span_is(name, "name") && !span_is(name, "plan");
}

static void report_option(struct plan_reader *reader, const struct tree_node *node, const char *path,
			  const struct suggestion *near)
{
	char place[READER_PATH_MAX];
	char hint[SUGGEST_TEXT_MAX];
	findings_add(reader->in.findings, node->key_line, reader_path(place, path, node->key), "unknown key%s",
		     suggest_text(near, hint));
}

/*
 * The one member of a mapping that is no option; NULL after adding findings. When there are more, those that
 * nearly are options are taken for such.
 */
static const struct tree_node *find_combinator(struct plan_reader *reader, const struct tree_node *node,
					       const char *path)
{
	const struct tree_node *found = NULL;
	size_t others = 0;
	size_t named = 0; /* of them, those that are not nearly options */
	for (const struct tree_node *at = node->first; at != NULL; at = at->next) {
		if (plan_option_find(at->key) != NULL)
			continue;
		others++;
		bool is_near = plan_option_suggest(at->key).best.at != NULL;
		named += !is_near;
		if (found == NULL || !is_near)
			found = at;
	}
	if (others == 1 && is_combinator_name(found->key))
		return found;
	if (others > 1 && named == 1 && is_combinator_name(found->key)) {
		for (const struct tree_node *at = node->first; at != NULL; at = at->next) {
			struct suggestion near = plan_option_suggest(at->key);
			if (at != found && plan_option_find(at->key) == NULL)
				report_option(reader, at, path, &near);
		}
		return found;
	}
	findings_add(reader->in.findings, node->line, path,
		     "%s here must have exactly one key that is no option, the name of a combinator; expected %s",
		     reader_kind(&reader->in, node), reader->grammar->plan);
	return NULL;
}

/* A name without a plan, or a plan that is nobody's child. False after adding a finding. */
static bool refuse_names(struct plan_reader *reader, const struct tree_node *node, const char *path)
{
	const struct tree_node *name = tree_member(node, "name");
	const struct tree_node *plan = tree_member(node, "plan");
	if (name == NULL && plan == NULL)
		return true;
	findings_add(reader->in.findings, (name == NULL ? plan : name)->key_line, path,
		     "only a child of a combinator has a name, with its plan beside it, such as %s",
		     reader->grammar->named);
	return false;
}

/* False after adding a finding: there is no such combinator, or it needs more children. */
static bool check_combinator(struct plan_reader *reader, const struct tree_node *combinator, const char *path)
{
	struct suggestion near;
	char hint[SUGGEST_TEXT_MAX];
	/* of a plan in JSON plan_build_inline() counts the children: its error names the place in the request */
	size_t least = reader->in.json ? 1 : combinator_least(combinator->key);
	size_t count = combinator->kind == TREE_LIST ? combinator->count : 1;
	if (combinator_is_unknown(combinator->key, &near))
		findings_add(reader->in.findings, combinator->key_line, path, "there is no combinator \"%s\"%s",
			     combinator->key.at, suggest_text(&near, hint));
	else if (combinator->kind == TREE_NULL || count == 0)
		findings_add(reader->in.findings, combinator->line, path,
			     "%s takes a plan, or %s of at least one, such as %s", combinator->key.at,
			     reader->in.json ? "an array" : "a list", reader->grammar->children);
	else if (count < least)
		findings_add(reader->in.findings, combinator->line, path, "%s needs at least %zu children; got %zu",
			     combinator->key.at, least, count);
	else
		return true;
	return false;
}

static struct config_plan *read_combinator(struct plan_reader *reader, const struct tree_node *node, const char *path,
					   unsigned depth)
{
	reader_refuse_duplicates(&reader->in, path, node);
	if (!refuse_names(reader, node, path))
		return NULL;
	const struct tree_node *combinator = find_combinator(reader, node, path);
	if (combinator == NULL || !check_combinator(reader, combinator, path))
		return NULL;
	struct config_plan *plan = arena_zalloc(reader->in.arena, 1, sizeof(*plan));
	if (plan == NULL)
		return NULL;
	*plan = (struct config_plan){.combinator = combinator->key.at, .line = combinator->key_line};
	read_children(reader, combinator, path, depth, plan);
	plan_options_read(&reader->in, node, path, plan);
	return plan;
}

static struct config_plan *read_plan(struct plan_reader *reader, const struct tree_node *node, const char *path,
				     unsigned depth)
{
	if (depth > reader->depth_most) {
		findings_add(reader->in.findings, node->line, path, "the plan is nested deeper than %u levels%s",
			     reader->depth_most, reader->grammar->depth);
		return NULL;
	}
	if (node->kind == TREE_MAPPING)
		return read_combinator(reader, node, path, depth);
	if (node->kind != TREE_SCALAR) {
		findings_add(reader->in.findings, node->line, path, "got %s; expected %s",
			     reader_kind(&reader->in, node), reader->grammar->plan);
		return NULL;
	}
	if (++reader->leaves > reader->leaves_most) {
		findings_add(reader->in.findings, node->line, path, "the plan has more than %u %s%s",
			     reader->leaves_most, reader->grammar->leaves, reader->grammar->width);
		return NULL;
	}
	return reader->grammar->read_leaf(reader, node, path);
}

const struct config_plan *plan_read(struct plan_reader *reader, const struct tree_node *node, const char *path)
{
	size_t before = reader->in.findings->total;
	reader->leaves = 0;
	const struct config_plan *plan = read_plan(reader, node, path, 1);
	if (plan != NULL && reader->in.findings->total == before)
		attempts_check(reader, plan, path);
	return reader->in.findings->total == before ? plan : NULL;
}
