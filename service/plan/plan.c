/* SPDX-License-Identifier: MIT */
/* From an expression of the configuration to a plan: names become kinds, and the tree is checked. */
#include "service/plan/plan.h"

#include "service/plan/kinds.h"

static const struct plan_kind *const combinators[] = {&plan_kind_fallback, &plan_kind_all};
enum { COMBINATOR_COUNT = sizeof(combinators) / sizeof(combinators[0]) };

struct build {
	const struct config *config;
	const struct config_model *model;
	struct arena *arena;
	struct buf *errors;
};

static const struct plan_kind *find_kind(const struct config_plan *source)
{
	if (source->combinator == NULL)
		return &plan_kind_target;
	for (size_t i = 0; i < COMBINATOR_COUNT; i++) {
		if (strcmp(combinators[i]->name, source->combinator) == 0)
			return combinators[i];
	}
	return NULL;
}

static void finding(const struct build *build, const struct config_plan *source, const char *what)
{
	buf_printf(build->errors, "%s:%u: models.%s: %s; expected a target (backend/model) or one of",
		   build->config->file, source->line, build->model->name, what);
	for (size_t i = 0; i < COMBINATOR_COUNT; i++)
		buf_printf(build->errors, "%s %s (a list of at least %zu)", i == 0 ? "" : ",", combinators[i]->name,
			   combinators[i]->min_children);
	buf_append(build->errors, SPAN("\n"));
}

static const struct plan *build_node(const struct build *build, const struct config_plan *source);

static bool build_children(const struct build *build, struct plan *plan)
{
	size_t count = plan->source->child_count;
	const struct plan **children = arena_zalloc(build->arena, count, sizeof(struct plan *));
	if (children == NULL)
		return false;
	for (size_t i = 0; i < count; i++) {
		children[i] = build_node(build, plan->source->children[i]);
		if (children[i] == NULL)
			return false;
	}
	plan->children = children;
	plan->child_count = count;
	return true;
}

static const struct plan *build_node(const struct build *build, const struct config_plan *source)
{
	const struct plan_kind *kind = find_kind(source);
	if (kind == NULL) {
		finding(build, source, "unknown combinator");
		return NULL;
	}
	if (source->child_count < kind->min_children) {
		finding(build, source, "too few children");
		return NULL;
	}
	struct plan *plan = arena_zalloc(build->arena, 1, sizeof(*plan));
	if (plan == NULL)
		return NULL;
	plan->kind = kind;
	plan->source = source;
	if (!build_children(build, plan))
		return NULL;
	kind->prepare(plan);
	return plan;
}

const struct plan *plan_build(const struct config *config, const struct config_model *model, struct arena *arena,
			      struct buf *errors)
{
	struct build build = {.config = config, .model = model, .arena = arena, .errors = errors};
	return build_node(&build, model->plan);
}

void plan_describe(struct buf *out)
{
	buf_append(out, SPAN("| combinator | children | meaning |\n|---|---|---|\n"));
	buf_printf(out, "| `backend/model` | none | %s |\n", plan_kind_target.doc);
	for (size_t i = 0; i < COMBINATOR_COUNT; i++)
		buf_printf(out, "| `%s` | at least %zu | %s |\n", combinators[i]->name, combinators[i]->min_children,
			   combinators[i]->doc);
}
