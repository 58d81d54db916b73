/* SPDX-License-Identifier: MIT */
/*
 * The answer to a request for embeddings, put together of vectors that were kept and of vectors that came just now.
 * It goes out as fast as the client reads: what was kept is held, not copied.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "lib/container.h"
#include "lib/hash.h"
#include "service/exchange/embedding_internal.h"

/* ---- what may stand in one answer ---- */

/* Who made a vector. */
struct maker {
	struct span target, model;
	uint64_t length;
};

static bool is_same_maker(const struct maker *a, const struct maker *b)
{
	return a->length == b->length && span_equal(a->target, b->target) && span_equal(a->model, b->model);
}

static struct maker maker_of_kept(const struct embedding_input *input)
{
	return (struct maker){input->fetch.hit.entry.target, input->vector.model, input->fetch.hit.entry.length};
}

/* The first input from index on whose vector is kept, and at least that good; NULL when there is none. */
static const struct embedding_input *next_kept(const struct embedding *embedding, enum embedding_have least,
					       size_t index)
{
	for (; index < embedding->count; index++) {
		enum embedding_have have = embedding->list[index].have;
		if (have >= least && have <= EMBEDDING_FRESH)
			return &embedding->list[index];
	}
	return NULL;
}

bool embedding_goes_together(const struct embedding *embedding, enum embedding_have least)
{
	const struct embedding_input *first = next_kept(embedding, least, 0), *next = first;
	while (next != NULL) {
		struct maker a = maker_of_kept(first), b = maker_of_kept(next);
		if (!is_same_maker(&a, &b))
			return false;
		next = next_kept(embedding, least, (size_t)(next - embedding->list) + 1);
	}
	return true;
}

/* Whether what came goes together with the fresh vectors. Where there is none, the answer is the backend's own. */
static bool came_together(const struct embedding *embedding)
{
	const struct config_plan *target = embedding->target;
	const struct embedding_input *kept = next_kept(embedding, EMBEDDING_FRESH, 0);
	for (size_t i = 0; i < embedding->came.count && kept != NULL; i++) {
		struct maker a = maker_of_kept(kept);
		struct maker b = {span_of(target == NULL ? NULL : target->target), embedding->came.model,
				  embedding->wire->vectors_length(&embedding->came, i)};
		if (!is_same_maker(&a, &b))
			return false;
	}
	return true;
}

/* ---- what came ---- */

enum embedding_came embedding_take(struct embedding *embedding)
{
	struct embedding_vectors *came = &embedding->came;
	size_t asked = 0;
	if (!embedding->wire->vectors_end(came))
		return EMBEDDING_CAME_ODD;
	if (!came_together(embedding))
		return EMBEDDING_CAME_APART;
	for (size_t i = 0; i < embedding->count; i++) {
		if (!embedding_is_missing(embedding, i))
			continue;
		embedding->list[i].vector = (struct embedding_vector){
		    .model = came->model, .members = embedding->wire->vectors_at(came, asked++)};
		embedding->list[i].have = EMBEDDING_CAME;
	}
	embedding->model = came->model;
	embedding->exchange->report.usage = came->usage;
	return EMBEDDING_CAME_WELL;
}

/* ---- what the head says ---- */

/* The ages of what was kept: the oldest, and the least time that is left. */
static void tell_age(struct exchange *exchange)
{
	struct caching *caching = &exchange->caching;
	const struct embedding *embedding = caching->embedding;
	uint64_t oldest_us = 0;
	int64_t least_us = INT64_MAX;
	for (size_t i = 0; i < embedding->count; i++) {
		const struct cache_fetch *fetch = &embedding->list[i].fetch;
		const struct cache_wanted wanted = {
		    .key = &fetch->key, .rule = fetch->rule, .now_us = exchange_now(exchange)};
		struct cache_hit now;
		if (fetch->hit.value == NULL || embedding->list[i].have == EMBEDDING_CAME)
			continue;
		cache_hit_of(fetch->hit.value, &wanted, &now);
		oldest_us = now.age_us > oldest_us ? now.age_us : oldest_us;
		least_us = now.ttl_us < least_us ? now.ttl_us : least_us;
	}
	caching->age_s = (int64_t)(oldest_us / CACHING_SECOND_US);
	caching->ttl_s = least_us / CACHING_SECOND_US;
}

/* The tag of an answer of kept vectors only: of which ones, in which order, and what each says. */
static void tell_etag(struct exchange *exchange)
{
	const struct embedding *embedding = exchange->caching.embedding;
	uint64_t keys = HASH_START, digests = 0;
	for (size_t i = 0; i < embedding->count; i++) {
		const struct embedding_input *first = &embedding->list[embedding->list[i].first];
		keys = hash_mix(keys, cache_key_hash(&first->fetch.key));
		digests = hash_mix(digests, first->fetch.hit.entry.digest);
	}
	exchange->caching.tag = (struct caching_tag){.keys = keys, .digests = digests, .form = 'w'};
}

