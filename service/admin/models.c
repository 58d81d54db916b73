/* SPDX-License-Identifier: MIT */
/* GET /v1/models and /v1/models/{id}: the configured models, in the form of the client's dialect. */
#include "service/admin/admin.h"

#include "lib/json_write.h"
#include "lib/percent.h"
#include "schemas/admin_fields.h"
#include "schemas/dialect.h"
#include "schemas/query.h"

/* The models of one page, of those that the key may use: from first on, before end, at most so many. */
struct page {
	size_t first, end;
	size_t most;
	bool follows; /* the page was asked for backwards, and more are before it */
};

static bool may_use(const struct admin_request *request, size_t model)
{
	return config_key_may_use(request->holder, span_of(request->config->models[model].name));
}

/* Finds the model that a parameter names, if it is there. What the key may not use is not there. False with findings.
 */
static bool find_bound(const struct admin_request *request, const char *name, const struct field_text *parameter,
		       size_t *index, struct findings *findings)
{
	const struct config *config = request->config;
	if (parameter->node == JSON_NONE)
		return true;
	const struct config_model *model = config_find_model(config, parameter->value);
	if (model == NULL || !may_use(request, (size_t)(model - config->models))) {
		admin_find_unknown(request, name, parameter->value, findings);
		return false;
	}
	*index = (size_t)(model - config->models);
	return true;
}

/* Moves the begin of the page to the last models before its end. */
static void turn_back(const struct admin_request *request, struct page *page)
{
	size_t first = page->end;
	for (size_t count = 0; first > 0 && count < page->most;)
		count += may_use(request, --first);
	page->first = first;
	while (first > 0 && !page->follows)
		page->follows = may_use(request, --first);
}

/* False with findings. */
static bool choose_page(const struct admin_request *request, struct page *page, struct findings *findings)
{
	const size_t none = SIZE_MAX; /* so that the model after it is the first */
	size_t after = none, after_id = none, before = request->config->model_count;
	struct models_query query;
	if (!query_read(request->query, &models_query_fields, request->arena, &query, findings) ||
	    !find_bound(request, "after", &query.after, &after, findings) ||
	    !find_bound(request, "after_id", &query.after_id, &after_id, findings) ||
	    !find_bound(request, "before_id", &query.before_id, &before, findings))
		return false;
	size_t first = after_id == none || (after != none && after > after_id) ? after + 1 : after_id + 1;
	*page = (struct page){.first = first, .end = before, .most = request->config->model_count};
	if (query.limit.node != JSON_NONE && (uint64_t)query.limit.value < page->most)
		page->most = (size_t)query.limit.value;
	if (query.before_id.node != JSON_NONE && after == none && after_id == none)
		turn_back(request, page);
	return true;
}

static void write_page(struct buf *out, const struct admin_request *request, const struct page *page)
{
	const struct config *config = request->config;
	const char *first = NULL, *last = NULL;
	size_t count = 0, at = page->first;
	request->dialect->models_begin(out);
	for (; at < page->end && (count < page->most || !may_use(request, at)); at++) {
		if (!may_use(request, at))
			continue;
		if (count++ > 0)
			buf_append(out, SPAN(","));
		last = config->models[at].name;
		first = first == NULL ? last : first;
		request->dialect->model_write(out, span_of(last));
	}
	buf_append(out, SPAN("],\"first_id\":"));
	json_write_string_or_null(out, span_of(first));
	buf_append(out, SPAN(",\"last_id\":"));
	json_write_string_or_null(out, span_of(last));
	bool more = page->follows || at < page->end;
	buf_append(out, more ? SPAN(",\"has_more\":true}") : SPAN(",\"has_more\":false}"));
}

void admin_models(const struct admin_request *request, struct admin_answer *answer)
{
	struct page page;
	struct findings findings;
	if (choose_page(request, &page, &findings))
		write_page(&answer->body, request, &page);
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
		request->dialect->model_write(&answer->body, span_of(model->name));
		return;
	}
	answer->error = ERROR_MODEL_NOT_FOUND;
	buf_printf(&answer->body, "The model `%.*s` does not exist.", SPAN_ARG(name));
	if (name.len > 0 && name.at[name.len - 1] == '/')
		tell_trailing_slash(request, (struct span){name.at, name.len - 1}, &answer->body);
}
