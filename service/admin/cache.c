/* SPDX-License-Identifier: MIT */
/* GET and DELETE /admin/cache: what the cache holds, and purging it. */
#include "service/cache/fetch.h"

#include <inttypes.h>

#include "lib/json_write.h"
#include "schemas/admin_fields.h"
#include "schemas/query.h"
#include "service/admin/admin.h"
#include "service/cache/key.h"

enum { SECOND_US = 1000000 };

static void write_text(struct buf *out, const char *name, struct span text)
{
	buf_printf(out, "\"%s\":", name);
	json_write_string(out, text);
	buf_append(out, SPAN(","));
}

static void write_entry(struct buf *out, const struct admin_request *request, const struct cache_hit *hit,
			struct span key, bool with_text)
{
	const struct store_value *value = hit->value;
	buf_append(out, SPAN("{"));
	write_text(out, "key", key);
	write_text(out, "object", SPAN("cache.entry"));
	write_text(out, "model", span_of(request->config->models[value->tags.model].name));
	buf_printf(out, "\"tenant\":\"%016" PRIx64 "\",", value->tags.tenant);
	write_text(out, "target", hit->entry.target);
	write_text(out, "finish_reason", hit->entry.finish);
	buf_printf(out, "\"created\":%" PRId64 ",\"age\":%" PRIu64 ",\"ttl\":%" PRId64 ",\"bytes\":%zu,\"answer\":",
		   hit->entry.created, hit->age_us / SECOND_US, hit->ttl_us / SECOND_US, value->len);
	buf_append(out, with_text ? hit->entry.body : SPAN("null"));
	buf_append(out, SPAN("}"));
}

void admin_cache(const struct admin_request *request, struct admin_answer *answer)
{
	struct buf *out = &answer->body;
	struct cache_query query;
	struct findings findings;
	struct cache_key key;
	struct cache_hit hit;
	if (!query_read(request->query, &cache_query_fields, request->arena, &query, &findings)) {
		admin_refuse_findings(request, answer, &findings);
		return;
	}
	struct store_totals totals = store_totals(request->cache->cache->store);
	buf_printf(out,
		   "{\"object\":\"cache\",\"entries\":%" PRIu64 ",\"bytes\":%" PRIu64
		   ",\"size\":%zu,\"evictions\":%" PRIu64 ",\"expired\":%" PRIu64 ",\"entry\":",
		   totals.entries, totals.bytes, request->config->cache.size, totals.evictions, totals.expired);
	if (query.key.node != JSON_NONE && cache_key_read(query.key.value, &key) &&
	    cache_find(request->cache->cache, &key, request->now_us, &hit)) {
		write_entry(out, request, &hit, query.key.value, query.text.value);
		cache_hit_drop(&hit);
	} else {
		buf_append(out, SPAN("null"));
	}
	buf_append(out, SPAN("}"));
}

/* Sixteen digits, as the table made sure. */
static uint64_t read_tenant(struct span hex)
{
	uint64_t tenant = 0;
	for (size_t i = 0; i < hex.len; i++)
		tenant = tenant << 4 | (unsigned)(hex.at[i] <= '9' ? hex.at[i] - '0' : hex.at[i] - 'a' + 10);
	return tenant;
}

void admin_purge(const struct admin_request *request, struct admin_answer *answer)
{
	struct purge_query query;
	struct findings findings;
	struct store_filter filter = {NULL, NULL, NULL};
	struct cache_key key;
	uint32_t model = 0;
	uint64_t tenant = 0;
	if (!query_read(request->query, &purge_query_fields, request->arena, &query, &findings)) {
		admin_refuse_findings(request, answer, &findings);
		return;
	}
	if (query.key.node != JSON_NONE && cache_key_read(query.key.value, &key))
		filter.key = &key;
	if (query.tenant.node != JSON_NONE) {
		tenant = read_tenant(query.tenant.value);
		filter.tenant = &tenant;
	}
	if (query.model.node != JSON_NONE) {
		const struct config_model *found = config_find_model(request->config, query.model.value);
		if (found == NULL) {
			admin_find_unknown(request, "model", query.model.value, &findings);
			admin_refuse_findings(request, answer, &findings);
			return;
		}
		model = (uint32_t)(found - request->config->models);
		filter.model = &model;
	}
	buf_printf(&answer->body, "{\"object\":\"cache.purge\",\"purged\":%zu}",
		   store_purge(request->cache->cache->store, &filter));
}
