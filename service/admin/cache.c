/* SPDX-License-Identifier: MIT */
/* GET and DELETE /admin/cache: what the cache holds, and purging it. */

#include <inttypes.h>
#include <stdlib.h>

#include "lib/container.h"
#include "lib/json_write.h"
#include "schemas/admin_fields.h"
#include "schemas/query.h"
#include "service/admin/admin.h"
#include "service/cache/key.h"
#include "service/cache/purge.h"
#include "service/cache/seek.h"

enum { SECOND_US = 1000000 };

static void write_text(struct buf *out, const char *name, struct span text)
{
	buf_printf(out, "\"%s\":", name);
	json_write_string(out, text);
	buf_append(out, SPAN(","));
}

static void write_entry(struct buf *out, const struct cache_models *models, const struct cache_hit *hit,
			const struct cache_key *key, bool with_text)
{
	const struct store_value *value = hit->value;
	char hex[2 * CACHE_KEY_SIZE + 1];
	cache_key_text(key, hex);
	buf_append(out, SPAN("{"));
	write_text(out, "key", span_of(hex));
	write_text(out, "object", SPAN("cache.entry"));
	write_text(out, "model", span_of(models->names[value->tags.model]));
	buf_printf(out, "\"tenant\":\"%016" PRIx64 "\",", value->tags.tenant);
	write_text(out, "target", hit->entry.target);
	write_text(out, "finish_reason", hit->entry.finish);
	buf_printf(out, "\"created\":%" PRId64 ",\"age\":%" PRIu64 ",\"ttl\":%" PRId64 ",\"bytes\":%zu,\"answer\":",
		   hit->entry.created, hit->age_us / SECOND_US, hit->ttl_us / SECOND_US, value->len);
	buf_append(out, with_text ? hit->entry.body : SPAN("null"));
	buf_append(out, SPAN("}"));
}

/* A look into the cache, which takes a moment when Redis is looked through. */
struct look_job {
	struct admin_job job; /* first */
	struct cache_seek seek;
	const struct config *config;
	struct cache *cache;
	bool with_text;
};

static void write_state(const struct look_job *job, struct buf *out)
{
	struct store_totals totals = store_totals(job->cache->store);
	buf_printf(out,
		   "{\"object\":\"cache\",\"entries\":%" PRIu64 ",\"bytes\":%" PRIu64
		   ",\"size\":%zu,\"evictions\":%" PRIu64 ",\"expired\":%" PRIu64 ",\"entry\":",
		   totals.entries, totals.bytes, job->config->cache.size, totals.evictions, totals.expired);
	if (job->seek.hit.value != NULL)
		write_entry(out, job->cache->models, &job->seek.hit, &job->seek.key, job->with_text);
	else
		buf_append(out, SPAN("null"));
	buf_append(out, SPAN("}"));
}

static void look_free(struct look_job *job)
{
	cache_hit_drop(&job->seek.hit);
	free(job);
}

static void look_tell(struct admin_job *of, struct admin_answer *answer)
{
	struct look_job *job = (struct look_job *)of;
	write_state(job, &answer->body);
	look_free(job);
}

static void look_leave(struct admin_job *of)
{
	struct look_job *job = (struct look_job *)of;
	cache_seek_cancel(&job->seek);
	look_free(job);
}

static void on_sought(struct cache_seek *seek)
{
	struct look_job *job = container_of(seek, struct look_job, seek);
	job->job.on_ready(job->job.waiter);
}

