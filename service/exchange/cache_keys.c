/* SPDX-License-Identifier: MIT */
/*
 * The keys of a request in the cache: of the whole, or of embeddings input by input. They may be made by a helper
 * thread: nothing here knows the exchange. reading.h and embedding.h hold the contracts.
 */
#include <stdlib.h>

#include "schemas/dialect.h"
#include "service/cache/eligible.h"
#include "service/cache/key.h"
#include "service/exchange/embedding_internal.h"
#include "service/exchange/reading.h"

/* ---- embeddings ---- */

static bool input_key(struct embedding *embedding, struct embedding_input *input, struct key_parts *parts,
		      const struct embedding_frame *frame, struct arena *scratch)
{
	struct buf *canonical = &embedding->piece;
	buf_reset(canonical);
	arena_reset(scratch);
	embedding->wire->input_write_canonical(frame, &embedding->inputs, input->node, scratch, canonical);
	parts->canonical = buf_span(canonical);
	return !buf_failed(canonical) && !arena_failed(scratch) && cache_key_compute(parts, &input->fetch.key);
}

static bool input_keys(struct embedding *embedding, const struct request *request, const struct config_model *model,
		       struct span tenant)
{
	struct arena arena, scratch;
	struct embedding_frame frame;
	struct key_parts parts = {.tenant = tenant, .model = model, .request = request};
	arena_init(&arena, 0);
	arena_charge(&arena, request->party);
	arena_init(&scratch, 0);
	arena_charge(&scratch, request->party);
	bool computed = embedding->wire->frame_make(request, &arena, &frame);
	for (size_t i = 0; i < embedding->count && computed; i++)
		computed = input_key(embedding, &embedding->list[i], &parts, &frame, &scratch);
	arena_fini(&scratch);
	arena_fini(&arena);
	return computed;
}

/* Finds inputs that are the same, by their keys in a table of twice as many places. */
static bool find_repeated(struct embedding *embedding)
{
	size_t size = 1;
	while (size < embedding->count * 2)
		size *= 2;
	uint32_t *places = calloc(size, sizeof(*places)); /* number + 1 */
	if (places == NULL)
		return false;
	for (size_t i = 0; i < embedding->count; i++) {
		struct embedding_input *input = &embedding->list[i];
		size_t at = cache_key_hash(&input->fetch.key) & (size - 1);
		while (places[at] != 0 &&
		       !cache_key_equal(&embedding->list[places[at] - 1].fetch.key, &input->fetch.key))
			at = (at + 1) & (size - 1);
		if (places[at] == 0) {
			places[at] = (uint32_t)i + 1;
			embedding->distinct++;
		}
		input->first = places[at] - 1;
	}
	free(places);
	return true;
}

static bool list_inputs(struct embedding *embedding)
{
	uint32_t *nodes = calloc(embedding->count, sizeof(*nodes));
	embedding->list = calloc(embedding->count, sizeof(*embedding->list));
	if (nodes != NULL && embedding->list != NULL) {
		embedding->wire->inputs_list(&embedding->inputs, nodes);
		for (size_t i = 0; i < embedding->count; i++) {
			embedding->list[i].of = embedding;
			embedding->list[i].node = nodes[i];
		}
	}
	free(nodes);
	return nodes != NULL && embedding->list != NULL;
}

struct embedding *embedding_create(const struct request *request, const struct config_model *model, struct span tenant)
{
	struct embedding *embedding = calloc(1, sizeof(*embedding));
	if (embedding == NULL)
		return NULL;
	embedding->wire = request->dialect->embeddings;
	buf_init(&embedding->piece, request->json.text.len * 6 + 1024);
	buf_charge(&embedding->piece, request->party);
	buf_init(&embedding->tail, 65536);
	if (embedding->wire->inputs_read(request, &embedding->inputs)) {
		embedding->count = embedding->inputs.count;
		if (list_inputs(embedding) && input_keys(embedding, request, model, tenant) && find_repeated(embedding))
			return embedding;
	}
	embedding_destroy(embedding);
	return NULL;
}

void embedding_destroy(struct embedding *embedding)
{
	for (size_t i = 0; i < embedding->count && embedding->list != NULL; i++) {
		cache_fetch_cancel(&embedding->list[i].fetch);
		if (embedding->list[i].fetch.hit.value != NULL)
			cache_hit_drop(&embedding->list[i].fetch.hit);
	}
	free(embedding->list);
	request_drop(embedding->part);
	if (embedding->merges)
		embedding->wire->vectors_fini(&embedding->came);
	buf_fini(&embedding->piece);
	buf_fini(&embedding->tail);
	free(embedding);
}

/* ---- the whole ---- */

static bool whole_key(struct reading *reading)
{
	struct arena scratch;
	struct buf canonical;
	arena_init(&scratch, 0);
	arena_charge(&scratch, reading->request->party);
	buf_init(&canonical, reading->body.len * 6 + 64);
	buf_charge(&canonical, reading->request->party);
	reading->request->dialect->write_canonical(reading->request, &scratch, &canonical);
	struct key_parts parts = {.tenant = reading->tenant,
				  .model = reading->model,
				  .request = reading->request,
				  .canonical = buf_span(&canonical)};
	bool computed = !buf_failed(&canonical) && !arena_failed(&scratch) && cache_key_compute(&parts, &reading->key);
	buf_fini(&canonical);
	arena_fini(&scratch);
	return computed;
}

void reading_find_keys(struct reading *reading)
{
	const struct request *request = reading->request;
	if (cache_ineligible(request, &reading->model->cache) != NULL)
		return;
	if (request->endpoint == ENDPOINT_EMBEDDINGS) {
		reading->embedding = embedding_create(request, reading->model, reading->tenant);
		reading->keyed = reading->embedding != NULL;
	} else {
		reading->keyed = whole_key(reading);
	}
}
