/* SPDX-License-Identifier: MIT */
/*
 * Appending JSON text to a buffer. The caller writes the structure; these write
 * values that need escaping. All failures are the buffer's sticky failure.
 */
#ifndef SLUICE_LIB_JSON_WRITE_H
#define SLUICE_LIB_JSON_WRITE_H

#include "lib/buf.h"

/*
 * A quoted, escaped string (RFC 8259, section 7). Bytes that are not UTF-8 are written as
 * U+FFFD, so the result is always valid JSON.
 */
void json_write_string(struct buf *out, struct span text);

/* A quoted string, or null when text.at is NULL. */
void json_write_string_or_null(struct buf *out, struct span text);

#endif
