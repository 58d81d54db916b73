/* SPDX-License-Identifier: MIT */
/* Giving kept answers, in the form that was asked for; caching_give.h holds the contract. */
#include "service/exchange/caching_give.h"

#include <time.h>

#include "lib/decimal.h"
#include "lib/random.h"
#include "lib/step.h"
#include "schemas/sse_write.h"
#include "service/exchange/exchange_internal.h"

enum { ID_DIGITS = 32, ID_SIZE = sizeof("chatcmpl-") + ID_DIGITS };

/* Like those of backends. */
static struct span fresh_id(const struct exchange *exchange, char id[ID_SIZE])
{
	struct span prefix = exchange->request.endpoint == OPENAI_CHAT ? SPAN("chatcmpl-") : SPAN("cmpl-");
	memcpy(id, prefix.at, prefix.len);
	random_hex(id + prefix.len, ID_DIGITS / 2);
	return (struct span){id, prefix.len + ID_DIGITS};
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
	struct step_mark before = step_enter("replay");
	bool told = openai_replay_chunks(replay, &scratch, emit_chunk, exchange);
	step_leave(before);
	arena_fini(&scratch);
	if (told && exchange_send(exchange, SPAN("data: [DONE]\n\n")))
		exchange_finish(exchange);
	else
		exchange_fail_code(exchange, ERROR_OVERLOADED);
}

void caching_give_whole(struct exchange *exchange, const struct openai_replay *replay)
{
	struct event event = {.kind = EVENT_BODY, .usage = USAGE_UNKNOWN};
	struct buf body;
	size_t most = replay->body.len + ID_SIZE + DECIMAL_SIZE + 2; /* its quotes */
	buf_init(&body, most);
	buf_charge(&body, exchange->party);
	bool told = buf_reserve(&body, most) != NULL && openai_replay_whole(replay, &body);
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

void caching_give(struct exchange *exchange, const struct cache_hit *hit, enum metrics_cache how)
{
	char id[ID_SIZE];
	struct caching *caching = &exchange->caching;
	struct openai_replay replay = {.endpoint = exchange->request.endpoint,
				       .body = hit->entry.body,
				       .marks = hit->entry.marks,
				       .id = fresh_id(exchange, id),
				       .created = time(NULL),
				       .include_usage = exchange->request.include_usage};
	struct store_value *held = hit->value; /* the exchange is gone behind its end */
	exchange->report.cache = how;
	caching->age_s = (int64_t)(hit->age_us / CACHING_SECOND_US);
	caching->ttl_s = hit->ttl_us / CACHING_SECOND_US;
	caching->tag = (struct caching_tag){
	    .keys = cache_key_hash(&caching->keeping.key), .digests = hit->entry.digest, .form = form_of(exchange)};
	metrics_add(exchange->worker->plan.metrics, hit->entry.body.len, METRIC_CACHE_GIVEN_BYTES,
		    exchange->report.model_index);
	if (exchange->state == EXCHANGE_ST_WAITING && caching_is_unchanged(exchange))
		caching_give_not_modified(exchange);
	else if (exchange->request.stream)
		caching_give_stream(exchange, &replay);
	else
		caching_give_whole(exchange, &replay);
	store_value_drop(held);
}
