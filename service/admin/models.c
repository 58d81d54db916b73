/* SPDX-License-Identifier: MIT */
/* GET /v1/models and /v1/models/{id}: the configured models, in OpenAI's form. */
#include "service/admin/admin.h"

#include "lib/json_write.h"

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

/* -1 when c is no hex digit. */
static int hex_value(char c)
{
	static const char digits[] = "0123456789abcdefABCDEF";
	const char *at = c == '\0' ? NULL : strchr(digits, c);
	if (at == NULL)
		return -1;
	int value = (int)(at - digits);
	return value < 16 ? value : value - 6;
}

/* The byte that a percent-encoded triple stands for, or -1. */
static int percent_triple(struct span in, size_t at)
{
	if (in.at[at] != '%' || in.len - at < 3)
		return -1;
	int high = hex_value(in.at[at + 1]);
	int low = hex_value(in.at[at + 2]);
	return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/* Decodes percent-encoding (RFC 3986, section 2.1) into out, which has room for in.len bytes. */
static struct span percent_decode(struct span in, char *out)
{
	size_t len = 0;
	for (size_t i = 0; i < in.len; i++) {
		int byte = percent_triple(in, i);
		if (byte < 0) {
			out[len++] = in.at[i];
			continue;
		}
		unsigned char octet = (unsigned char)byte;
		memcpy(&out[len++], &octet, 1);
		i += 2;
	}
	return (struct span){out, len};
}

void admin_model(const struct admin_request *request, struct admin_answer *answer)
{
	char decoded[1024];
	struct span name = request->argument;
	if (name.len <= sizeof(decoded))
		name = percent_decode(name, decoded);
	const struct config_model *model = config_find_model(request->config, name);
	if (model != NULL) {
		write_model(&answer->body, model->name);
		return;
	}
	answer->error = ERROR_MODEL_NOT_FOUND;
	buf_printf(&answer->body, "The model `%.*s` does not exist.", SPAN_ARG(name));
}
