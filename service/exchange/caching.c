/* SPDX-License-Identifier: MIT */
/* Exchanges and the cache; caching.h holds the contract. */
#include "service/exchange/caching.h"

#include <stdlib.h>

#include "lib/container.h"
#include "lib/hash.h"
#include "lib/http_text.h"
#include "schemas/openai/caching.h"
#include "schemas/openai/replay.h"
#include "service/cache/eligible.h"
#include "service/cache/key.h"
#include "service/cache/repeats.h"
#include "service/exchange/caching_give.h"
#include "service/exchange/embedding.h"
#include "service/exchange/exchange_internal.h"
#include "service/exchange/recast.h"

static bool compute_key(struct reading *reading)
{
	struct arena scratch;
	struct buf canonical;
	arena_init(&scratch, 0);
	buf_init(&canonical, reading->body.len * 6 + 64);
	openai_request_write_canonical(reading->request, &scratch, &canonical);
	struct key_parts parts = {.tenant = reading->tenant,
				  .model = reading->model,
				  .request = reading->request,
				  .canonical = buf_span(&canonical)};
	bool computed = !buf_failed(&canonical) && !arena_failed(&scratch) && cache_key_compute(&parts, &reading->key);
	buf_fini(&canonical);
	arena_fini(&scratch);
	return computed;
}

/* What an answer is kept with, but for its key; the model is known. */
static void keep_under(struct exchange *exchange, struct span tenant)
{
	struct cache_keeping *keeping = &exchange->caching.keeping;
	keeping->rule = &exchange->report.model->cache;
	keeping->tags.model = cache_model(exchange->worker->flights.cache->cache, exchange->report.model_index);
	keeping->tags.tenant = hash_bytes(HASH_START, tenant);
}

void caching_read(struct reading *reading)
{
	if (cache_ineligible(reading->request, &reading->model->cache) != NULL)
		return;
	if (reading->endpoint == OPENAI_EMBEDDINGS) {
		reading->embedding = embedding_create(reading->request, reading->model, reading->tenant);
		reading->keyed = reading->embedding != NULL;
	} else {
		reading->keyed = compute_key(reading);
	}
}

void caching_consider(struct exchange *exchange, struct reading *reading)
{
	struct caching *caching = &exchange->caching;
	if (exchange->worker->flights.cache == NULL)
		return;
	keep_under(exchange, reading->tenant);
	caching->on = reading->keyed;
	caching->keeping.key = reading->key;
	if (reading->embedding != NULL)
		embedding_attach(exchange, reading->embedding);
	reading->embedding = NULL;
	if (!caching->on && exchange->report.model->cache.policy != CONFIG_CACHE_OFF)
		exchange->report.cache = METRICS_CACHE_BYPASS;
}

/* ---- misses ---- */

/* Answers of several forms of the same request are told in each other's, unless something would be lost. */
static bool is_convertible(const struct openai_request *request)
{
	const struct json *json = &request->json;
	return json_member(json, 0, "audio") == JSON_NONE && json_member(json, 0, "prompt_logprobs") == JSON_NONE;
}

static enum caching_step follow(struct exchange *exchange)
{
	struct caching *caching = &exchange->caching;
	struct shared_request ask = {.key = caching->keeping.key,
				     .endpoint = exchange->request.endpoint,
				     .body = caching->request->body,
				     .decoded = exchange->decoded,
				     .options = *caching->options,
				     .keeping = caching->keeping,
				     .convertible = is_convertible(&exchange->request),
				     .alone = caching->fetch.silent};
	bool leads = false;
	caching_ask_as_wanted(caching, &ask);
	ask.as_streamed = !ask.convertible && exchange->request.stream;
	if (!ask.convertible)
		ask.key.bytes[CACHE_KEY_SIZE - 1] ^= exchange->request.stream;
	caching->follower = shared_follow(&exchange->worker->flights, &ask, &exchange->subscriber, &leads);
	if (caching->follower == NULL)
		return CACHING_FAILED;
	exchange->report.cache = leads ? METRICS_CACHE_MISS : METRICS_CACHE_COLLAPSED;
	return CACHING_RUNS;
}

/* ---- hits ---- */

/* The same bytes need not be read again when they come again. */
static void note_repeat(const struct exchange *exchange)
{
	const struct caching *caching = &exchange->caching;
	struct repeat repeat = {.endpoint = exchange->request.endpoint,
				.authorization = caching->request->authorization,
				.body = caching->request->body,
				.key = caching->keeping.key,
				.model_index = exchange->report.model_index,
				.stream = exchange->request.stream,
				.include_usage = exchange->request.include_usage};
	repeats_note(exchange->worker->flights.cache->repeats, &repeat);
}

