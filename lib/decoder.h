/* SPDX-License-Identifier: MIT */
/*
 * Content codings, undone piece by piece: gzip and deflate (RFC 9110, section
 * 8.4.1), br and zstd. What a small input may grow to is bounded, so that a few
 * bytes of a peer cost neither memory nor time.
 */
#ifndef SLUICE_LIB_DECODER_H
#define SLUICE_LIB_DECODER_H

#include "lib/span.h"

struct decoder;

enum decoder_result {
	DECODER_OK,        /* all of the input was taken */
	DECODER_BAD,       /* it is not of that coding */
	DECODER_TOO_LARGE, /* it grows by more than DECODER_FACTOR times, which only bombs do */
	DECODER_NO_MEMORY,
	DECODER_STOPPED, /* take returned false */
};

/* Bytes of output for each of input, beyond the first DECODER_FREE. */
enum { DECODER_FACTOR = 100, DECODER_FREE = 1 << 20 };

/* True when there is a decoder for the value of a Content-Encoding field; "identity" and several codings have none. */
bool decoder_knows(struct span coding);

/* What decoder_knows, for an Accept-Encoding field: "gzip, deflate, br, zstd". */
const char *decoder_codings(void);

/* NULL: unknown coding, or out of memory. */
struct decoder *decoder_create(struct span coding);
/* NULL is harmless. */
void decoder_destroy(struct decoder *decoder);

/*
 * Decodes input and gives each piece of the output to take, which may return false to stop. Pieces live during the
 * call. Further members of a gzip body and further zstd frames are decoded too; other bytes after the end are ignored.
 */
enum decoder_result decoder_feed(struct decoder *decoder, struct span input,
				 bool (*take)(void *context, struct span output), void *context);

/* True when the input so far is complete. */
bool decoder_is_done(const struct decoder *decoder);

#endif
