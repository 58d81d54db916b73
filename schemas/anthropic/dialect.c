/* SPDX-License-Identifier: MIT */
/* The Anthropic dialect, as the service sees it: clients' requests become chat requests and their answers are told
 * anew; for backends it is the other way round. */
#include "schemas/anthropic/dialect.h"

#include "schemas/anthropic/answer_write.h"
#include "schemas/anthropic/count.h"
#include "schemas/anthropic/error_write.h"
#include "schemas/anthropic/message_read.h"
#include "schemas/anthropic/models_write.h"
#include "schemas/anthropic/request.h"
#include "schemas/anthropic/request_translate.h"
#include "schemas/anthropic/stream_write.h"

static void teller_init(void *teller, const struct request *request)
{
	anthropic_stream_init(teller, request->party);
}

static void teller_fini(void *teller)
{
	anthropic_stream_fini(teller);
}

static bool teller_add(void *teller, const struct deltas *deltas, const struct usage *usage,
		       const struct answer_identity *identity, struct buf *out)
{
	return anthropic_stream_add(teller, deltas, usage, identity, out);
}

static bool teller_end(void *teller, struct buf *out)
{
	return anthropic_stream_end(teller, out);
}

static const char *endpoint_path(enum endpoint endpoint)
{
	return endpoint == ENDPOINT_CHAT ? "/messages" : NULL;
}

static void stream_begin(void *stream, enum endpoint endpoint)
{
	(void)endpoint;
	anthropic_reader_begin(stream);
}

static enum stream_step stream_read(void *stream, const struct sse_event *sse, struct arena *scratch,
				    struct answer_reading *reading)
{
	return anthropic_reader_read(stream, sse, scratch, reading);
}

static bool stream_is_finished(const void *stream, int64_t choices)
{
	(void)choices; /* there is one */
	return anthropic_reader_is_finished(stream);
}

static bool answer_read(enum endpoint endpoint, struct span body, struct arena *scratch, struct answer_reading *reading)
{
	(void)endpoint;
	return anthropic_message_read(body, scratch, reading);
}

static bool teller_fail(void *teller, const struct error_told *told, struct buf *out)
{
	(void)teller;
	buf_append(out, SPAN("event: error\ndata: "));
	anthropic_error_write(out, told);
	return buf_append(out, SPAN("\n\n"));
}

const struct dialect anthropic_dialect = {
    .name = "anthropic",
    .endpoint_path = endpoint_path,
    .key_line = "x-api-key: ",
    .head_lines = "anthropic-version: 2023-06-01\r\n",
    .options_field = SPAN_INIT("anthropic-beta"),
    .request_misfit = anthropic_request_misfit,
    .request_translate = anthropic_request_translate,
    .splice_growth = anthropic_splice_growth,
    .stream_size = sizeof(struct anthropic_reader),
    .stream_begin = stream_begin,
    .stream_read = stream_read,
    .stream_is_finished = stream_is_finished,
    .answer_read = answer_read,
    .error_read = anthropic_error_read,
    .field = "anthropic-version",
    .request_decode = anthropic_request_decode,
    .answer_write = anthropic_answer_write,
    .error_write = anthropic_error_write,
    .error_write_object = anthropic_error_write_object,
    .count_read = anthropic_count_read,
    .count_write = anthropic_count_write,
    .model_write = anthropic_model_write,
    .models_begin = anthropic_models_begin,
    .tells = true,
    .names_events = true,
    .teller_size = sizeof(struct anthropic_stream),
    .teller_init = teller_init,
    .teller_fini = teller_fini,
    .teller_add = teller_add,
    .teller_end = teller_end,
    .teller_fail = teller_fail,
};
