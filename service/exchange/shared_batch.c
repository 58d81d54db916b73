/* SPDX-License-Identifier: MIT */
/* The answer of a shared flight for embeddings goes into the cache vector by vector; shared_internal.h holds the
 * contract. All of it is the leader's. */
#include <time.h>

#include "service/exchange/embedding_internal.h"
#include "service/exchange/shared_internal.h"

struct batch {
	struct cache_key *keys;
	uint64_t *weights;
	size_t count;
	struct openai_vectors vectors;
	const struct config_plan *target;
	bool joined;
};

bool shared_batch_open(struct shared *shared, const struct shared_batch *inputs)
{
	struct batch *batch = calloc(1, sizeof(*batch));
	if (batch == NULL)
		return false;
	shared->batch = batch;
	batch->count = inputs->count;
	batch->keys = calloc(inputs->count, sizeof(*batch->keys));
	batch->weights = calloc(inputs->count, sizeof(*batch->weights));
	bool reads = openai_vectors_init(&batch->vectors, inputs->count, EMBEDDING_ANSWER_MOST);
	if (batch->keys == NULL || batch->weights == NULL || !reads)
		return false;
	memcpy(batch->keys, inputs->keys, inputs->count * sizeof(*batch->keys));
	memcpy(batch->weights, inputs->weights, inputs->count * sizeof(*batch->weights));
	return true;
}

void shared_batch_close(struct shared *shared)
{
	struct batch *batch = shared->batch;
	if (batch == NULL)
		return;
	free(batch->keys);
	free(batch->weights);
	openai_vectors_fini(&batch->vectors);
	free(batch);
	shared->batch = NULL;
}

void shared_batch_add(struct shared *shared, const struct event *event)
{
	struct batch *batch = shared->batch;
	if (event->kind != EVENT_BODY)
		return;
	if (event->target != NULL)
		batch->target = event->target;
	batch->joined |= event->joined;
	openai_vectors_feed(&batch->vectors, event->data);
}

/* Keeps one vector. */
static enum metrics_kept keep_vector(const struct shared *shared, size_t index, const struct usage *share,
				     struct buf *body)
{
	const struct exchange_worker *worker = shared->worker;
	const struct batch *batch = shared->batch;
	struct cache_keeping keeping = shared->keeping;
	struct openai_vector vector = {batch->vectors.model, openai_vectors_at(&batch->vectors, index)};
	buf_reset(body);
	openai_vector_write_kept(&vector, body);
	if (buf_failed(body))
		return METRICS_KEPT_NO_MEMORY;
	if (buf_len(body) > worker->plan.config->cache.entry)
		return METRICS_KEPT_TOO_LARGE;
	keeping.key = batch->keys[index];
	struct cache_entry entry = {.endpoint = OPENAI_EMBEDDINGS,
				    .created = time(NULL),
				    .usage = *share,
				    .target = batch->target == NULL ? SPAN("") : span_of(batch->target->target),
				    .finish = SPAN(""),
				    .body = buf_span(body)};
	if (!cache_keep(worker->cache, &keeping, &entry))
		return METRICS_KEPT_NO_MEMORY;
	metrics_add(worker->plan.metrics, buf_len(body), METRIC_CACHE_STORED_BYTES, keeping.tags.model);
	return METRICS_KEPT_YES;
}

/* What the request took, shared out. False when out of memory. */
static bool share_out(const struct batch *batch, const struct usage *usage, struct usage *shares)
{
	int64_t *prompt = calloc(batch->count, sizeof(*prompt));
	int64_t *total = calloc(batch->count, sizeof(*total));
	bool done = prompt != NULL && total != NULL;
	if (done) {
		openai_tokens_share_out(usage->prompt_tokens, batch->weights, batch->count, prompt);
		openai_tokens_share_out(usage->total_tokens, batch->weights, batch->count, total);
		for (size_t i = 0; i < batch->count; i++)
			shares[i] = (struct usage){prompt[i], -1, total[i]};
	}
	free(prompt);
	free(total);
	return done;
}

static void keep_all(const struct shared *shared)
{
	const struct batch *batch = shared->batch;
	struct metrics_cells *metrics = shared->worker->plan.metrics;
	struct usage *shares = calloc(batch->count, sizeof(*shares));
	struct buf body;
	buf_init(&body, EMBEDDING_ANSWER_MOST + 4096);
	bool shared_out = shares != NULL && share_out(batch, &batch->vectors.usage, shares);
	for (size_t i = 0; i < batch->count; i++)
		metrics_count(metrics, METRIC_CACHE_KEPT, shared->keeping.tags.model,
			      shared_out ? keep_vector(shared, i, &shares[i], &body) : METRICS_KEPT_NO_MEMORY);
	buf_fini(&body);
	free(shares);
}

void shared_batch_keep(struct shared *shared)
{
	struct batch *batch = shared->batch;
	enum metrics_kept kept = METRICS_KEPT_YES;
	if (batch->joined || !plan_is_first_choice(shared->plan, batch->target))
		kept = METRICS_KEPT_STAND_IN;
	else if (!openai_vectors_end(&batch->vectors))
		kept = batch->vectors.too_large ? METRICS_KEPT_TOO_LARGE : METRICS_KEPT_FORM;
	if (kept == METRICS_KEPT_YES)
		keep_all(shared);
	else
		metrics_add(shared->worker->plan.metrics, batch->count, METRIC_CACHE_KEPT, shared->keeping.tags.model,
			    kept);
}
