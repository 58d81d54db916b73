/* SPDX-License-Identifier: MIT */
/* The answer of a shared flight for embeddings goes into the cache vector by vector; shared_internal.h holds the
 * contract. All of it is the leader's. */
#include <time.h>

#include "lib/container.h"
#include "schemas/dialect.h"
#include "service/flights/shared_internal.h"

enum { BATCH_SLICE = 256 << 10, BATCH_PAUSE_US = 2000 };

struct batch {
	struct shared *shared;
	const struct dialect_embeddings *wire;
	struct cache_key *keys;
	uint64_t *weights;
	size_t count;
	struct embedding_vectors vectors;
	const struct config_plan *target;
	bool joined;
	bool too_large;
	/* behind the end */
	struct usage *shares;
	size_t kept;               /* vectors that were dealt with */
	struct timer pause;        /* between slices */
	bool dealt;                /* the answer was kept, or is being kept */
	struct flight_record *end; /* of one that renews: told once all of it is kept */
};

bool shared_batch_open(struct shared *shared, const struct shared_batch *inputs)
{
	struct batch *batch = calloc(1, sizeof(*batch));
	if (batch == NULL)
		return false;
	batch->shared = shared;
	batch->wire = shared->request->dialect->embeddings;
	batch->count = inputs->count;
	batch->keys = calloc(inputs->count, sizeof(*batch->keys));
	batch->weights = calloc(inputs->count, sizeof(*batch->weights));
	bool reads = batch->wire->vectors_init(&batch->vectors, inputs->count, SHARED_BATCH_MOST);
	bool opened = batch->keys != NULL && batch->weights != NULL && reads;
	if (opened) {
		memcpy(batch->keys, inputs->keys, inputs->count * sizeof(*batch->keys));
		memcpy(batch->weights, inputs->weights, inputs->count * sizeof(*batch->weights));
	}
	pthread_mutex_lock(&shared->lock); /* others may look at its keys from here on */
	shared->batch = batch;
	pthread_mutex_unlock(&shared->lock);
	return opened;
}

const struct cache_key *shared_batch_keys(const struct shared *shared, size_t *count)
{
	*count = shared->batch == NULL ? 0 : shared->batch->count;
	return shared->batch == NULL ? NULL : shared->batch->keys;
}

bool shared_batch_is_purged(struct shared *shared)
{
	struct purge_log *log = store_purges(shared->cache->store);
	bool purged = false;
	pthread_mutex_lock(&shared->lock);
	const struct batch *batch = shared->batch;
	pthread_mutex_unlock(&shared->lock);
	for (size_t i = 0; batch != NULL && batch->keys != NULL && i < batch->count && !purged; i++) {
		const struct purge_subject subject = {
		    .key = &batch->keys[i], .tags = &shared->keeping.tags, .taken = !shared_is_own(shared)};
		purged = purge_log_forbids_keeping(log, shared->keeping.began.turn, &subject);
	}
	return purged;
}

void shared_batch_close(struct shared *shared)
{
	struct batch *batch = shared->batch;
	if (batch == NULL)
		return;
	free(batch->keys);
	free(batch->weights);
	free(batch->shares);
	batch->wire->vectors_fini(&batch->vectors);
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
	batch->too_large |= event->total > SHARED_BATCH_MOST;
	if (!batch->too_large)
		batch->wire->vectors_feed(&batch->vectors, event->data);
}

static struct cache_keeping keeping_of(const struct batch *batch, size_t index)
{
	struct cache_keeping keeping = batch->shared->keeping;
	keeping.key = batch->keys[index];
	return keeping;
}

/* Keeps one vector. */
static enum keep_result keep_vector(const struct shared *shared, const struct cache_keeping *keeping, size_t index,
				    struct buf *body)
{
	const struct flight_worker *worker = shared->worker;
	const struct batch *batch = shared->batch;
	const struct usage *share = &batch->shares[index];
	struct embedding_vector vector = {.model = batch->vectors.model,
					  .members = batch->wire->vectors_at(&batch->vectors, index)};
	buf_reset(body);
	batch->wire->vector_write_kept(&vector, share, body);
	if (buf_failed(body))
		return KEEP_RESULT_NO_MEMORY;
	if (buf_len(body) > worker->plan.config->cache.entry)
		return KEEP_RESULT_TOO_LARGE;
	struct cache_entry entry = {.endpoint = ENDPOINT_EMBEDDINGS,
				    .created = time(NULL),
				    .usage = *share,
				    .length = batch->wire->vectors_length(&batch->vectors, index),
				    .target = batch->target == NULL ? SPAN("") : span_of(batch->target->target),
				    .finish = SPAN(""),
				    .body = buf_span(body)};
	enum keep_result kept = shared_keep_entry(shared, keeping, &entry);
	if (kept == KEEP_RESULT_YES)
		metrics_add(worker->plan.metrics, buf_len(body), METRIC_CACHE_STORED_BYTES,
			    shared->options.model_index);
	return kept;
}

