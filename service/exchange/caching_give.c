/* SPDX-License-Identifier: MIT */
/* Giving kept answers, in the form that was asked for; caching_give.h holds the contract. */
#include "service/exchange/caching_give.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "lib/etag.h"
#include "lib/random.h"
#include "schemas/sse_write.h"
#include "service/exchange/exchange_internal.h"

void caching_write_etag(struct caching *caching, uint64_t keys, uint64_t created)
{
	snprintf(caching->etag, CACHING_ETAG_SIZE, "W/\"%016" PRIx64 "-%" PRIx64 "\"", keys, created);
}

bool caching_is_unchanged(const struct exchange *exchange)
{
	const struct caching *caching = &exchange->caching;
	struct span opaque = {caching->etag + 2, strlen(caching->etag) - 2}; /* without W/: compared weakly */
	return caching->if_none_match.len > 0 && etag_matches(caching->if_none_match, opaque);
}

static struct span fresh_id(const struct exchange *exchange, char id[CACHING_ID_SIZE])
{
	char hex[33];
	random_hex(hex, 16);
	int len = snprintf(id, CACHING_ID_SIZE, "%s-%s",
			   exchange->request.endpoint == OPENAI_CHAT ? "chatcmpl" : "cmpl", hex);
	return (struct span){id, (size_t)len};
}

static bool emit_chunk(void *context, struct span data, unsigned carries)
{
	struct exchange *exchange = context;
	struct event event = {.kind = EVENT_CHUNK, .carries = carries, .data = data, .usage = USAGE_UNKNOWN};
	report_event(&exchange->report, &event, exchange_now(exchange));
	buf_reset(&exchange->out);
	sse_write_event(&exchange->out, data);
	return !buf_failed(&exchange->out) && exchange_send(exchange, buf_span(&exchange->out));
}

void caching_give_stream(struct exchange *exchange, const struct openai_replay *replay)
{
	struct arena scratch;
	arena_init(&scratch, 0);
	exchange_head(exchange, EXCHANGE_ST_STREAM, NULL, -1);
	bool told = openai_replay_chunks(replay, &scratch, emit_chunk, exchange);
	arena_fini(&scratch);
	if (told && exchange_send(exchange, SPAN("data: [DONE]\n\n")))
		exchange_finish(exchange);
	else
		exchange_fail_code(exchange, ERROR_OVERLOADED);
}

void caching_give_whole(struct exchange *exchange, const struct openai_replay *replay)
{
	struct event event = {.kind = EVENT_BODY, .usage = USAGE_UNKNOWN};
	struct arena scratch;
	struct buf body;
	arena_init(&scratch, 0);
	buf_init(&body, replay->body.len + CACHING_ID_SIZE + 64);
	bool told = openai_replay_whole(replay, &scratch, &body);
	arena_fini(&scratch);
	report_event(&exchange->report, &event, exchange_now(exchange));
	if (told)
		exchange_head(exchange, EXCHANGE_ST_BODY, NULL, (int64_t)buf_len(&body));
	if (told && exchange_send(exchange, buf_span(&body)))
		exchange_finish(exchange);
	else
		exchange_fail_code(exchange, ERROR_OVERLOADED);
	buf_fini(&body);
}

void caching_give_not_modified(struct exchange *exchange)
{
	struct http_field fields[CACHING_FIELDS + 1];
	size_t count = caching_fields(exchange, fields);
	fields[count++] = (struct http_field){SPAN("x-request-id"), exchange->report.request_id};
	exchange->to.ops->head(exchange->to.client, 304, fields, count, 0);
	exchange->report.status = 304;
	exchange_finish(exchange);
}

void caching_give(struct exchange *exchange, const struct cache_hit *hit, enum metrics_cache how)
{
	char id[CACHING_ID_SIZE];
	struct caching *caching = &exchange->caching;
	struct openai_replay replay = {.endpoint = exchange->request.endpoint,
				       .body = hit->entry.body,
				       .id = fresh_id(exchange, id),
				       .created = time(NULL),
				       .include_usage = exchange->request.include_usage};
	struct store_value *held = hit->value; /* the exchange is gone behind its end */
	exchange->report.cache = how;
	caching->age_s = (int64_t)(hit->age_us / CACHING_SECOND_US);
	caching->ttl_s = hit->ttl_us / CACHING_SECOND_US;
	caching_write_etag(caching, cache_key_hash(&caching->keeping.key), (uint64_t)hit->entry.created);
	metrics_add(exchange->worker->plan.metrics, hit->entry.body.len, METRIC_CACHE_GIVEN_BYTES,
		    exchange->report.model_index);
	if (caching_is_unchanged(exchange))
		caching_give_not_modified(exchange);
	else if (exchange->request.stream)
		caching_give_stream(exchange, &replay);
	else
		caching_give_whole(exchange, &replay);
	store_value_drop(held);
}
