/* SPDX-License-Identifier: MIT */
/* GET /v1/models and /v1/models/{id}: the configured models, in OpenAI's form. */
#include "service/admin/admin.h"

#include "lib/json_write.h"
#include "lib/percent.h"
#include "schemas/admin_fields.h"
#include "schemas/query.h"

/* The models of one page, of those that the key may use: from first on, at most so many. */
struct page {
	size_t first;
	size_t most;
};

static void write_model(struct buf *out, const char *name)
{
	buf_append(out, SPAN("{\"id\":"));
	json_write_string(out, span_of(name));
	buf_append(out, SPAN(",\"object\":\"model\",\"created\":0,\"owned_by\":\"sluice\"}"));
}

static bool may_use(const struct admin_request *request, size_t model)
{
	return config_key_may_use(request->holder, span_of(request->config->models[model].name));
}

/* False with findings. What the key may not use is not there. */
static bool choose_page(const struct admin_request *request, struct page *page, struct findings *findings)
{
	const struct config *config = request->config;
	struct models_query query;
	if (!query_read(request->query, &models_query_fields, request->arena, &query, findings))
		return false;
	*page = (struct page){0, config->model_count};
	if (query.after.node != JSON_NONE) {
		const struct config_model *after = config_find_model(config, query.after.value);
		if (after == NULL || !may_use(request, (size_t)(after - config->models))) {
			admin_find_unknown(request, "after", query.after.value, findings);
			return false;
		}
		page->first = (size_t)(after - config->models) + 1;
	}
	if (query.limit.node != JSON_NONE && (uint64_t)query.limit.value < page->most)
		page->most = (size_t)query.limit.value;
	return true;
}

static void write_page(struct buf *out, const struct admin_request *request, struct page page)
{
	const struct config *config = request->config;
	const char *first = NULL, *last = NULL;
	size_t count = 0, at = page.first;
	buf_append(out, SPAN("{\"object\":\"list\",\"data\":["));
	for (; at < config->model_count && (count < page.most || !may_use(request, at)); at++) {
		if (!may_use(request, at))
			continue;
		if (count++ > 0)
			buf_append(out, SPAN(","));
		last = config->models[at].name;
		first = first == NULL ? last : first;
		write_model(out, last);
	}
	buf_append(out, SPAN("],\"first_id\":"));
	json_write_string_or_null(out, span_of(first));
	buf_append(out, SPAN(",\"last_id\":"));
	json_write_string_or_null(out, span_of(last));
	buf_append(out, at < config->model_count ? SPAN(",\"has_more\":true}") : SPAN(",\"has_more\":false}"));
}

void admin_models(const struct admin_request *request, struct admin_answer *answer)
{
	struct page page;
	struct findings findings;
	if (choose_page(request, &page, &findings))
		write_page(&answer->body, request, page);
	else
		admin_refuse_findings(request, answer, &findings);
}

/* Adds a suggestion when there is a model of that name, which the client wrote with a slash at the end. */
static void tell_trailing_slash(const struct admin_request *request, struct span name, struct buf *message)
{
	if (config_find_model(request->config, name) != NULL && config_key_may_use(request->holder, name))
		buf_printf(message, " Did you mean `%.*s`, without the slash at the end of the path?", SPAN_ARG(name));
}

void admin_model(const struct admin_request *request, struct admin_answer *answer)
{
	char decoded[1024];
	struct span name = request->argument;
	if (name.len <= sizeof(decoded))
		name = percent_decode(name, false, decoded);
	if (!config_key_may_use(request->holder, name)) {
		answer->error = ERROR_KEY_SCOPE;
		buf_printf(&answer->body, "The key %s may not use the model `%.*s`: its scope `models` lacks it.",
			   request->holder->name, SPAN_ARG(name));
		return;
	}
	const struct config_model *model = config_find_model(request->config, name);
	if (model != NULL) {
		write_model(&answer->body, model->name);
		return;
	}
	answer->error = ERROR_MODEL_NOT_FOUND;
	buf_printf(&answer->body, "The model `%.*s` does not exist.", SPAN_ARG(name));
	if (name.len > 0 && name.at[name.len - 1] == '/')
		tell_trailing_slash(request, (struct span){name.at, name.len - 1}, &answer->body);
}
