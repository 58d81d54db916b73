/* SPDX-License-Identifier: MIT */
/* The OpenAI dialect, as the service sees it. */
#include "schemas/openai/dialect.h"

#include "schemas/openai/answer_merge.h"
#include "schemas/openai/answer_read.h"
#include "schemas/openai/answer_write.h"
#include "schemas/openai/cacheable.h"
#include "schemas/openai/chunk_deltas.h"
#include "schemas/openai/chunk_rejoin.h"
#include "schemas/openai/chunk_write.h"
#include "schemas/openai/embedding_cache.h"
#include "schemas/openai/error_read.h"
#include "schemas/openai/error_write.h"
#include "schemas/openai/failure_scan.h"
#include "schemas/openai/models_write.h"
#include "schemas/openai/prefix.h"
#include "schemas/openai/replay.h"
#include "schemas/openai/stream_end.h"
#include "schemas/openai/usage_edit.h"
#include "schemas/openai/vectors.h"
#include "schemas/sse.h"

static void stream_begin(void *stream, enum endpoint endpoint)
{
	*(struct openai_stream *)stream = (struct openai_stream){.endpoint = endpoint};
}

/* An event that is called an error is one, whatever its data is. */
static void read_error_event(struct span data, struct arena *scratch, struct answer_reading *reading)
{
	struct backend_error *error = arena_zalloc(scratch, 1, sizeof(*error));
	*reading = (struct answer_reading){.carries = CARRIES_ERROR, .usage = USAGE_UNKNOWN, .error = error};
	if (error != NULL)
		openai_error_read(data, scratch, error);
}

static enum stream_step stream_read(void *stream, const struct sse_event *sse, struct arena *scratch,
				    struct answer_reading *reading)
{
	if (openai_ends_stream(sse->data))
		return STREAM_END;
	if (sse->data.len == 0)
		return STREAM_NOTHING;
	if (span_is(sse->name, "error"))
		read_error_event(sse->data, scratch, reading);
	else if (!openai_chunk_read(stream, sse->data, scratch, reading))
		return STREAM_BROKEN;
	return STREAM_EVENT;
}

static bool stream_is_finished(const void *stream, int64_t choices)
{
	return openai_stream_finished(stream) >= choices && openai_stream_is_finished(stream);
}

static void watch_begin(void *watch, enum endpoint endpoint)
{
	openai_failure_scan_init(watch, endpoint);
}

static enum watch_step watch_add(void *watch, struct span piece)
{
	return openai_failure_scan_add(watch, piece);
}

static enum watch_step watch_end(const void *watch)
{
	return openai_failure_scan_end(watch);
}

static void usage_event_write(struct buf *out, enum endpoint endpoint, const struct answer_identity *identity,
			      const struct usage *usage)
{
	openai_usage_chunk_write(out, endpoint, identity->id, identity->model, identity->created, usage);
}

static bool decode_request(struct request *request, struct arena *arena, struct span body,
			   const struct json_limits *limits, struct findings *findings)
{
	return openai_request_decode(request, request->endpoint, arena, body, limits, findings);
}

static const struct dialect_embeddings embeddings = {
    .inputs_read = openai_inputs_read,
    .inputs_list = openai_inputs_list,
    .input_weight = openai_input_weight,
    .frame_make = openai_input_frame_make,
    .input_write_canonical = openai_input_write_canonical,
    .inputs_write_request = openai_inputs_write_request,
    .vector_write_kept = openai_vector_write_kept,
    .vector_read_kept = openai_vector_read_kept,
    .vectors_init = openai_vectors_init,
    .vectors_fini = openai_vectors_fini,
    .vectors_feed = openai_vectors_feed,
    .vectors_end = openai_vectors_end,
    .vectors_at = openai_vectors_at,
    .vectors_length = openai_vectors_length,
    .write_head = openai_vectors_write_head,
    .write_item_head = openai_vectors_write_item_head,
    .write_item_tail = openai_vectors_write_item_tail,
    .write_tail = openai_vectors_write_tail,
};

const struct dialect openai_dialect = {
    .name = "openai",
    .endpoint_path = openai_endpoint_path,
    .request_decode = decode_request,
    .request_check_strict = openai_request_check_strict,
    .request_splice = openai_request_splice,
    .splice_growth = openai_splice_growth,
    .takes_prefill = openai_request_takes_prefill,
    .wants_json = openai_request_wants_json,
    .is_repeatable = openai_request_is_repeatable,
    .is_convertible = openai_request_is_convertible,
    .caching = openai_request_caching,
    .is_contained = openai_request_is_contained,
    .write_canonical = openai_request_write_canonical,
    .prefix = openai_request_prefix,
    .stream_end_write = openai_stream_end_write,
    .make_id = openai_make_id,
    .error_write = openai_error_write,
    .error_write_object = openai_error_write_object,
    .error_add_details = openai_error_add_details,
    .model_write = openai_model_write,
    .models_begin = openai_models_begin,
    .answer_is_keepable = openai_answer_is_keepable,
    .replay_marks = openai_replay_marks,
    .replay_whole = openai_replay_whole,
    .replay_stream = openai_replay_stream,
    .embeddings = &embeddings,
    .stream_size = sizeof(struct openai_stream),
    .stream_begin = stream_begin,
    .stream_read = stream_read,
    .stream_is_finished = stream_is_finished,
    .answer_read = openai_answer_read,
    .watch_size = sizeof(struct openai_failure_scan),
    .watch_begin = watch_begin,
    .watch_add = watch_add,
    .watch_end = watch_end,
    .error_read = openai_error_read,
    .deltas_read = openai_deltas_read,
    .identity_read = openai_identity_read,
    .answer_write = openai_answer_write,
    .usage_write = openai_usage_write,
    .event_write = openai_chunk_write,
    .usage_event_write = usage_event_write,
    .event_set_usage = openai_usage_replace,
    .event_hide_usage = openai_usage_hide,
    .event_set_lane = openai_chunk_write_lane,
    .event_rejoin = openai_chunk_rejoin,
    .answer_set_usage = openai_answer_write_usage,
    .answers_merge = openai_answers_merge,
};
