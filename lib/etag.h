/* SPDX-License-Identifier: MIT */
/* Entity tags (RFC 9110, sections 8.8.3 and 13.1.2). */
#ifndef SLUICE_LIB_ETAG_H
#define SLUICE_LIB_ETAG_H

#include "lib/span.h"

enum { ETAG_SIZE = 35 }; /* bytes: quotes, 32 digits, NUL */

/*
 * The strong tag of a body: FNV-1a of 128 bits. For bodies that we make
 * ourselves; whoever may choose a body can make two that share a tag.
 */
void etag_write(struct span body, char etag[ETAG_SIZE]);

/* True when an If-None-Match value is "*" or lists that tag, by weak comparison. */
bool etag_matches(struct span if_none_match, struct span etag);

#endif
