/* SPDX-License-Identifier: MIT */
/* The Anthropic dialect, as the service sees it: requests become chat requests, and answers are told anew. */
#include "schemas/anthropic/dialect.h"

#include "schemas/anthropic/answer_write.h"
#include "schemas/anthropic/error_write.h"
#include "schemas/anthropic/request.h"
#include "schemas/anthropic/stream_write.h"

static void teller_init(void *teller, uint32_t party)
{
	anthropic_stream_init(teller, party);
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

const struct dialect anthropic_dialect = {
    .name = "anthropic",
    .request_decode = anthropic_request_decode,
    .answer_write = anthropic_answer_write,
    .error_write = anthropic_error_write,
    .error_write_object = anthropic_error_write_object,
    .tells = true,
    .names_events = true,
    .teller_size = sizeof(struct anthropic_stream),
    .teller_init = teller_init,
    .teller_fini = teller_fini,
    .teller_add = teller_add,
    .teller_end = teller_end,
};
