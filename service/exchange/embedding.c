/* SPDX-License-Identifier: MIT */
/* Looking for the inputs of embeddings, and asking for those that are missing; embedding.h holds the contract. */
#include "service/exchange/embedding.h"

#include "lib/container.h"
#include "lib/step.h"
#include "service/cache/key.h"
#include "service/exchange/embedding_internal.h"

/* ---- asking ---- */

/* Lists the keys of what is missing, and how much of the batch each is; in the arena. Returns their nodes; NULL when
 * out of memory. */
static uint32_t *list_missing(struct embedding *embedding)
{
	struct arena *arena = exchange_arena(embedding->exchange);
	struct shared_batch *batch = &embedding->batch;
	size_t most = embedding->distinct - embedding->fresh;
	batch->count = 0;
	batch->keys = arena_zalloc(arena, most, sizeof(*batch->keys));
	batch->weights = arena_zalloc(arena, most, sizeof(*batch->weights));
	uint32_t *nodes = arena_zalloc(arena, most, sizeof(*nodes));
	for (size_t i = 0; i < embedding->count && !arena_failed(arena); i++) {
		const struct embedding_input *input = &embedding->list[i];
		if (!embedding_is_missing(embedding, i))
			continue;
		nodes[batch->count] = input->node;
		batch->keys[batch->count] = input->fetch.key;
		batch->weights[batch->count++] = embedding->wire->input_weight(&embedding->inputs, input->node);
	}
	return arena_failed(arena) ? NULL : nodes;
}

/* Returns a request for those inputs alone, whose body is not decoded yet; NULL: out of memory. */
static struct request *request_for(const struct embedding *embedding, const uint32_t *nodes, struct span *text)
{
	const struct request *whole = embedding->exchange->request;
	size_t most = whole->json.text.len + 64;
	struct request *request =
	    request_create(whole->dialect, ENDPOINT_EMBEDDINGS, request_arena_most(most), whole->party);
	struct buf body;
	if (request == NULL)
		return NULL;
	request->identity = whole->identity;
	request->network = whole->network;
	request->key = arena_copy(&request->arena, whole->key);
	request->tenant = arena_copy(&request->arena, whole->tenant);
	request->payer_hash = whole->payer_hash;
	buf_init(&body, most);
	buf_charge(&body, whole->party);
	embedding->wire->inputs_write_request(&embedding->inputs, nodes, embedding->batch.count, &body);
	*text = buf_failed(&body) ? (struct span){NULL, 0} : arena_copy(&request->arena, buf_span(&body));
	buf_fini(&body);
	if (text->at != NULL)
		return request;
	request_drop(request);
	return NULL;
}

static void forget_came(struct embedding *embedding)
{
	exchange_set_source(embedding->exchange, NULL);
	if (embedding->merges)
		embedding->wire->vectors_fini(&embedding->came);
	embedding->merges = false;
	request_drop(embedding->part);
	embedding->part = NULL;
}

/* What is fresh does not go together, with itself or with what came: all inputs are asked for, and kept anew. */
static void part_from_kept(struct embedding *embedding)
{
	for (size_t i = 0; i < embedding->count; i++)
		if (embedding->list[i].have == EMBEDDING_FRESH)
			embedding->list[i].have = EMBEDDING_APART;
	embedding->fresh = 0;
	embedding->parted = true;
}

/* ---- looking ---- */

/* What was found of an input, if it may be given. */
static void look_at_input(const struct caching *caching, struct embedding_input *input)
{
	const struct embedding *embedding = input->of;
	struct cache_hit *hit = &input->fetch.hit;
	if (hit->value == NULL)
		return;
	enum caching_use use = caching_use_of(caching, hit);
	if (hit->entry.endpoint == ENDPOINT_EMBEDDINGS && use != CACHING_USE_NOT &&
	    embedding->wire->vector_read_kept(hit->entry.body, &input->vector))
		input->have = use == CACHING_USE_FRESH ? EMBEDDING_FRESH : EMBEDDING_STALE;
	else
		cache_hit_drop(hit);
}

static void count_inputs(const struct exchange *exchange)
{
	const struct embedding *embedding = exchange->caching.embedding;
	struct metrics_cells *metrics = exchange_plan(exchange)->metrics;
	size_t model = exchange->report.model_index;
	size_t missing = embedding->distinct - embedding->fresh - embedding->stale;
	metrics_add(metrics, embedding->fresh, METRIC_CACHE_INPUTS, model, METRICS_INPUT_HIT);
	metrics_add(metrics, embedding->stale, METRIC_CACHE_INPUTS, model, METRICS_INPUT_STALE);
	metrics_add(metrics, missing, METRIC_CACHE_INPUTS, model, METRICS_INPUT_MISS);
	metrics_add(metrics, embedding->count - embedding->distinct, METRIC_CACHE_INPUTS, model,
		    METRICS_INPUT_REPEATED);
}

