/* SPDX-License-Identifier: MIT */
/* Giving kept answers, in the form that was asked for, and the fields of their heads; caching_give.h and caching.h hold
 * the contracts. */
#include "service/exchange/caching_give.h"

#include <time.h>

#include "lib/decimal.h"
#include "lib/etag.h"
#include "lib/hex.h"
#include "service/exchange/embedding.h"
#include "service/exchange/exchange_internal.h"
#include "service/exchange/recast.h"

/* What was appended since start. */
static struct span text_since(const struct buf *text, size_t start)
{
	struct span all = buf_span(text);
	return (struct span){all.at + start, all.len - start};
}

static struct span write_tag(struct caching_tag tag, struct buf *text)
{
	size_t start = buf_len(text);
	buf_append(text, SPAN("\""));
	hex_append(text, tag.keys, HEX_SIZE);
	buf_append(text, SPAN("-"));
	hex_append(text, tag.digests, HEX_SIZE);
	const char tail[] = {'-', tag.form, '"'};
	buf_append(text, (struct span){tail, sizeof(tail)});
	return text_since(text, start);
}

/* Tags are compared weakly. */
bool caching_is_unchanged(const struct exchange *exchange)
{
	char room[CACHING_TAG_SIZE];
	struct buf text;
	struct span wanted = exchange->caching.request->if_none_match;
	buf_init_over(&text, room, sizeof(room));
	return wanted.len > 0 && etag_matches(wanted, write_tag(exchange->caching.tag, &text));
}

static void add(struct caching_fields *fields, struct span name, struct span value)
{
	fields->list[fields->count++] = (struct http_field){name, value};
}

static void add_age(const struct exchange *exchange, struct caching_fields *fields, struct buf *text)
{
	size_t start = buf_len(text);
	decimal_append_signed(text, exchange->caching.age_s);
	add(fields, SPAN("age"), text_since(text, start));
}

static void add_tag(const struct exchange *exchange, struct caching_fields *fields, struct buf *text)
{
	size_t start = buf_len(text);
	buf_append(text, SPAN("W/"));
	write_tag(exchange->caching.tag, text);
	add(fields, SPAN("etag"), text_since(text, start));
}

/* Why a target was asked (RFC 9211, section 2.2). */
static struct span forward(const struct exchange *exchange)
{
	const struct caching *caching = &exchange->caching;
	if (caching->directives.no_cache)
		return SPAN("request");
	if (caching->embedding != NULL)
		return embedding_forward(exchange);
	return caching->stale != NULL ? SPAN("stale") : SPAN("miss");
}

/* Cache-Status (RFC 9211). */
static void add_status(const struct exchange *exchange, struct caching_fields *fields, struct buf *text)
{
	size_t start = buf_len(text);
	enum metrics_cache how = exchange->report.cache;
	if (how == METRICS_CACHE_BYPASS) {
		buf_append(text, SPAN("sluice; fwd=bypass"));
	} else if (how == METRICS_CACHE_MISS || how == METRICS_CACHE_PARTIAL || how == METRICS_CACHE_COLLAPSED) {
		buf_append(text, SPAN("sluice; fwd="));
		buf_append(text, forward(exchange));
		if (how == METRICS_CACHE_COLLAPSED)
			buf_append(text, SPAN("; collapsed"));
	} else {
		buf_append(text, SPAN("sluice; hit; ttl="));
		decimal_append_signed(text, exchange->caching.ttl_s);
	}
	add(fields, SPAN("cache-status"), text_since(text, start));
}

void caching_tell(const struct exchange *exchange, struct caching_fields *fields)
{
	struct buf text;
	enum metrics_cache how = exchange->report.cache;
	bool hit = how == METRICS_CACHE_HIT || how == METRICS_CACHE_STALE;
	fields->count = 0;
	buf_init_over(&text, fields->text, sizeof(fields->text));
	if (how == METRICS_CACHE_NONE)
		return;
	if (hit || how == METRICS_CACHE_PARTIAL)
		add_age(exchange, fields, &text);
	if (hit)
		add_tag(exchange, fields, &text);
	add_status(exchange, fields, &text);
}

void caching_give_not_modified(struct exchange *exchange)
{
	struct http_field list[CACHING_FIELDS + 1];
	struct caching_fields fields;
	caching_tell(exchange, &fields);
	memcpy(list, fields.list, fields.count * sizeof(fields.list[0]));
	list[fields.count] = (struct http_field){SPAN("x-request-id"), exchange->report.request_id};
	exchange->to.ops->head(exchange->to.client, 304, list, fields.count + 1, 0);
	exchange->report.status = 304;
	exchange_finish(exchange);
}

static char form_of(const struct exchange *exchange)
{
	if (!exchange->request.stream)
		return 'w';
	return exchange->request.include_usage ? 'u' : 's';
}

bool caching_give(struct exchange *exchange, const struct cache_hit *hit, enum metrics_cache how)
{
	char id[OPENAI_ID_SIZE];
	struct caching *caching = &exchange->caching;
	struct recast_source source = {.replay = {.endpoint = exchange->request.endpoint,
						  .body = hit->entry.body,
						  .marks = hit->entry.marks,
						  .id = openai_make_id(exchange->request.endpoint, id),
						  .created = time(NULL),
						  .include_usage = exchange->request.include_usage},
				       .held = hit->value};
	exchange->report.cache = how;
	caching->age_s = (int64_t)(hit->age_us / CACHING_SECOND_US);
	caching->ttl_s = hit->ttl_us / CACHING_SECOND_US;
	caching->tag = (struct caching_tag){
	    .keys = cache_key_hash(&caching->keeping.key), .digests = hit->entry.digest, .form = form_of(exchange)};
	metrics_add(exchange->worker->flights.plan.metrics, hit->entry.body.len, METRIC_CACHE_GIVEN_BYTES,
		    exchange->report.model_index);
	if (exchange->state != EXCHANGE_ST_WAITING || !caching_is_unchanged(exchange))
		return recast_begin(exchange, &source, NULL);
	caching_give_not_modified(exchange);
	store_value_drop(source.held);
	return true;
}