/* Gives what was found, if it may be given. CACHING_PASSED: not. */
static enum caching_step give_found(struct exchange *exchange)
{
	struct caching *caching = &exchange->caching;
	struct cache_hit hit = caching->fetch.hit;
	if (hit.value == NULL)
		return CACHING_PASSED;
	caching->fetch.hit.value = NULL;
	enum caching_use use = caching_use_of(caching, &hit);
	if (use == CACHING_USE_FRESH)
		return caching_give(exchange, &hit, METRICS_CACHE_HIT) ? CACHING_ANSWERED : CACHING_RUNS;
	if (use == CACHING_USE_STALE)
		caching->stale = hit.value;
	else
		cache_hit_drop(&hit);
	return CACHING_PASSED;
}

/* The cache has said what it has. */
static enum caching_step go_on(struct exchange *exchange)
{
	struct caching *caching = &exchange->caching;
	enum caching_step found = give_found(exchange);
	if (found != CACHING_PASSED)
		return found;
	if (caching->directives.only_if_cached) {
		exchange_fail_code(exchange, ERROR_NOT_CACHED);
		return CACHING_ANSWERED;
	}
	return follow(exchange);
}

static void on_fetched(struct cache_fetch *fetch)
{
	struct exchange *exchange = container_of(fetch, struct exchange, caching.fetch);
	if (fetch->hit.value != NULL)
		note_repeat(exchange);
	if (go_on(exchange) == CACHING_FAILED)
		exchange_fail_code(exchange, ERROR_OVERLOADED);
}

/* Looks for the answer of the key. True when the result is there. */
static bool fetch(struct exchange *exchange, void (*on_done)(struct cache_fetch *fetch))
{
	struct caching *caching = &exchange->caching;
	caching->fetched = true;
	caching->fetch = (struct cache_fetch){.key = caching->keeping.key,
					      .tags = caching->keeping.tags,
					      .rule = caching->keeping.rule,
					      .on_done = on_done};
	return cache_fetch_begin(exchange->worker->flights.cache, &caching->fetch);
}

bool caching_keep_request(struct exchange *exchange, const struct exchange_request *request)
{
	struct caching *caching = &exchange->caching;
	caching->request = arena_alloc(flight_arena(exchange->flight), sizeof(*request));
	if (caching->request != NULL)
		*caching->request = *request;
	return caching->request != NULL;
}

enum caching_step caching_start(struct exchange *exchange, const struct exchange_request *request,
				const struct flight_options *options)
{
	struct caching *caching = &exchange->caching;
	caching->options = arena_alloc(flight_arena(exchange->flight), sizeof(*options));
	if (caching->options == NULL || (caching->request == NULL && !caching_keep_request(exchange, request)))
		return CACHING_FAILED;
	*caching->options = *options;
	if (caching->embedding != NULL)
		return embedding_start(exchange);
	if (!caching->on || caching->directives.no_cache || caching->fetched)
		return go_on(exchange);
	if (!fetch(exchange, on_fetched))
		return CACHING_RUNS;
	if (caching->fetch.hit.value != NULL)
		note_repeat(exchange);
	return go_on(exchange);
}

/* ---- requests that came before ---- */

/* The exchange as reading the request would have left it. */
static void take_repeat(struct exchange *exchange, const struct repeat *repeat)
{
	struct caching *caching = &exchange->caching;
	exchange->request.endpoint = repeat->endpoint;
	exchange->request.stream = repeat->stream;
	exchange->request.include_usage = repeat->include_usage;
	exchange->report.model_index = repeat->model_index;
	exchange->report.model = &exchange->worker->flights.plan.config->models[repeat->model_index];
	caching->keeping.key = repeat->key;
	keep_under(exchange, repeat->authorization);
}

/* Back to an exchange whose request was not read. */
static void leave_repeat(struct exchange *exchange)
{
	exchange->request = (struct openai_request){0};
	exchange->report.model = NULL;
	exchange->report.model_index = exchange->worker->flights.plan.config->model_count;
}

/* The shared store has said what it has of a request that came before. */
static void on_recalled(struct cache_fetch *fetch)
{
	struct exchange *exchange = container_of(fetch, struct exchange, caching.fetch);
	if (give_found(exchange) != CACHING_PASSED)
		return;
	leave_repeat(exchange);
	exchange_admit(exchange, exchange->caching.request);
}

enum caching_step caching_recall(struct exchange *exchange, const struct exchange_request *request)
{
	struct caching *caching = &exchange->caching;
	struct cache_worker *cache = exchange->worker->flights.cache;
	const struct repeat *repeat =
	    cache == NULL ? NULL
			  : repeats_find(cache->repeats, request->endpoint, request->authorization, request->body);
	if (repeat == NULL)
		return CACHING_PASSED;
	caching->directives = cache_directives_read(request->cache_control);
	if (caching->directives.no_cache || caching->directives.no_store || !caching_keep_request(exchange, request))
		return CACHING_PASSED;
	take_repeat(exchange, repeat);
	if (!fetch(exchange, on_recalled))
		return CACHING_RUNS;
	enum caching_step found = give_found(exchange);
	if (found == CACHING_PASSED)
		leave_repeat(exchange);
	return found;
}

/* ---- failures ---- */