/* The cache said what it has of all inputs. */
static enum exchange_step inputs_looked_up(struct exchange *exchange)
{
	struct embedding *embedding = exchange->caching.embedding;
	for (size_t i = 0; i < embedding->count; i++) {
		if (embedding->list[i].first != i)
			continue;
		look_at_input(&exchange->caching, &embedding->list[i]);
		embedding->fresh += embedding->list[i].have == EMBEDDING_FRESH;
		embedding->stale += embedding->list[i].have == EMBEDDING_STALE;
	}
	if (!embedding_goes_together(embedding, EMBEDDING_FRESH))
		part_from_kept(embedding);
	count_inputs(exchange);
	exchange->caching.how = CACHE_RESULT_HIT;
	if (embedding->fresh == embedding->distinct)
		return EXCHANGE_HIT_INPUTS;
	return exchange->caching.directives.only_if_cached ? exchange_fails(exchange, ERROR_NOT_CACHED)
							   : EXCHANGE_JOIN_INPUTS;
}

static void on_input_fetched(struct cache_fetch *fetch);

/* In memory only. */
static void look_near(const struct exchange *exchange, struct cache_fetch *fetch)
{
	const struct cache_wanted wanted = {.key = &fetch->key, .rule = fetch->rule, .now_us = exchange_now(exchange)};
	if (!cache_find(exchange->worker->flights.cache->cache, &wanted, &fetch->hit))
		fetch->hit.value = NULL;
}

/* Begins as many searches as there may be at once. True when all have ended. */
static bool search_inputs(struct embedding *embedding)
{
	struct exchange *exchange = embedding->exchange;
	const struct cache_keeping *keeping = &exchange->caching.keeping;
	struct cache_worker *cache = exchange->worker->flights.cache;
	uint64_t budget_us = exchange_config(exchange)->redis.budget_us;
	embedding->near |=
	    exchange_now(exchange) - embedding->started_us > budget_us / 2; /* what is begun may take all */
	while (embedding->begun < embedding->count && embedding->waiting < EMBEDDING_SEARCHES_MOST) {
		struct cache_fetch *fetch = &embedding->list[embedding->begun].fetch;
		bool first = embedding->list[embedding->begun].first == embedding->begun;
		embedding->begun++;
		if (!first)
			continue;
		fetch->tags = keeping->tags;
		fetch->rule = keeping->rule;
		fetch->owner = (struct offload_owner){exchange->request->network, exchange->request->identity};
		fetch->on_done = on_input_fetched;
		if (embedding->near) {
			look_near(exchange, fetch);
			continue;
		}
		if (!cache_fetch_begin(cache, fetch))
			embedding->waiting++;
		else
			embedding->near = fetch->silent;
	}
	return embedding->begun == embedding->count && embedding->waiting == 0;
}

static void go_on_later(struct exchange *exchange)
{
	timer_stop(exchange_timers(exchange), &exchange->caching.embedding->patience);
	exchange_go(exchange, inputs_looked_up(exchange));
}

/* A store that does not answer to one is not asked for the others. */
static void on_input_fetched(struct cache_fetch *fetch)
{
	struct embedding_input *input = container_of(fetch, struct embedding_input, fetch);
	struct embedding *embedding = input->of;
	embedding->waiting--;
	embedding->near |= fetch->silent;
	if (search_inputs(embedding))
		go_on_later(embedding->exchange);
}

/* A request may wait for what replicas share that long, and no longer: what has not come is missing. */
static void on_impatient(struct timer *timer)
{
	struct embedding *embedding = container_of(timer, struct embedding, patience);
	for (size_t i = 0; i < embedding->begun; i++) {
		struct cache_fetch *fetch = &embedding->list[i].fetch;
		if (embedding->list[i].first == i && fetch->hit.value == NULL)
			cache_fetch_cancel(fetch);
	}
	embedding->waiting = 0;
	embedding->near = true;
	search_inputs(embedding);
	go_on_later(embedding->exchange);
}

enum exchange_step embedding_look_up(struct exchange *exchange)
{
	struct embedding *embedding = exchange->caching.embedding;
	uint64_t budget_us = exchange_config(exchange)->redis.budget_us;
	embedding->started_us = exchange_now(exchange);
	if (exchange->caching.directives.no_cache || search_inputs(embedding))
		return inputs_looked_up(exchange);
	/* a little more: Redis itself should be found wanting, so that it is left alone for a while */
	timer_start(exchange_timers(exchange), &embedding->patience, budget_us + budget_us / 4, on_impatient);
	return EXCHANGE_WAIT;
}

/* ---- what comes ---- */

/* The answer cannot be put together: the plan is asked for all of it, and whatever it says goes to the client. */
static enum exchange_step ask_plainly(struct exchange *exchange)
{
	forget_came(exchange->caching.embedding);
	exchange->report.cache = CACHE_RESULT_BYPASS;
	return EXCHANGE_PASS;
}

static enum exchange_step take_vectors(struct exchange *exchange, const struct event *event)
{
	struct embedding *embedding = exchange->caching.embedding;
	bool too_large = event->total > SHARED_BATCH_MOST;
	embedding->target = event->target;
	if (!too_large)
		embedding->wire->vectors_feed(&embedding->came, event->data);
	return too_large || embedding->came.state == EMBEDDING_VECTORS_ST_ODD ? ask_plainly(exchange) : EXCHANGE_WAIT;
}