/* What the request took, shared out. False when out of memory. */
static bool share_out(const struct batch *batch, const struct usage *usage, struct usage *shares)
{
	int64_t *prompt = calloc(batch->count, sizeof(*prompt));
	int64_t *total = calloc(batch->count, sizeof(*total));
	bool done = prompt != NULL && total != NULL;
	if (done) {
		usage_share_out(usage->prompt_tokens, batch->weights, batch->count, prompt);
		usage_share_out(usage->total_tokens, batch->weights, batch->count, total);
		for (size_t i = 0; i < batch->count; i++)
			shares[i] = (struct usage){
			    .prompt_tokens = prompt[i], .completion_tokens = -1, .total_tokens = total[i]};
	}
	free(prompt);
	free(total);
	return done;
}

static void on_pause(struct timer *timer);

/*
 * Keeps the next vectors. What replicas share gets them a slice at a time: all of a large answer at once would take
 * the loop's time and Redis's from everybody else. True when that were all.
 */
static bool keep_slice(struct batch *batch)
{
	const struct shared *shared = batch->shared;
	const struct flight_worker *worker = shared->worker;
	size_t bytes = 0;
	struct buf body;
	buf_init(&body, SHARED_BATCH_MOST + 4096);
	while (batch->kept < batch->count && (bytes < BATCH_SLICE || worker->cache->remote == NULL)) {
		size_t index = batch->kept++;
		struct cache_keeping keeping = keeping_of(batch, index);
		enum keep_result kept = keep_vector(shared, &keeping, index, &body);
		shared_renew(shared, &keeping, kept);
		shared_count_kept(shared, kept, 1);
		bytes += buf_len(&body);
	}
	buf_fini(&body);
	return batch->kept == batch->count;
}

static void pause_for_more(struct batch *batch)
{
	timer_start(&batch->shared->worker->plan.reactor->timers, &batch->pause, BATCH_PAUSE_US, on_pause);
}

static void on_pause(struct timer *timer)
{
	struct batch *batch = container_of(timer, struct batch, pause);
	if (!keep_slice(batch)) {
		pause_for_more(batch);
		return;
	}
	struct shared *shared = batch->shared;
	struct flight_record *end = batch->end;
	batch->end = NULL;
	shared->worker->in_flight--;
	if (end != NULL)
		shared_on_kept(shared, end, false);
	shared_release(shared);
}

/* Nothing of the answer is kept. */
static void keep_none(struct batch *batch, enum keep_result why)
{
	const struct shared *shared = batch->shared;
	for (size_t i = 0; i < batch->count; i++) {
		struct cache_keeping keeping = keeping_of(batch, i);
		shared_renew(shared, &keeping, why);
	}
	shared_count_kept(shared, why, batch->count);
}

static void keep_all(struct batch *batch)
{
	struct shared *shared = batch->shared;
	batch->shares = calloc(batch->count, sizeof(*batch->shares));
	if (batch->shares == NULL || !share_out(batch, &batch->vectors.usage, batch->shares)) {
		keep_none(batch, KEEP_RESULT_NO_MEMORY);
	} else if (!keep_slice(batch)) {
		shared_hold(shared); /* until the last slice */
		shared->worker->in_flight++;
		pause_for_more(batch);
	}
}

void shared_batch_keep(struct shared *shared)
{
	struct batch *batch = shared->batch;
	enum keep_result kept = KEEP_RESULT_YES;
	if (batch->dealt)
		return;
	batch->dealt = true;
	if (batch->joined || !plan_is_first_choice(shared->plan, batch->target))
		kept = KEEP_RESULT_STAND_IN;
	else if (!batch->wire->vectors_end(&batch->vectors))
		kept = batch->too_large || batch->vectors.too_large ? KEEP_RESULT_TOO_LARGE : KEEP_RESULT_FORM;
	if (kept == KEEP_RESULT_YES)
		keep_all(batch);
	else
		keep_none(batch, kept);
}

bool shared_batch_keep_apart(struct shared *shared, struct flight_record *end)
{
	struct batch *batch = shared->batch;
	if (!shared->keeping.renews)
		return false;
	shared_batch_keep(shared);
	if (!timer_is_running(&batch->pause))
		return false;
	batch->end = end;
	return true;
}
