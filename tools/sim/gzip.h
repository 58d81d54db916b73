/* SPDX-License-Identifier: MIT */
/*
 * Just enough of gzip (RFC 1951, RFC 1952) to send a client what it did not ask
 * for: stored blocks, and a bomb of run-length matches. Never inflates.
 */
#ifndef SLUICE_TOOLS_SIM_GZIP_H
#define SLUICE_TOOLS_SIM_GZIP_H

#include <stdint.h>

#include "lib/buf.h"

struct gzip {
	uint32_t crc;  /* of the data so far */
	uint64_t size; /* bytes of data so far */
	uint32_t bits; /* of a bomb: not yet written */
	unsigned bit_count;
};

/* Appends the header and starts. */
void gzip_begin(struct gzip *gzip, struct buf *out);
/* Appends data as stored blocks. */
void gzip_store(struct gzip *gzip, struct buf *out, struct span data);
/* Appends an empty last block and the trailer. */
void gzip_end(struct gzip *gzip, struct buf *out);

/* A bomb instead of data: start behind gzip_begin, then grow by about size bytes each, then end. */
void gzip_bomb_begin(struct gzip *gzip, struct buf *out);
void gzip_bomb_grow(struct gzip *gzip, struct buf *out, size_t size);
void gzip_bomb_end(struct gzip *gzip, struct buf *out);

#endif
