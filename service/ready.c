/* SPDX-License-Identifier: MIT */
/* Lines for whoever starts the service; ready.h holds the contract. */
#include "service/ready.h"

#include "lib/log.h"
#include "service/admin/docs_page.h"

enum { READY_TEXT_MAX = LOG_STRING_MAX + 512, READY_URL_MAX = 256 };

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

/* The URL of a path at a listener; an address that stands for all of them becomes localhost. */
static void write_url(struct buf *out, const struct config_listener *listener, const char *address, const char *path)
{
	const char *colon = strrchr(address, ':');
	bool any = strncmp(address, "0.0.0.0:", 8) == 0 || strncmp(address, "[::]:", 5) == 0;
	const char *scheme = listener->tls_certificate == NULL ? "http" : "https";
	if (listener->socket != NULL) /* which has no URL */
		buf_printf(out, "%s", address);
	else if (any && colon != NULL)
		buf_printf(out, "%s://localhost%s%s", scheme, colon, path);
	else
		buf_printf(out, "%s://%s%s", scheme, address, path);
}

static void log_url(struct log_line *line, const char *key, const struct config_listener *listener,
		    const struct http_listener_address *address, const char *path)
{
	char room[READY_URL_MAX];
	struct buf url;
	buf_init_over(&url, room, sizeof(room));
	write_url(&url, listener, address->text, path);
	log_str(line, key, buf_span(&url));
}

/* Where a browser finds the docs page; nothing where none can. */
static void log_docs(struct log_line *line, const struct config *config, const struct http_listener_address *addresses)
{
	if (docs_page_find(SPAN(""))->gzip.len == 0)
		return;
	if ((config->public_set & 1u << CONFIG_PUBLIC_DOCS) != 0)
		log_url(line, "docs", &config->listeners[0], &addresses[0], "/docs");
	else if (config->admin.host != NULL)
		log_url(line, "docs", &config->admin, &addresses[config->listener_count], "/docs");
}

void ready_log(const struct config *config, const struct http_listener_address *addresses)
{
	char models_room[READY_TEXT_MAX];
	struct buf models;
	struct log_line line;
	buf_init_over(&models, models_room, sizeof(models_room));
	write_models(&models, config);
	log_begin(&line, LOG_INFO, "ready");
	log_str(&line, "config", span_of(config->file));
	log_int(&line, "backends", (int64_t)config->backend_count);
	log_int(&line, "models", (int64_t)config->model_count);
	log_str(&line, "model_names", buf_span(&models));
	log_url(&line, "api", &config->listeners[0], &addresses[0], "/v1");
	if (config_admin_is_on(config))
		log_url(&line, "admin", &config->admin, &addresses[config->listener_count], "");
	log_docs(&line, config, addresses);
	log_end(&line);
}
