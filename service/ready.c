/* SPDX-License-Identifier: MIT */
/* Lines for whoever starts the service; ready.h holds the contract. */
#include "service/ready.h"

#include "lib/log.h"
#include "service/admin/docs_page.h"

enum { READY_TEXT_MAX = LOG_STRING_MAX + 512 };

void ready_log_advices(const struct config *config)
{
	for (size_t i = 0; i < config->advice_count; i++) {
		const struct config_advice *advice = &config->advices[i];
		struct log_line line;
		log_begin(&line, LOG_WARN, "configuration");
		log_str(&line, "file", span_of(config->file));
		log_int(&line, "line", advice->line);
		log_str(&line, "key", span_of(advice->key));
		log_str(&line, "advice", span_of(advice->text));
		log_end(&line);
	}
}

/* The names of the models by commas, as many as a line takes. */
static void write_models(struct buf *out, const struct config *config)
{
	for (size_t i = 0; i < config->model_count && buf_len(out) < LOG_STRING_MAX; i++)
		buf_printf(out, "%s%.256s", i == 0 ? "" : ", ", config->models[i].name);
}

/* The URL of the docs page at a listener; an address that stands for all of them becomes localhost. */
static void write_docs(struct buf *out, const struct config_listener *listener, const char *address)
{
	const char *colon = strrchr(address, ':');
	bool any = strncmp(address, "0.0.0.0:", 8) == 0 || strncmp(address, "[::]:", 5) == 0;
	buf_printf(out, "%s://", listener->tls_certificate == NULL ? "http" : "https");
	if (any && colon != NULL)
		buf_printf(out, "localhost%s/docs", colon);
	else
		buf_printf(out, "%s/docs", address);
}

void ready_log(const struct config *config, const struct http_listener_address *addresses)
{
	char models_room[READY_TEXT_MAX], docs_room[256];
	struct buf models, docs;
	struct log_line line;
	buf_init_over(&models, models_room, sizeof(models_room));
	buf_init_over(&docs, docs_room, sizeof(docs_room));
	write_models(&models, config);
	write_docs(&docs, &config->listeners[0], addresses[0].text);
	log_begin(&line, LOG_INFO, "ready");
	log_str(&line, "config", span_of(config->file));
	log_int(&line, "backends", (int64_t)config->backend_count);
	log_int(&line, "models", (int64_t)config->model_count);
	log_str(&line, "model_names", buf_span(&models));
	if (docs_page_find(SPAN(""))->gzip.len != 0)
		log_str(&line, "docs", buf_span(&docs));
	log_end(&line);
}
