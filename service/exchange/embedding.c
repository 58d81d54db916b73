/* SPDX-License-Identifier: MIT */
/* Looking for the inputs of embeddings, and asking for those that are missing; embedding.h holds the contract. */
#include "service/exchange/embedding.h"

#include "lib/container.h"
#include "service/cache/key.h"
#include "service/exchange/embedding_internal.h"

/* ---- asking ---- */

/* The keys of what is missing, and how much of the batch each is; in the arena. False when out of memory. */
static bool list_missing(const struct embedding *embedding, struct shared_batch *batch, uint32_t **nodes)
{
	struct arena *arena = flight_arena(embedding->exchange->flight);
	size_t most = embedding->distinct - embedding->fresh;
	batch->keys = arena_zalloc(arena, most, sizeof(*batch->keys));
	batch->weights = arena_zalloc(arena, most, sizeof(*batch->weights));
	*nodes = arena_zalloc(arena, most, sizeof(**nodes));
	for (size_t i = 0; i < embedding->count && !arena_failed(arena); i++) {
		const struct embedding_input *input = &embedding->list[i];
		if (!embedding_is_missing(embedding, i))
			continue;
		(*nodes)[batch->count] = input->node;
		batch->keys[batch->count] = input->fetch.key;
		batch->weights[batch->count++] = openai_input_weight(&embedding->inputs, input->node);
	}
	return !arena_failed(arena);
}

