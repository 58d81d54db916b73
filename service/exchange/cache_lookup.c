/* SPDX-License-Identifier: MIT */
/*
 * Looking for an answer that is kept, and giving it: by the bytes of the request, if the same were answered lately
 * (recall), else by its key (look up). An answer is given with an id and a time of its own, in the form that was asked
 * for; or the client is told that it has the answer already.
 */
#include <ctype.h>
#include <time.h>

#include "lib/hash.h"
#include "service/cache/repeats.h"
#include "service/exchange/internal.h"
#include "service/exchange/recast.h"
#include "service/exchange/telling.h"

void exchange_keep_under(struct exchange *exchange, struct span tenant)
{
	struct cache_keeping *keeping = &exchange->caching.keeping;
	keeping->rule = &exchange->report.model->cache;
	keeping->tags.model = cache_model(exchange->worker->flights.cache->cache, exchange->report.model_index);
	keeping->tags.tenant = hash_bytes(HASH_START, tenant);
}

/* Asks the cache for the answer of the key; goes on by found(), now or from on_done. */
static enum exchange_step search_answer(struct exchange *exchange, void (*on_done)(struct cache_fetch *fetch),
					enum exchange_step (*found)(struct exchange *exchange))
{
	struct caching *caching = &exchange->caching;
	caching->search = arena_alloc(exchange_arena(exchange), sizeof(*caching->search));
	if (caching->search == NULL)
		return exchange_fails(exchange, ERROR_OVERLOADED);
	*caching->search =
	    (struct caching_search){.fetch = {.key = caching->keeping.key,
					      .tags = caching->keeping.tags,
					      .rule = caching->keeping.rule,
					      .owner = {exchange->request->network, exchange->request->identity},
					      .on_done = on_done},
				    .exchange = exchange};
	return cache_fetch_begin(exchange->worker->flights.cache, &caching->search->fetch) ? found(exchange)
											   : EXCHANGE_WAIT;
}

static struct exchange *exchange_of(struct cache_fetch *fetch)
{
	return ((struct caching_search *)fetch)->exchange;
}

/* Returns whether what was found may be given; a stale answer is kept in case of a failure. */
static bool is_found(struct caching *caching)
{
	struct cache_hit *hit = &caching->search->fetch.hit;
	if (hit->value == NULL)
		return false;
	enum caching_use use = caching_use_of(caching, hit);
	caching->how = CACHE_RESULT_HIT;
	if (use == CACHING_USE_FRESH)
		return true;
	if (use == CACHING_USE_STALE)
		caching->stale = hit->value;
	else
		cache_hit_drop(hit);
	hit->value = NULL;
	return false;
}

/* ---- recall ---- */

/* The request as reading it would leave it. */
static void take_repeat(struct exchange *exchange, const struct repeat *repeat)
{
	exchange->request->stream = repeat->stream;
	exchange->request->include_usage = repeat->include_usage;
	exchange->report.model_index = repeat->model_index;
	exchange->report.model = &exchange_config(exchange)->models[repeat->model_index];
	exchange->caching.keeping.key = repeat->key;
	exchange_keep_under(exchange, repeat->tenant);
}

/* Another key of the tenant may have asked: what this one may not use is refused once it is read. */
static bool may_recall(const struct exchange *exchange, const struct repeat *repeat)
{
	const struct config_model *model = &exchange_config(exchange)->models[repeat->model_index];
	return config_key_may_use(holder_key(exchange->asked.holder), span_of(model->name));
}

/* The cache said what it has: goes on with that, or with an exchange whose request was not read. */
static enum exchange_step recalled(struct exchange *exchange)
{
	if (is_found(&exchange->caching))
		return EXCHANGE_HIT;
	exchange->request->stream = exchange->request->include_usage = false;
	exchange->report.model = NULL;
	exchange->report.model_index = exchange_config(exchange)->model_count;
	return EXCHANGE_DECODE;
}

static void on_recalled(struct cache_fetch *fetched)
{
	struct exchange *exchange = exchange_of(fetched);
	exchange_go(exchange, recalled(exchange));
}

