/* SPDX-License-Identifier: MIT */
/* Models and their rules of the cache, which are read once all backends are known. */
#include "config/walk_internal.h"

#include "config/suggest.h"
#include "config/targets.h"

enum { MODEL_NAME_MAX = 256 };

/* node: a plan, or a mapping of `plan` and other keys of the model. */
static void read_model(struct walk *walk, const struct tree_node *node, struct config_model *model)
{
	*model = (struct config_model){.name = node->key.at, .line = node->key_line};
	walk_defaults(walk, KEY_OF_config_model, model);
	if (tree_member(node, "plan") != NULL)
		walk_section(walk, "models.*", node, model);
	else if (tree_member(node, "strict") != NULL)
		findings_add(walk->in.findings, tree_member(node, "strict")->key_line, walk->path,
			     "strict stands beside \"plan\", such as { plan: a/model, strict: true }");
	else
		model->plan = plan_read(&walk->reader, node, walk->path);
}

void walk_models(struct walk *walk, const struct tree_node *node)
{
	struct config *config = &walk->snapshot->config;
	walk->reader = (struct plan_reader){.in = walk->in,
					    .grammar = &targets_grammar,
					    .config = config,
					    .depth_most = PLAN_DEPTH_MAX,
					    .leaves_most = PLAN_LEAVES_MAX};
	struct config_model *models = arena_zalloc(walk->in.arena, node->count, sizeof(*models));
	if (models == NULL)
		return;
	reader_refuse_duplicates(&walk->in, walk->path, node);
	size_t count = 0;
	for (const struct tree_node *at = node->first; at != NULL; at = at->next, count++) {
		size_t len = walk_enter(walk, at->key);
		if (at->key.len == 0 || at->key.len > MODEL_NAME_MAX)
			findings_add(walk->in.findings, at->key_line, walk->path, "a model's name is 1 to %d bytes",
				     MODEL_NAME_MAX);
		read_model(walk, at, &models[count]);
		walk_leave(walk, len);
	}
	config->models = walk->models = models;
	config->model_count = count;
	targets_number(walk->in.arena, config, walk->reader.targets);
}

static struct config_model *find_model(struct config_model *models, size_t count, struct span name)
{
	for (size_t i = 0; i < count; i++)
		if (span_is(name, models[i].name))
			return &models[i];
	return NULL;
}

static void read_model_caching(struct walk *walk, const struct tree_node *node, struct config_model *models,
			       size_t count)
{
	static const struct key section = {.path = "cache.models.*", .type = KEY_SECTION};
	struct config_model *model = find_model(models, count, node->key);
	if (model == NULL) {
		struct suggestion near = suggest(node->key);
		char hint[SUGGEST_TEXT_MAX];
		for (size_t i = 0; i < count; i++)
			suggest_offer(&near, span_of(models[i].name));
		findings_add(walk->in.findings, node->key_line, walk->path, "no model has that name%s",
			     suggest_text(&near, hint));
	} else if (node->kind != TREE_NULL && walk_expect(walk, node, TREE_MAPPING, &section)) {
		walk_section(walk, section.path, node, &model->cache);
	}
}

void walk_caching(struct walk *walk)
{
	struct config *config = &walk->snapshot->config;
	struct config_model *models = walk->models;
	size_t len = strlen(walk->path);
	if (config->cache.rule.revision == NULL)
		config->cache.rule.revision = "";
	for (size_t i = 0; i < config->model_count; i++)
		models[i].cache = config->cache.rule;
	if (walk->cache == NULL)
		return;
	walk_enter(walk, SPAN("cache"));
	walk_enter(walk, SPAN("models"));
	reader_refuse_duplicates(&walk->in, walk->path, walk->cache);
	for (const struct tree_node *at = walk->cache->first; at != NULL; at = at->next) {
		size_t inner = walk_enter(walk, at->key);
		read_model_caching(walk, at, models, config->model_count);
		walk_leave(walk, inner);
	}
	walk_leave(walk, len);
}