/* Each vector that was kept counts its share of what its own request took. Unknown when any of them is. */
static struct usage sum_usage(const struct embedding *embedding)
{
	struct usage sum = embedding->merges ? embedding->came.usage : USAGE_UNKNOWN;
	bool known = true, came = false;
	for (size_t i = 0; i < embedding->count; i++) {
		const struct embedding_input *input = &embedding->list[i];
		if (input->first != i)
			continue;
		came |= input->have == EMBEDDING_CAME;
		if (input->have == EMBEDDING_CAME)
			continue;
		known &= input->fetch.hit.entry.usage.prompt_tokens >= 0;
		usage_add(&sum, &input->fetch.hit.entry.usage);
	}
	return known && (!came || embedding->came.usage.prompt_tokens >= 0) ? sum : USAGE_UNKNOWN;
}

static void write_tail(struct embedding *embedding)
{
	struct usage usage = sum_usage(embedding);
	if (embedding->model.at == NULL)
		embedding->model = embedding->list[0].vector.model;
	embedding->wire->write_tail(embedding->model, &usage, &embedding->tail);
}

/* ---- the body ---- */

/* What stands before the vector of the input, and behind it; both go into the piece. */
static void write_frame(struct embedding *embedding, size_t index)
{
	buf_reset(&embedding->piece);
	if (index == 0)
		embedding->wire->write_head(&embedding->piece);
	embedding->wire->write_item_head(index, &embedding->piece);
}

static struct span members_of(const struct embedding *embedding, size_t index)
{
	return embedding->list[embedding->list[index].first].vector.members;
}

static int64_t measure(struct embedding *embedding)
{
	size_t sum = buf_len(&embedding->tail);
	for (size_t i = 0; i < embedding->count; i++) {
		write_frame(embedding, i);
		sum += buf_len(&embedding->piece) + members_of(embedding, i).len;
		buf_reset(&embedding->piece);
		embedding->wire->write_item_tail(&embedding->piece);
		sum += buf_len(&embedding->piece);
	}
	return (int64_t)sum;
}

static bool send_item(struct exchange *exchange, size_t index)
{
	struct embedding *embedding = exchange->caching.embedding;
	write_frame(embedding, index);
	if (buf_failed(&embedding->piece) || !exchange_send(exchange, buf_span(&embedding->piece)) ||
	    !exchange_send(exchange, members_of(embedding, index)))
		return false;
	buf_reset(&embedding->piece);
	embedding->wire->write_item_tail(&embedding->piece);
	return exchange_send(exchange, buf_span(&embedding->piece));
}

/* Sends until the client has enough for now. */
static enum exchange_step send_more(struct exchange *exchange)
{
	struct embedding *embedding = exchange->caching.embedding;
	bool sent = true;
	while (embedding->next < embedding->count && !exchange->paused && sent)
		sent = send_item(exchange, embedding->next++);
	if (sent && embedding->next < embedding->count)
		return EXCHANGE_WAIT;
	return sent && exchange_send(exchange, buf_span(&embedding->tail)) ? exchange_completes(exchange)
									   : exchange_fails(exchange, ERROR_OVERLOADED);
}

static void on_pump(struct task *task)
{
	struct exchange *exchange = container_of(task, struct embedding, pump)->exchange;
	exchange_go(exchange, send_more(exchange));
}

/* The client took what it was given: more goes out, in a task. */
static void pause_giving(struct exchange *exchange, bool paused)
{
	struct embedding *embedding = exchange->caching.embedding;
	embedding->pump.run = on_pump;
	if (!paused)
		task_queue(exchange_plan(exchange)->reactor, &embedding->pump);
}

static void leave_giving(struct exchange *exchange)
{
	task_drop(exchange_plan(exchange)->reactor, &exchange->caching.embedding->pump);
}

/* Bytes of the vectors that were kept, each as often as it is given. */
static void count_given(const struct exchange *exchange)
{
	const struct embedding *embedding = exchange->caching.embedding;
	size_t bytes = 0;
	for (size_t i = 0; i < embedding->count; i++) {
		const struct embedding_input *first = &embedding->list[embedding->list[i].first];
		bytes += first->have == EMBEDDING_CAME ? 0 : first->vector.members.len;
	}
	metrics_add(exchange_plan(exchange)->metrics, bytes, METRIC_CACHE_GIVEN_BYTES, exchange->report.model_index);
}

enum exchange_step embedding_hit(struct exchange *exchange)
{
	static const struct exchange_source giving = {.pause = pause_giving, .leave = leave_giving};
	struct embedding *embedding = exchange->caching.embedding;
	struct event event = {.kind = EVENT_BODY, .usage = USAGE_UNKNOWN};
	enum cache_result how = exchange->caching.how;
	bool kept = how == CACHE_RESULT_HIT || how == CACHE_RESULT_STALE;
	embedding->giving = true; /* once: what is stale stands in for no failure of this step */
	enum limiting_verdict verdict = limiting_take(exchange, false);
	if (verdict != LIMITING_TAKEN)
		return limiting_stops(exchange, verdict);
	exchange_set_source(exchange, &giving);
	exchange->report.cache = how;
	tell_age(exchange);
	if (kept)
		tell_etag(exchange);
	count_given(exchange);
	if (kept && caching_is_unchanged(&exchange->caching, exchange->asked.if_none_match))
		return exchange_send_unchanged(exchange);
	write_tail(embedding);
	if (buf_failed(&embedding->tail))
		return exchange_fails(exchange, ERROR_OVERLOADED);
	exchange_note(exchange, &event, true);
	exchange_head(exchange, EXCHANGE_ST_BODY, kept ? NULL : embedding->target, measure(embedding));
	return send_more(exchange);
}
