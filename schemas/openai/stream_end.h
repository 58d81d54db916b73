/* SPDX-License-Identifier: MIT */
/*
 * [DONE], the last event of a stream: written to clients, recognised of backends. An exchange writes it when its stream
 * is complete (relay_end() in service/exchange/relay.c), and never after an error.
 */
#ifndef SLUICE_SCHEMAS_OPENAI_STREAM_END_H
#define SLUICE_SCHEMAS_OPENAI_STREAM_END_H

#include "lib/buf.h"

/* Appends the last event of a stream, framed. Failure is the buffer's. */
void openai_stream_end_write(struct buf *out);

/* Returns whether an event's data ends a backend's stream. */
bool openai_ends_stream(struct span data);

#endif
