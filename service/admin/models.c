/* SPDX-License-Identifier: MIT */
/* GET /v1/models and /v1/models/{id}: the configured models, in OpenAI's form. */
#include "service/admin/admin.h"

#include "lib/json_write.h"
#include "lib/percent.h"

static void write_model(struct buf *out, const char *name)
{
	buf_append(out, SPAN("{\"id\":"));
	json_write_string(out, span_of(name));
	buf_append(out, SPAN(",\"object\":\"model\",\"created\":0,\"owned_by\":\"sluice\"}"));
}

void admin_models(const struct admin_request *request, struct admin_answer *answer)
{
	const struct config *config = request->config;
	buf_append(&answer->body, SPAN("{\"object\":\"list\",\"data\":["));
	for (size_t i = 0; i < config->model_count; i++) {
		if (i > 0)
			buf_append(&answer->body, SPAN(","));
		write_model(&answer->body, config->models[i].name);
	}
	buf_append(&answer->body, SPAN("]}"));
}

void admin_model(const struct admin_request *request, struct admin_answer *answer)
{
	char decoded[1024];
	struct span name = request->argument;
	if (name.len <= sizeof(decoded))
		name = percent_decode(name, false, decoded);
	const struct config_model *model = config_find_model(request->config, name);
	if (model != NULL) {
		write_model(&answer->body, model->name);
		return;
	}
	answer->error = ERROR_MODEL_NOT_FOUND;
	buf_printf(&answer->body, "The model `%.*s` does not exist.", SPAN_ARG(name));
}