void admin_cache(const struct admin_request *request, struct admin_answer *answer)
{
	struct cache_query query;
	struct findings findings;
	if (!query_read(request->query, &cache_query_fields, request->arena, &query, &findings)) {
		admin_refuse_findings(request, answer, &findings);
		return;
	}
	struct look_job *job = calloc(1, sizeof(*job));
	if (job == NULL) {
		answer->error = ERROR_OVERLOADED;
		return;
	}
	*job = (struct look_job){.job = {.tell = look_tell, .leave = look_leave},
				 .seek = {.on_done = on_sought},
				 .config = request->config,
				 .cache = request->cache->cache,
				 .with_text = query.text.value};
	bool seeks = query.key.node != JSON_NONE && cache_key_read(query.key.value, &job->seek.key);
	if (!seeks || cache_seek_begin(request->cache, &job->seek))
		look_tell(&job->job, answer);
	else
		answer->job = &job->job;
}

/* Sixteen digits, as the table made sure. */
static uint64_t read_tenant(struct span hex)
{
	uint64_t tenant = 0;
	for (size_t i = 0; i < hex.len; i++)
		tenant = tenant << 4 | (unsigned)(hex.at[i] <= '9' ? hex.at[i] - '0' : hex.at[i] - 'a' + 10);
	return tenant;
}

/* A purge of everything that may take a moment, and what it is about. */
struct purge_job {
	struct admin_job job; /* first */
	struct cache_purge purge;
	struct cache_key key;
	uint32_t model;
	uint64_t tenant;
	bool shares; /* there is a Redis */
};

static void write_purge(const struct purge_job *job, struct buf *out)
{
	const struct cache_purge *purge = &job->purge;
	buf_printf(out, "{\"object\":\"cache.purge\",\"purged\":%zu,\"shared\":", purge->in_memory);
	if (job->shares)
		buf_printf(out, "%zu", purge->in_redis);
	else
		buf_append(out, SPAN("null"));
	buf_printf(out, ",\"complete\":%s}", purge->complete ? "true" : "false");
}

static void purge_tell(struct admin_job *job, struct admin_answer *answer)
{
	write_purge((struct purge_job *)job, &answer->body);
	free(job);
}

static void purge_leave(struct admin_job *job)
{
	job->waiter = NULL;
}

static void on_purged(struct cache_purge *purge)
{
	struct purge_job *job = container_of(purge, struct purge_job, purge);
	if (job->job.waiter != NULL)
		job->job.on_ready(job->job.waiter);
	else
		free(job);
}

/* False with the findings told. */
static bool read_filter(const struct admin_request *request, struct purge_job *job, struct findings *findings)
{
	struct purge_query query;
	struct store_filter *filter = &job->purge.filter;
	if (!query_read(request->query, &purge_query_fields, request->arena, &query, findings))
		return false;
	if (query.key.node != JSON_NONE && cache_key_read(query.key.value, &job->key))
		filter->key = &job->key;
	if (query.tenant.node != JSON_NONE) {
		job->tenant = read_tenant(query.tenant.value);
		filter->tenant = &job->tenant;
	}
	if (query.model.node == JSON_NONE)
		return true;
	const struct config_model *found = config_find_model(request->config, query.model.value);
	if (found == NULL) {
		admin_find_unknown(request, "model", query.model.value, findings);
		return false;
	}
	const struct cache_models *models = request->cache->cache->models;
	job->purge.named = models->numbers[found - request->config->models];
	job->model = models->first[job->purge.named];
	filter->model = &job->model;
	return true;
}

void admin_purge(const struct admin_request *request, struct admin_answer *answer)
{
	struct findings findings = {.count = 0};
	struct purge_job *job = calloc(1, sizeof(*job));
	if (job == NULL) {
		answer->error = ERROR_OVERLOADED;
		return;
	}
	*job = (struct purge_job){.job = {.tell = purge_tell, .leave = purge_leave},
				  .purge = {.on_done = on_purged},
				  .shares = request->cache->remote != NULL};
	if (!read_filter(request, job, &findings)) {
		admin_refuse_findings(request, answer, &findings);
		free(job);
	} else if (cache_purge_begin(request->cache, &job->purge)) {
		purge_tell(&job->job, answer);
	} else {
		answer->job = &job->job;
	}
}
