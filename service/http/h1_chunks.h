/* SPDX-License-Identifier: MIT */
/* Inside of service/http: the chunked coding of request bodies, decoded strictly (RFC 9112 section 7.1). */
#ifndef SLUICE_SERVICE_HTTP_H1_CHUNKS_H
#define SLUICE_SERVICE_HTTP_H1_CHUNKS_H

#include <stdint.h>

#include "lib/buf.h"
#include "lib/errors.h"

enum h1_chunks_state {
	H1_CHUNKS_ST_SIZE,
	H1_CHUNKS_ST_DATA,
	H1_CHUNKS_ST_DATA_END,
	H1_CHUNKS_ST_TRAILERS,
	H1_CHUNKS_ST_DONE
};

enum {
	H1_CHUNKS_LINE_MAX = 4096,      /* bytes of one size line or trailer */
	H1_CHUNKS_OVERHEAD_MAX = 16384, /* bytes of all extensions and trailers of a body */
	H1_CHUNKS_DIGITS_MAX = 8        /* of a size, leading zeros included: less than 4 GiB */
};

struct h1_chunks {
	enum h1_chunks_state state;
	uint64_t left;   /* bytes of the chunk that are still to come */
	size_t overhead; /* bytes of extensions and trailers so far */
};

/*
 * Decodes what can be decoded of input and appends the data to body, at most limit bytes in all. A zeroed struct
 * begins. *taken: bytes that were used up; the rest, a part of a line, must be given again with more. Returns
 * ERROR_NONE, MALFORMED_HTTP, BODY_TOO_LARGE or OVERLOADED. Trailers are checked and dropped.
 */
enum error_code h1_chunks_decode(struct h1_chunks *chunks, struct span input, size_t limit, struct buf *body,
				 size_t *taken);

#endif
