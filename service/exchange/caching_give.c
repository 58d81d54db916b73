/* SPDX-License-Identifier: MIT */
/* Giving kept answers, in the form that was asked for; caching_give.h holds the contract. */
#include "service/exchange/caching_give.h"

#include <time.h>

#include "service/exchange/exchange_internal.h"
#include "service/exchange/recast.h"

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
	metrics_add(exchange->worker->plan.metrics, hit->entry.body.len, METRIC_CACHE_GIVEN_BYTES,
		    exchange->report.model_index);
	if (exchange->state != EXCHANGE_ST_WAITING || !caching_is_unchanged(exchange))
		return recast_begin(exchange, &source, NULL);
	caching_give_not_modified(exchange);
	store_value_drop(source.held);
	return true;
}
