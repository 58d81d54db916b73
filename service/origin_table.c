/* SPDX-License-Identifier: MIT */
/* Origins by the names of backends; origin_table.h holds the contract. */
#include "service/origin_table.h"

#include <stdlib.h>
#include <string.h>

#include "clients/http/http_client.h"
#include "schemas/dialect.h"

static bool same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same_options(const struct config_backend *a, const struct config_backend *b)
{
	return same_text(a->url, b->url) && same_text(a->dialect, b->dialect) && secret_equal(a->api_key, b->api_key) &&
	       same_text(a->ca, b->ca) && same_text(a->certificate, b->certificate) && same_text(a->key, b->key) &&
	       a->timeouts.connect_us == b->timeouts.connect_us && a->resolve_us == b->resolve_us;
}

/* Returns the origin, held, that an earlier configuration has for the backend, or NULL. */
static struct http_origin *hold_earlier(const struct origin_table *earlier, const struct config_backend *backend)
{
	size_t count = earlier == NULL ? 0 : earlier->config->backend_count;
	for (size_t i = 0; i < count; i++) {
		const struct config_backend *before = &earlier->config->backends[i];
		if (same_text(before->name, backend->name) && same_options(before, backend))
			return http_origin_hold(earlier->by_backend[i]);
	}
	return NULL;
}

static struct http_origin *create_origin(const struct config *config, size_t index, struct http_client *client,
					 struct metrics_cells *metrics, struct buf *error)
{
	const struct config_backend *backend = &config->backends[index];
	const struct dialect *dialect = dialect_find(backend->dialect);
	const char *why = "out of memory";
	struct http_origin_options options = {.url = backend->url,
					      .bearer = backend->api_key,
					      .bearer_line = dialect == NULL ? NULL : dialect->key_line,
					      .lines = dialect == NULL ? NULL : dialect->head_lines,
					      .ca_file = backend->ca,
					      .certificate = backend->certificate,
					      .key = backend->key,
					      .connect_timeout_us = backend->timeouts.connect_us,
					      .resolve_us = backend->resolve_us,
					      .metrics = metrics,
					      .backend = (uint32_t)index};
	struct http_origin *origin = http_origin_create(client, &options, &why);
	if (origin == NULL)
		buf_printf(error, "%s:%u: backends.%s: %s\n", config->file, backend->line, backend->name, why);
	return origin;
}

struct origin_table *origin_table_create(const struct config *config, struct http_client *client,
					 struct metrics_cells *metrics, const struct origin_table *earlier,
					 struct buf *error)
{
	struct origin_table *origins = calloc(1, sizeof(*origins));
	if (origins == NULL)
		return NULL;
	origins->config = config;
	origins->by_backend = calloc(config->backend_count + 1, sizeof(struct http_origin *));
	bool good = origins->by_backend != NULL;
	/* all of them, so that one run tells everything */
	for (size_t i = 0; origins->by_backend != NULL && i < config->backend_count; i++) {
		struct http_origin *origin = hold_earlier(earlier, &config->backends[i]);
		if (origin == NULL)
			origin = create_origin(config, i, client, metrics, error);
		origins->by_backend[i] = origin;
		good = good && origin != NULL;
	}
	if (good)
		return origins;
	origin_table_destroy(origins);
	return NULL;
}

void origin_table_take_over(const struct origin_table *origins, struct metrics_cells *metrics)
{
	for (size_t i = 0; i < origins->config->backend_count; i++) {
		http_origin_count_as(origins->by_backend[i], metrics, (uint32_t)i);
		http_origin_use_bearer(origins->by_backend[i], origins->config->backends[i].api_key);
	}
}

void origin_table_destroy(struct origin_table *origins)
{
	if (origins == NULL)
		return;
	for (size_t i = 0; origins->by_backend != NULL && i < origins->config->backend_count; i++)
		http_origin_destroy(origins->by_backend[i]);
	free(origins->by_backend);
	free(origins);
}
