/* SPDX-License-Identifier: MIT */
/* Framing of server-sent events (WHATWG HTML, section 9.2). */
#ifndef SLUICE_SCHEMAS_SSE_WRITE_H
#define SLUICE_SCHEMAS_SSE_WRITE_H

#include "lib/buf.h"

/* Appends one event: a "data: " line for each line of data, and the blank line. data must hold no CR. */
void sse_write_event(struct buf *out, struct span data);

#endif
