/* SPDX-License-Identifier: MIT */
/* From an expression of the configuration to a plan: names become kinds, and the tree is checked. */
#include "service/plan/plan.h"

#include "config/combinators.h"
#include "lib/json_write.h"
#include "service/plan/kinds.h"

static const struct plan_kind *const combinators[] = {&plan_kind_balance, &plan_kind_retry, &plan_kind_fallback,
						      &plan_kind_hedge,   &plan_kind_race,  &plan_kind_all,
						      &plan_kind_quorum};
enum { COMBINATOR_COUNT = sizeof(combinators) / sizeof(combinators[0]) };

struct build {
	const struct config *config;
	const struct config_model *model; /* whose plan it is; NULL = a client's */
	const struct config_model *of;    /* for which the node at hand is asked; NULL = for none in particular */
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

/* Where a finding is; of a plan that came with a request there is no file. */
static void write_place(const struct build *build, const struct config_plan *source)
{
	if (build->model != NULL)
		buf_printf(build->errors, "%s:%u: models.%s: ", build->config->file, source->line, build->model->name);
}

static void finding(const struct build *build, const struct config_plan *source, const char *what)
{
	write_place(build, source);
	if (build->model == NULL)
		buf_printf(build->errors, "%s: ", source->combinator);
	buf_printf(build->errors, "%s; expected %s or one of", what,
		   build->model != NULL ? "a target (backend/model)" : "the name of a model");
	for (size_t i = 0; i < COMBINATOR_COUNT; i++)
		buf_printf(build->errors, "%s %s (a list of at least %zu)", i == 0 ? "" : ",", combinators[i]->name,
			   combinators[i]->min_children);
	buf_append(build->errors, SPAN("\n"));
}

static const struct plan *build_node(const struct build *build, const struct config_plan *source, struct span loc);

/* The place of a child: behind its parent's own, its name, its target or its number. */
static struct span child_loc(const struct build *build, const struct plan *plan, size_t index)
{
	const struct config_plan *child = plan->source->children[index];
	const char *name = child->name != NULL ? child->name : child->target;
	struct span loc = {NULL, 0};
	struct buf text;
	buf_init(&text, plan->loc.len + (name == NULL ? 0 : strlen(name) * 6) + 64);
	buf_append(&text, (struct span){plan->loc.at, plan->loc.len - 1});
	buf_append(&text, SPAN(","));
	if (name != NULL)
		json_write_string(&text, span_of(name));
	else
		buf_printf(&text, "%zu", index);
	buf_append(&text, SPAN("]"));
	if (!buf_failed(&text))
		loc = arena_copy(build->arena, buf_span(&text));
	buf_fini(&text);
	return loc;
}

static bool build_children(const struct build *build, struct plan *plan)
{
	size_t count = plan->source->child_count;
	const struct plan **children = arena_zalloc(build->arena, count, sizeof(struct plan *));
	if (children == NULL)
		return false;
	for (size_t i = 0; i < count; i++) {
		struct span loc = child_loc(build, plan, i);
		children[i] = loc.at == NULL ? NULL : build_node(build, plan->source->children[i], loc);
		if (children[i] == NULL)
			return false;
	}
	plan->children = children;
	plan->child_count = count;
	return true;
}

/* A node whose kind and children are known. */
static const struct plan *build_prepare(const struct build *build, struct plan *plan)
{
	const char *wrong = plan->kind->prepare(plan, build->arena);
	if (wrong != NULL) {
		write_place(build, plan->source);
		buf_printf(build->errors, "%s: %s\n", plan->source->combinator, wrong);
	}
	return wrong != NULL || arena_failed(build->arena) ? NULL : plan;
}

/* With the option resume there is one more node around it. */
static const struct plan *build_resume(const struct build *build, const struct plan *inner)
{
	struct plan *plan = arena_zalloc(build->arena, 1, sizeof(*plan));
	const struct plan **children = arena_zalloc(build->arena, 1, sizeof(*children));
	if (plan == NULL || children == NULL)
		return NULL;
	children[0] = inner;
	*plan = (struct plan){.kind = &plan_kind_resume,
			      .source = inner->source,
			      .loc = inner->loc,
			      .model = inner->model,
			      .children = children,
			      .child_count = 1};
	return build_prepare(build, plan);
}

static const struct plan *build_node(const struct build *build, const struct config_plan *source, struct span loc)
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
	plan->loc = loc;
	plan->model = source->model != NULL ? source->model : build->of;
	struct build within = *build;
	within.of = plan->model;
	if (!build_children(&within, plan))
		return NULL;
	const struct plan *built = build_prepare(build, plan);
	return built == NULL || source->options.resume == CONFIG_RESUME_OFF ? built : build_resume(build, built);
}

const struct plan *plan_build(const struct config *config, const struct config_model *model, struct arena *arena,
			      struct buf *errors)
{
	struct build build = {.config = config, .model = model, .of = model, .arena = arena, .errors = errors};
	return build_node(&build, model->plan, SPAN("[\"plan\"]"));
}

const struct plan *plan_build_inline(const struct config *config, const struct config_plan *source, struct arena *arena,
				     struct buf *errors)
{
	struct build build = {.config = config, .arena = arena, .errors = errors};
	return build_node(&build, source, SPAN("[\"plan\"]"));
}

const char *plan_take_widest(struct plan *plan, struct arena *arena)
{
	(void)arena;
	for (size_t i = 0; i < plan->child_count; i++) {
		const struct plan *child = plan->children[i];
		plan->gathers |= child->gathers;
		plan->compares |= child->compares;
		plan->resumes |= child->resumes;
		if (child->width > plan->width)
			plan->width = child->width;
	}
	return NULL;
}

bool plan_is_first_choice(const struct plan *plan, const struct config_plan *target)
{
	bool any = target == NULL;
	if (plan->child_count == 0)
		return any || strcmp(plan->source->target_model, target->target_model) == 0;
	if (plan->kind->prefers)
		return plan_is_first_choice(plan->children[0], target) && (!any || plan->child_count == 1);
	for (size_t i = 0; i < plan->child_count; i++) {
		if (plan_is_first_choice(plan->children[i], target) != any)
			return !any;
	}
	return any;
}

void run_count_lost(const struct run_context *context, const struct usage *usage)
{
	metrics_count_tokens(context->worker->metrics, context->model_index, usage->prompt_tokens,
			     usage->completion_tokens);
}

unsigned run_failures(const struct run_shared *shared, const struct config_plan *target)
{
	unsigned count = 0;
	for (const struct run_failed *at = shared->failed; at != NULL; at = at->next)
		count += at->target->target_index == target->target_index;
	return count;
}

void plan_describe(struct buf *out)
{
	buf_append(out, SPAN("| combinator | children | meaning |\n|---|---|---|\n"));
	buf_printf(out, "| `backend/model` | none | %s |\n", plan_kind_target.doc);
	for (size_t i = 0; i < COMBINATOR_COUNT; i++)
		buf_printf(out, "| `%s` | at least %zu | %s |\n", combinators[i]->name, combinators[i]->min_children,
			   combinators[i]->doc);
}

void plan_declare_combinators(void)
{
	static struct config_combinator list[COMBINATOR_COUNT];
	for (size_t i = 0; i < COMBINATOR_COUNT; i++)
		list[i] = (struct config_combinator){combinators[i]->name, combinators[i]->min_children,
						     combinators[i]->asks_all};
	config_set_combinators(list, COMBINATOR_COUNT);
}
