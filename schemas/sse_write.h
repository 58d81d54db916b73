/* SPDX-License-Identifier: MIT */
/* Framing of server-sent events (WHATWG HTML, section 9.2). */
#ifndef SLUICE_SCHEMAS_SSE_WRITE_H
#define SLUICE_SCHEMAS_SSE_WRITE_H

#include "lib/buf.h"

/* Appends one event: a "data: " line for each line of data, and the blank line. data must hold no CR. */
void sse_write_event(struct buf *out, struct span data);

/* As above, with an "event: " line before. name: no line end in it. */
void sse_write_named(struct buf *out, const char *name, struct span data);

#endif
