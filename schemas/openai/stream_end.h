/* SPDX-License-Identifier: MIT */
/*
 * [DONE], the last event of a stream. The exchange sends it when its stream is complete (relay_end() in
 * service/exchange/relay.c), and never after an error.
 */
#ifndef SLUICE_SCHEMAS_OPENAI_STREAM_END_H
#define SLUICE_SCHEMAS_OPENAI_STREAM_END_H

#include <stdbool.h>

#include "lib/span.h"

/* The last event of a stream, framed. */
#define OPENAI_STREAM_END "data: [DONE]\n\n"

/* Returns whether an event's data ends a stream. */
bool openai_ends_stream(struct span data);

#endif
