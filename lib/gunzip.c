/* SPDX-License-Identifier: MIT */
/* zlib's stream over a buffer; gunzip.h holds the contract. */
#include "lib/gunzip.h"

#include <zlib.h>

enum { PIECE_MOST = 65536, GZIP_WINDOW = 16 + MAX_WBITS };

/* Inflates until the end of a member or of the room. */
static enum gunzip_result inflate_member(z_stream *z, size_t start, size_t most, struct buf *out)
{
	int status = Z_OK;
	while (status == Z_OK) {
		char *room = buf_reserve(out, PIECE_MOST);
		if (room == NULL)
			return GUNZIP_MEMORY;
		z->next_out = (Bytef *)room;
		z->avail_out = PIECE_MOST;
		status = inflate(z, Z_NO_FLUSH);
		buf_commit(out, PIECE_MOST - z->avail_out);
		if (buf_len(out) - start > most)
			return GUNZIP_TOO_LARGE;
	}
	if (status == Z_MEM_ERROR)
		return GUNZIP_MEMORY;
	return status == Z_STREAM_END ? GUNZIP_DONE : GUNZIP_BROKEN;
}

enum gunzip_result gunzip(struct span gzip, size_t most, struct buf *out)
{
	z_stream z = {.next_in = (z_const Bytef *)gzip.at, .avail_in = (uInt)gzip.len};
	if (gzip.len != z.avail_in)
		return GUNZIP_TOO_LARGE;
	if (inflateInit2(&z, GZIP_WINDOW) != Z_OK)
		return GUNZIP_MEMORY;
	size_t start = buf_len(out);
	enum gunzip_result result = inflate_member(&z, start, most, out);
	while (result == GUNZIP_DONE && z.avail_in > 0)
		result = inflateReset(&z) == Z_OK ? inflate_member(&z, start, most, out) : GUNZIP_BROKEN;
	inflateEnd(&z);
	return result;
}
