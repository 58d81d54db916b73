/* SPDX-License-Identifier: MIT */
/* The Responses dialect, as the service sees it: requests become chat requests, and answers are told anew. */
#include "schemas/responses/dialect.h"

#include "schemas/openai/error_write.h"
#include "schemas/responses/request.h"
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

const struct dialect responses_dialect = {
    .name = "responses",
    .request_decode = responses_request_decode,
    .error_write = openai_error_write,
    .error_write_object = openai_error_write_object,
    .error_add_details = openai_error_add_details,
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