enum exchange_step exchange_recall(struct exchange *exchange)
{
	const struct exchange_request *asked = &exchange->asked;
	struct caching *caching = &exchange->caching;
	const struct cache_worker *cache = exchange->worker->flights.cache;
	const struct repeat *repeat =
	    cache == NULL || !exchange->kind->cached || telling_is_needed(exchange) || exchange->request->refuses_alone
		? NULL
		: repeats_find(cache->repeats, asked->endpoint, asked->tenant, asked->body);
	if (repeat == NULL || !may_recall(exchange, repeat))
		return EXCHANGE_DECODE;
	caching->directives = cache_directives_read(asked->cache_control);
	if (caching->directives.no_cache || caching->directives.no_store)
		return EXCHANGE_DECODE;
	take_repeat(exchange, repeat);
	return search_answer(exchange, on_recalled, recalled);
}

/* ---- look up ---- */

/* The same bytes need not be read again when they come again. */
static void note_repeat(const struct exchange *exchange)
{
	struct repeat repeat = {.endpoint = exchange->request->endpoint,
				.tenant = exchange->asked.tenant,
				.body = exchange->asked.body,
				.key = exchange->caching.keeping.key,
				.model_index = exchange->report.model_index,
				.stream = exchange->request->stream,
				.include_usage = exchange->request->include_usage};
	repeats_note(exchange->worker->flights.cache->repeats, &repeat);
}

/* Nothing is kept that may be given. */
static enum exchange_step answer_not_found(struct exchange *exchange)
{
	struct caching *caching = &exchange->caching;
	if (caching->directives.only_if_cached)
		return exchange_fails(exchange, ERROR_NOT_CACHED);
	caching->start.alone = caching->search != NULL && caching->search->fetch.silent;
	return EXCHANGE_JOIN;
}

/* The cache said what it has. */
static enum exchange_step answer_looked_up(struct exchange *exchange)
{
	if (exchange->caching.search->fetch.hit.value != NULL && !telling_is_needed(exchange))
		note_repeat(exchange);
	return is_found(&exchange->caching) ? EXCHANGE_HIT : answer_not_found(exchange);
}

static void on_looked_up(struct cache_fetch *fetched)
{
	struct exchange *exchange = exchange_of(fetched);
	exchange_go(exchange, answer_looked_up(exchange));
}

/* What was recalled is not looked for again. */
enum exchange_step exchange_look_up(struct exchange *exchange)
{
	const struct caching *caching = &exchange->caching;
	return caching->directives.no_cache || caching->search != NULL
		   ? answer_not_found(exchange)
		   : search_answer(exchange, on_looked_up, answer_looked_up);
}

/* ---- hit ---- */

static char form_of(const struct exchange *exchange)
{
	const struct request *request = exchange->request;
	char initial = exchange->to.dialect->name[0]; /* none that tells another one has that of a form below */
	if (telling_is_needed(exchange))
		return (char)(request->stream ? initial : toupper(initial));
	if (!request->stream)
		return 'w';
	return request->include_usage ? 'u' : 's';
}

enum exchange_step exchange_hit(struct exchange *exchange)
{
	char id[ANSWER_ID_SIZE];
	enum limiting_verdict verdict = limiting_take(exchange, false);
	if (verdict != LIMITING_TAKEN)
		return limiting_stops(exchange, verdict);
	struct caching *caching = &exchange->caching;
	struct cache_hit hit = caching->search->fetch.hit;
	const struct request *request = exchange->request;
	struct recast_source source = {.replay = {.dialect = request->dialect,
						  .endpoint = request->endpoint,
						  .body = hit.entry.body,
						  .marks = hit.entry.marks,
						  .id = request->dialect->make_id(request->endpoint, id),
						  .created = time(NULL),
						  .include_usage = request->include_usage},
				       .held = hit.value};
	caching->search->fetch.hit.value = NULL;
	exchange->report.cache = caching->how;
	caching->age_s = (int64_t)(hit.age_us / CACHING_SECOND_US);
	caching->ttl_s = hit.ttl_us / CACHING_SECOND_US;
	caching->tag = (struct caching_tag){
	    .keys = cache_key_hash(&caching->keeping.key), .digests = hit.entry.digest, .form = form_of(exchange)};
	metrics_add(exchange_plan(exchange)->metrics, hit.entry.body.len, METRIC_CACHE_GIVEN_BYTES,
		    exchange->report.model_index);
	if (exchange->state != EXCHANGE_ST_WAITING || !caching_is_unchanged(caching, exchange->asked.if_none_match))
		return recast_begin(exchange, &source, NULL);
	store_value_drop(source.held);
	return exchange_send_unchanged(exchange);
}
