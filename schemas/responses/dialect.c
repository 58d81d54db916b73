/* SPDX-License-Identifier: MIT */
/* The Responses dialect, as the service sees it: clients' requests become chat requests and their answers are told
 * anew; for backends it is the other way round. */
#include "schemas/responses/dialect.h"

#include "schemas/openai/error_read.h"
#include "schemas/openai/error_write.h"
#include "schemas/responses/conversation.h"
#include "schemas/responses/count.h"
#include "schemas/responses/from_chat.h"
#include "schemas/responses/request.h"
#include "schemas/responses/response_read.h"
#include "schemas/responses/stream_write.h"

static void teller_init(void *teller, const struct request *request)
{
	responses_stream_init(teller, request->echo, request->party);
	responses_stream_keep(teller, request->memory);
}

static void teller_fini(void *teller)
{
	responses_stream_fini(teller);
}

static bool teller_add(void *teller, const struct deltas *deltas, const struct usage *usage,
		       const struct answer_identity *identity, struct buf *out)
{
	return responses_stream_add(teller, deltas, usage, identity, out);
}

static bool teller_end(void *teller, struct buf *out)
{
	return responses_stream_end(teller, out);
}

static bool teller_fail(void *teller, const struct error_told *told, struct buf *out)
{
	return responses_stream_fail(teller, told, out);
}

static bool teller_whole(void *teller, const struct deltas *deltas, const struct usage *usage,
			 const struct answer_identity *identity, struct buf *out)
{
	return responses_stream_whole(teller, deltas, usage, identity, out);
}

static const char *endpoint_path(enum endpoint endpoint)
{
	return endpoint == ENDPOINT_CHAT ? "/responses" : NULL;
}

static void stream_begin(void *stream, enum endpoint endpoint)
{
	(void)endpoint;
	responses_reader_begin(stream);
}

static enum stream_step stream_read(void *stream, const struct sse_event *sse, struct arena *scratch,
				    struct answer_reading *reading)
{
	return responses_reader_read(stream, sse, scratch, reading);
}

static bool stream_is_finished(const void *stream, int64_t choices)
{
	(void)choices; /* there is one */
	return ((const struct responses_reader *)stream)->finished;
}

static bool answer_read(enum endpoint endpoint, struct span body, struct arena *scratch, struct answer_reading *reading)
{
	(void)endpoint;
	return responses_response_read(body, scratch, reading);
}

const struct dialect responses_dialect = {
    .name = "responses",
    .endpoint_path = endpoint_path,
    .request_misfit = responses_request_misfit,
    .request_translate = responses_request_translate,
    .splice_growth = responses_splice_growth,
    .stream_size = sizeof(struct responses_reader),
    .stream_begin = stream_begin,
    .stream_read = stream_read,
    .stream_is_finished = stream_is_finished,
    .answer_read = answer_read,
    .error_read = openai_error_read,
    .request_decode = responses_request_decode,
    .error_write = openai_error_write,
    .error_write_object = openai_error_write_object,
    .error_add_details = openai_error_add_details,
    .previous_glance = responses_previous_glance,
    .count_read = responses_count_read,
    .count_write = responses_count_write,
    .tells = true,
    .keeps_errors = true,
    .names_events = true,
    .teller_size = sizeof(struct responses_stream),
    .teller_init = teller_init,
    .teller_fini = teller_fini,
    .teller_add = teller_add,
    .teller_end = teller_end,
    .teller_fail = teller_fail,
    .teller_whole = teller_whole,
};
