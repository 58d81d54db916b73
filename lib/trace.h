/* SPDX-License-Identifier: MIT */
/* W3C Trace Context, level 1: the traceparent header. */
#ifndef SLUICE_LIB_TRACE_H
#define SLUICE_LIB_TRACE_H

#include "lib/span.h"

enum { TRACE_PARENT_SIZE = 56 }; /* "00-" 32 "-" 16 "-" 2 and a NUL */

/*
 * Writes the traceparent for an outgoing call: the trace of incoming continued under a new span id when incoming
 * is valid (section 3.2), else a new, sampled trace. True when it was continued: then tracestate may be passed on too.
 */
bool trace_continue(struct span incoming, char out[TRACE_PARENT_SIZE]);

#endif
