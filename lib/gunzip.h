/* SPDX-License-Identifier: MIT */
/* Inflating gzip (RFC 1952) in one piece, with a bound. What comes in pieces is decoder.h's. */
#ifndef SLUICE_LIB_GUNZIP_H
#define SLUICE_LIB_GUNZIP_H

#include "lib/buf.h"

enum gunzip_result {
	GUNZIP_DONE,
	GUNZIP_BROKEN,    /* not gzip, cut, damaged, or followed by something else */
	GUNZIP_TOO_LARGE, /* more than most bytes */
	GUNZIP_MEMORY,    /* out of memory, or over the buffer's own ceiling */
};

/*
 * Appends the data of one gzip file, all members of it, to out. It stops within 64 KiB after most bytes, so a bomb
 * costs no more than an honest body of that size.
 */
enum gunzip_result gunzip(struct span gzip, size_t most, struct buf *out);

#endif