/* Leaves the flight that it follows, and asks as caching now says. True. */
static bool ask_again(struct exchange *exchange)
{
	struct caching *caching = &exchange->caching;
	if (caching->embedding != NULL)
		return embedding_ask_again(exchange);
	follower_leave(caching->follower);
	caching->follower = NULL;
	if (follow(exchange) == CACHING_FAILED)
		exchange_fail_code(exchange, ERROR_OVERLOADED);
	return true;
}

/*
 * What a backend refuses may be a member that counts for no answer (user, metadata), in the words of whoever leads:
 * others ask in their own. True when the exchange goes on, or is over.
 */
static bool ask_in_own_words(struct exchange *exchange)
{
	struct caching *caching = &exchange->caching;
	if (caching->follower == NULL || !follower_may_differ(caching->follower))
		return false;
	caching->by_bytes = true;
	return ask_again(exchange);
}

/* The client that leads holds all the memory that it may have, which is nothing to others. */
static bool ask_on_own_account(struct exchange *exchange)
{
	struct caching *caching = &exchange->caching;
	if (caching->follower == NULL || caching->on_own || follower_is_charged_to(caching->follower, exchange->party))
		return false;
	caching->on_own = true;
	return ask_again(exchange);
}

bool caching_stand_in(struct exchange *exchange, const struct failure *failure)
{
	struct cache_hit hit;
	if (exchange->recast != NULL)
		return false;
	if (error_row(failure->code)->blame == BLAME_CLIENT)
		return ask_in_own_words(exchange);
	if (failure->code == ERROR_OVERLOADED && ask_on_own_account(exchange))
		return true;
	if (exchange->caching.embedding != NULL)
		return embedding_stand_in(exchange);
	const struct cache_keeping *keeping = &exchange->caching.keeping;
	const struct cache_wanted wanted = {
	    .key = &keeping->key, .rule = keeping->rule, .now_us = exchange_now(exchange)};
	if (exchange->caching.stale == NULL || !cache_hit_of(exchange->caching.stale, &wanted, &hit))
		return false;
	exchange->caching.stale = NULL;
	caching_give(exchange, &hit, METRICS_CACHE_STALE);
	return true;
}

/* ---- events of a flight that may have another form ---- */

static bool convert_begin(struct exchange *exchange)
{
	struct caching *caching = &exchange->caching;
	if (caching->whole != NULL)
		return true;
	caching->whole = malloc(sizeof(*caching->whole));
	if (caching->whole != NULL)
		whole_init(caching->whole, exchange->worker->flights.plan.config->cache.entry + SHARED_MOST,
			   exchange->party);
	return caching->whole != NULL;
}

/* All of it came: it goes out in the form that was asked for. */
static void convert_end(struct exchange *exchange)
{
	struct recast_source source = {.replay = {.endpoint = exchange->request.endpoint,
						  .created = -1,
						  .include_usage = exchange->request.include_usage},
				       .whole = exchange->caching.whole};
	exchange->caching.whole = NULL;
	recast_begin(exchange, &source, NULL);
}

/* Usage goes to those who asked for it, whoever asked the backend. */
static struct event recast_usage(const struct exchange *exchange, const struct event *event)
{
	struct event recast = *event;
	unsigned alone = CARRIES_USAGE | CARRIES_NO_CHOICE;
	if (event->kind == EVENT_CHUNK && (event->carries & alone) == alone && !exchange->request.include_usage)
		recast.kind = EVENT_USAGE;
	if (event->kind == EVENT_USAGE && event->data.at != NULL && exchange->request.include_usage) {
		recast.kind = EVENT_CHUNK;
		recast.carries = alone;
	}
	return recast;
}

void caching_on_event(struct exchange *exchange, const struct event *event)
{
	bool stream = exchange->request.stream;
	if (exchange->report.cache == METRICS_CACHE_MISS && !follower_runs_here(exchange->caching.follower))
		exchange->report.cache = METRICS_CACHE_COLLAPSED;
	if (exchange->caching.embedding != NULL) {
		embedding_on_event(exchange, event);
		return;
	}
	if ((event->kind == EVENT_BODY && stream) ||
	    ((event->kind == EVENT_CHUNK || event->kind == EVENT_USAGE) && !stream)) {
		if (convert_begin(exchange))
			whole_add(exchange->caching.whole, event);
		else
			exchange_fail_code(exchange, ERROR_OVERLOADED);
	} else if (event->kind == EVENT_END && exchange->caching.whole != NULL) {
		convert_end(exchange);
	} else {
		struct event recast = recast_usage(exchange, event);
		exchange->kind->on_event(exchange, &recast);
	}
}

/* ---- the end ---- */

void caching_close(struct exchange *exchange)
{
	struct caching *caching = &exchange->caching;
	cache_fetch_cancel(&caching->fetch);
	embedding_close(exchange);
	if (caching->follower != NULL)
		follower_leave(caching->follower);
	store_value_drop(caching->stale);
	if (caching->whole != NULL)
		whole_fini(caching->whole);
	free(caching->whole);
}
