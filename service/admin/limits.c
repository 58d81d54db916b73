/* SPDX-License-Identifier: MIT */
/* GET /v1/limits: how the limits of whoever asks stand, over all models or for one. */
#include <stdlib.h>
#include <time.h>

#include "lib/decimal.h"
#include "lib/json_write.h"
#include "schemas/admin_fields.h"
#include "schemas/query.h"
#include "service/admin/admin.h"
#include "service/quotas/quotas.h"

enum { LIMITS_MOST = 256, MODELS_MOST = 256, OF_ONE_MOST = 64, MS_US = 1000 };

struct listing {
	const struct admin_request *request;
	struct quota_now now;
	size_t count;
	const void *told[LIMITS_MOST];
};

static void write_number(struct buf *out, const char *name, uint64_t value)
{
	buf_printf(out, ",\"%s\":", name);
	decimal_append(out, value);
}

static void write_state(struct buf *out, const struct quota_state *state, const struct config_model *model)
{
	buf_append(out, SPAN("{\"name\":"));
	json_write_string(out, span_of(state->name));
	buf_printf(out, ",\"unit\":\"%s\",\"window\":", account_unit_name(state->unit));
	json_write_string_or_null(out,
				  span_of(state->unit == QUOTA_CONCURRENT ? NULL : quota_window_name(state->kind)));
	buf_append(out, SPAN(",\"model\":"));
	json_write_string_or_null(out, span_of(state->by_model ? model->name : NULL));
	write_number(out, "limit", state->limit);
	if (state->share.exists)
		write_number(out, "share", quota_share(state->limit, state->share.percent));
	write_number(out, "remaining", state->left);
	write_number(out, "reserved", state->reserved);
	write_number(out, "reset_ms", (state->reset_us + MS_US - 1) / MS_US);
	buf_append(out, SPAN("}"));
}

static bool is_told(const struct listing *listing, const void *account)
{
	for (size_t i = 0; i < listing->count; i++)
		if (listing->told[i] == account)
			return true;
	return false;
}

/* Writes the limits of a model that were not written for another one. */
static void write_model(struct listing *listing, const struct config_model *model, struct buf *out)
{
	struct quotas *quotas = listing->request->quotas;
	struct quota_state states[OF_ONE_MOST];
	size_t count = 0;
	struct quota_habit habit;
	bool exhausted;
	struct quota_subject *subject =
	    quotas_find(quotas, listing->request->holder, model, listing->now, &habit, &exhausted);
	if (subject != NULL)
		quotas_look(quotas, subject, listing->now, states, OF_ONE_MOST, &count);
	for (size_t i = 0; i < count && listing->count < LIMITS_MOST; i++) {
		if (is_told(listing, states[i].account))
			continue;
		if (listing->count > 0)
			buf_append(out, SPAN(","));
		listing->told[listing->count++] = states[i].account;
		write_state(out, &states[i], model);
	}
	quotas_drop(quotas, subject);
}

static bool may_use(const struct admin_request *request, const struct config_model *model)
{
	return model != NULL && config_key_may_use(request->holder, span_of(model->name));
}

void admin_limits(const struct admin_request *request, struct admin_answer *answer)
{
	const struct config *config = request->config;
	struct limits_query query;
	struct findings findings = {.count = 0};
	struct listing listing = {.request = request, .now = {.us = request->now_us, .s = (uint64_t)time(NULL)}};
	bool good = query_read(request->query, &limits_query_fields, request->arena, &query, &findings);
	const struct config_model *only =
	    good && query.model.node != JSON_NONE ? config_find_model(config, query.model.value) : NULL;
	if (good && query.model.node != JSON_NONE && !may_use(request, only)) {
		admin_find_unknown(request, "model", query.model.value, &findings);
		good = false;
	}
	if (!good) {
		admin_refuse_findings(request, answer, &findings);
		return;
	}
	buf_append(&answer->body, SPAN("{\"object\":\"list\",\"data\":["));
	size_t looked = 0; /* more would hold the turn */
	for (size_t i = 0; i < config->model_count && looked < MODELS_MOST && listing.count < LIMITS_MOST; i++) {
		if ((only != NULL && only != &config->models[i]) || !may_use(request, &config->models[i]))
			continue;
		write_model(&listing, &config->models[i], &answer->body);
		looked++;
	}
	buf_append(&answer->body, SPAN("]}"));
}