static bool follow_batch(struct exchange *exchange, const struct shared_batch *batch, const uint32_t *nodes)
{
	struct caching *caching = &exchange->caching;
	struct embedding *embedding = caching->embedding;
	struct shared_request ask = {.endpoint = OPENAI_EMBEDDINGS,
				     .body = exchange->request.json.text,
				     .decoded = exchange->decoded,
				     .options = *caching->options,
				     .keeping = caching->keeping,
				     .batch = batch,
				     .fresh = embedding->parted,
				     .alone = embedding->near};
	struct buf body;
	bool leads = false;
	caching_ask_as_wanted(caching, &ask);
	if (!cache_key_combine(batch->keys, batch->count, &ask.key))
		return false;
	ask.keeping.key = ask.key; /* the flight's name among replicas */
	embedding->merges = batch->count < embedding->count;
	if (embedding->merges && !openai_vectors_init(&embedding->came, batch->count, SHARED_BATCH_MOST))
		return false;
	buf_init(&body, exchange->request.json.text.len + 64);
	if (embedding->merges) {
		openai_inputs_write_request(&embedding->inputs, nodes, batch->count, &body);
		ask.body = buf_span(&body);
		ask.decoded = NULL;
	}
	if (!buf_failed(&body))
		caching->follower = shared_follow(&exchange->worker->flights, &ask, &exchange->subscriber, &leads);
	buf_fini(&body);
	exchange->report.cache = !leads                 ? METRICS_CACHE_COLLAPSED
				 : embedding->fresh > 0 ? METRICS_CACHE_PARTIAL
							: METRICS_CACHE_MISS;
	return caching->follower != NULL;
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

static enum caching_step follow(struct exchange *exchange)
{
	struct shared_batch batch = {NULL, NULL, 0};
	uint32_t *nodes = NULL;
	bool follows =
	    list_missing(exchange->caching.embedding, &batch, &nodes) && follow_batch(exchange, &batch, nodes);
	return follows ? CACHING_RUNS : CACHING_FAILED;
}

/* ---- looking ---- */

/* What was found of an input, if it may be given. */
static void look_at(const struct caching *caching, struct embedding_input *input)
{
	struct cache_hit *hit = &input->fetch.hit;
	if (hit->value == NULL)
		return;
	enum caching_use use = caching_use_of(caching, hit);
	if (hit->entry.endpoint == OPENAI_EMBEDDINGS && use != CACHING_USE_NOT &&
	    openai_vector_read_kept(hit->entry.body, &input->vector))
		input->have = use == CACHING_USE_FRESH ? EMBEDDING_FRESH : EMBEDDING_STALE;
	else
		cache_hit_drop(hit);
}

static void count_inputs(const struct exchange *exchange)
{
	const struct embedding *embedding = exchange->caching.embedding;
	struct metrics_cells *metrics = exchange->worker->flights.plan.metrics;
	size_t model = exchange->report.model_index;
	size_t missing = embedding->distinct - embedding->fresh - embedding->stale;
	metrics_add(metrics, embedding->fresh, METRIC_CACHE_INPUTS, model, METRICS_INPUT_HIT);
	metrics_add(metrics, embedding->stale, METRIC_CACHE_INPUTS, model, METRICS_INPUT_STALE);
	metrics_add(metrics, missing, METRIC_CACHE_INPUTS, model, METRICS_INPUT_MISS);
	metrics_add(metrics, embedding->count - embedding->distinct, METRIC_CACHE_INPUTS, model,
		    METRICS_INPUT_REPEATED);
}

/* The cache has said what it has of all inputs. */
static enum caching_step go_on(struct exchange *exchange)
{
	struct embedding *embedding = exchange->caching.embedding;
	for (size_t i = 0; i < embedding->count; i++) {
		if (embedding->list[i].first != i)
			continue;
		look_at(&exchange->caching, &embedding->list[i]);
		embedding->fresh += embedding->list[i].have == EMBEDDING_FRESH;
		embedding->stale += embedding->list[i].have == EMBEDDING_STALE;
	}
	if (!embedding_goes_together(embedding, EMBEDDING_FRESH))
		part_from_kept(embedding);
	count_inputs(exchange);
	if (embedding->fresh == embedding->distinct)
		return embedding_give(exchange, METRICS_CACHE_HIT) ? CACHING_ANSWERED : CACHING_RUNS;
	if (exchange->caching.directives.only_if_cached) {
		exchange_fail_code(exchange, ERROR_NOT_CACHED);
		return CACHING_ANSWERED;
	}
	return follow(exchange);
}

static void on_fetched(struct cache_fetch *fetch);

/* In memory only. */
static void look_near(const struct exchange *exchange, struct cache_fetch *fetch)
{
	const struct cache_wanted wanted = {.key = &fetch->key, .rule = fetch->rule, .now_us = exchange_now(exchange)};
	if (!cache_find(exchange->worker->flights.cache->cache, &wanted, &fetch->hit))
		fetch->hit.value = NULL;
}

/* Begins as many searches as there may be at once. True when all have ended. */
static bool search(struct embedding *embedding)
{
	struct exchange *exchange = embedding->exchange;
	const struct cache_keeping *keeping = &exchange->caching.keeping;
	struct cache_worker *cache = exchange->worker->flights.cache;
	uint64_t budget_us = exchange->worker->flights.plan.config->redis.budget_us;
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
		fetch->on_done = on_fetched;
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
	timer_stop(&exchange->worker->flights.plan.reactor->timers, &exchange->caching.embedding->patience);
	if (go_on(exchange) == CACHING_FAILED)
		exchange_fail_code(exchange, ERROR_OVERLOADED);
}

/* A store that does not answer to one is not asked for the others. */
static void on_fetched(struct cache_fetch *fetch)
{
	struct embedding_input *input = container_of(fetch, struct embedding_input, fetch);
	struct embedding *embedding = input->of;
	embedding->waiting--;
	embedding->near |= fetch->silent;
	if (search(embedding))
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
	search(embedding);
	go_on_later(embedding->exchange);
}

enum caching_step embedding_start(struct exchange *exchange)
{
	struct embedding *embedding = exchange->caching.embedding;
	uint64_t budget_us = exchange->worker->flights.plan.config->redis.budget_us;
	embedding->started_us = exchange_now(exchange);
	if (exchange->caching.directives.no_cache || search(embedding))
		return go_on(exchange);
	/* a little more: Redis itself should be found wanting, so that it is left alone for a while */
	timer_start(&exchange->worker->flights.plan.reactor->timers, &embedding->patience, budget_us + budget_us / 4,
		    on_impatient);
	return CACHING_RUNS;
}

/* ---- what comes ---- */

static void forget_came(struct exchange *exchange)
{
	struct caching *caching = &exchange->caching;
	follower_leave(caching->follower);
	caching->follower = NULL;
	if (caching->embedding->merges)
		openai_vectors_fini(&caching->embedding->came);
	caching->embedding->merges = false;
}

bool embedding_ask_again(struct exchange *exchange)
{
	forget_came(exchange);
	if (follow(exchange) == CACHING_FAILED)
		exchange_fail_code(exchange, ERROR_OVERLOADED);
	return true;
}

/* The answer was complete, but of another target, model or length than what is kept. */
static void ask_as_a_whole(struct exchange *exchange)
{
	forget_came(exchange);
	part_from_kept(exchange->caching.embedding);
	if (follow(exchange) == CACHING_FAILED)
		exchange_fail_code(exchange, ERROR_OVERLOADED);
}

/* The answer cannot be put together: the plan is asked for all of it, and whatever it says goes to the client. */
static void ask_plainly(struct exchange *exchange)
{
	forget_came(exchange);
	exchange->report.cache = METRICS_CACHE_BYPASS;
	if (!flight_start(exchange->flight, exchange->caching.options, &exchange->subscriber))
		exchange_fail_code(exchange, ERROR_OVERLOADED);
}

void embedding_on_event(struct exchange *exchange, const struct event *event)
{
	struct embedding *embedding = exchange->caching.embedding;
	if (!embedding->merges) {
		exchange->kind->on_event(exchange, event);
	} else if (event->kind == EVENT_BODY) {
		embedding->target = event->target;
		bool too_large = event->total > SHARED_BATCH_MOST;
		if (!too_large)
			openai_vectors_feed(&embedding->came, event->data);
		if (too_large || embedding->came.state == OPENAI_VECTORS_ST_ODD)
			ask_plainly(exchange);
	} else if (event->kind == EVENT_END) {
		enum embedding_came came = embedding_take(embedding);
		if (came == EMBEDDING_CAME_ODD)
			ask_plainly(exchange);
		else if (came == EMBEDDING_CAME_APART)
			ask_as_a_whole(exchange);
		else
			embedding_give(exchange, exchange->report.cache);
	}
}

bool embedding_stand_in(struct exchange *exchange)
{
	struct embedding *embedding = exchange->caching.embedding;
	if (embedding->giving || embedding->fresh + embedding->stale != embedding->distinct ||
	    !embedding_goes_together(embedding, EMBEDDING_STALE))
		return false;
	embedding_give(exchange, METRICS_CACHE_STALE);
	return true;
}

struct span embedding_forward(const struct exchange *exchange)
{
	const struct embedding *embedding = exchange->caching.embedding;
	if (embedding->fresh > 0)
		return SPAN("partial");
	return embedding->stale == embedding->distinct ? SPAN("stale") : SPAN("miss");
}

void embedding_close(struct exchange *exchange)
{
	struct embedding *embedding = exchange->caching.embedding;
	if (embedding == NULL)
		return;
	task_drop(exchange->worker->flights.plan.reactor, &embedding->pump);
	timer_stop(&exchange->worker->flights.plan.reactor->timers, &embedding->patience);
	embedding_destroy(embedding);
	exchange->caching.embedding = NULL;
}