static enum exchange_step take_vectors_end(struct exchange *exchange)
{
	struct embedding *embedding = exchange->caching.embedding;
	switch (embedding_take(embedding)) {
	case EMBEDDING_CAME_ODD:
		return ask_plainly(exchange);
	case EMBEDDING_CAME_APART:
		part_from_kept(embedding);
		return EXCHANGE_JOIN_INPUTS;
	case EMBEDDING_CAME_WELL:
		break;
	}
	exchange->caching.how = exchange->report.cache;
	return EXCHANGE_HIT_INPUTS;
}

static enum exchange_step on_batch_event(struct exchange *exchange, const struct event *event)
{
	exchange_note_collapse(exchange);
	if (!exchange->caching.embedding->merges)
		return exchange->kind->on_event(exchange, event);
	if (event->kind == EVENT_BODY)
		return take_vectors(exchange, event);
	return event->kind == EVENT_END ? take_vectors_end(exchange) : EXCHANGE_WAIT;
}

/* ---- joining ---- */

/* Why the plan is asked, as Cache-Status says it. */
static struct span forward_of(const struct embedding *embedding)
{
	if (embedding->fresh > 0)
		return SPAN("partial");
	return embedding->stale == embedding->distinct ? SPAN("stale") : SPAN("miss");
}

/* Decodes the part of the request that a flight is led with. */
static bool read_part(const struct exchange *exchange, struct request *part, struct span body)
{
	struct findings findings = {.count = 0};
	struct step_mark before = step_enter("decode");
	bool read = request_decode(part, body, &exchange_config(exchange)->limits.json, &findings);
	step_leave(before);
	return read;
}

static enum exchange_step follow_batch(struct exchange *exchange, const uint32_t *nodes)
{
	static const struct exchange_source batch_flight = {on_batch_event, exchange_pause_follower,
							    exchange_leave_follower, exchange_follower_attempts};
	struct caching *caching = &exchange->caching;
	struct embedding *embedding = caching->embedding;
	struct shared_batch *batch = &embedding->batch;
	struct shared_request ask = {.keeping = caching->keeping, .fresh = embedding->parted};
	struct span body = {NULL, 0};
	if (!cache_key_combine(batch->keys, batch->count, &ask.key))
		return exchange_fails(exchange, ERROR_OVERLOADED);
	ask.keeping.key = ask.key; /* the flight's name among replicas */
	if (batch->count < embedding->count) {
		embedding->part = request_for(embedding, nodes, &body);
		embedding->merges = embedding->part != NULL &&
				    embedding->wire->vectors_init(&embedding->came, batch->count, SHARED_BATCH_MOST);
		if (!embedding->merges)
			return exchange_fails(exchange, ERROR_OVERLOADED);
	}
	char sum[HASH_CHECKSUM_SIZE];
	if (embedding->merges)
		hash_checksum(HASH_START, body, sum);
	ask.asked = embedding->merges ? sum : request_checksum(exchange->request);
	caching->start = (struct shared_start){.request = exchange->request, .batch = batch, .alone = embedding->near};
	enum exchange_step next = exchange_follow(exchange, &ask, &batch_flight);
	if (next == EXCHANGE_LEAD && embedding->merges)
		caching->start.request = read_part(exchange, embedding->part, body) ? embedding->part : NULL;
	return next;
}

enum exchange_step embedding_join(struct exchange *exchange)
{
	struct embedding *embedding = exchange->caching.embedding;
	bool joins_only;
	forget_came(embedding);
	if (limiting_take_to_join(exchange, &joins_only) == LIMITING_WAITS)
		return EXCHANGE_WAIT; /* nothing was prepared yet */
	exchange->caching.forward = forward_of(embedding);
	const uint32_t *nodes = list_missing(embedding);
	enum exchange_step next =
	    nodes == NULL ? exchange_fails(exchange, ERROR_OVERLOADED) : follow_batch(exchange, nodes);
	if (next == EXCHANGE_LEAD && embedding->fresh > 0)
		exchange->report.cache = CACHE_RESULT_PARTIAL;
	return next;
}

bool embedding_stale_suffices(struct exchange *exchange)
{
	const struct embedding *embedding = exchange->caching.embedding;
	bool suffices = !embedding->giving && embedding->fresh + embedding->stale == embedding->distinct &&
			embedding_goes_together(embedding, EMBEDDING_STALE);
	if (suffices)
		exchange->caching.how = CACHE_RESULT_STALE;
	return suffices;
}

void embedding_attach(struct exchange *exchange, struct embedding *embedding)
{
	exchange->caching.embedding = embedding;
	embedding->exchange = exchange;
	embedding->inputs.json = &exchange->request->json;
}

void embedding_close(struct exchange *exchange)
{
	struct embedding *embedding = exchange->caching.embedding;
	if (embedding == NULL)
		return;
	timer_stop(exchange_timers(exchange), &embedding->patience);
	embedding_destroy(embedding);
	exchange->caching.embedding = NULL;
}
