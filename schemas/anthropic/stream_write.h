/* SPDX-License-Identifier: MIT */
/*
 * A streamed answer as clients of the Anthropic dialect read it, written from the deltas of another dialect's events:
 *
 *   message_start  ( content_block_start  content_block_delta*  content_block_stop )*  message_delta  message_stop
 *
 * Blocks come one after the other. A call of a tool whose arguments come while another call is open waits in memory
 * until that one is over, which is when the answer ends. A call begins when its name is there.
 */
#ifndef SLUICE_SCHEMAS_ANTHROPIC_STREAM_WRITE_H
#define SLUICE_SCHEMAS_ANTHROPIC_STREAM_WRITE_H

#include "lib/buf.h"
#include "schemas/event.h"

enum anthropic_block { ANTHROPIC_BLOCK_NONE, ANTHROPIC_BLOCK_TEXT, ANTHROPIC_BLOCK_THINKING, ANTHROPIC_BLOCK_TOOL };

struct anthropic_call;

/* A stream that is being written. */
struct anthropic_stream {
	bool begun;
	bool failed;    /* it cannot be told */
	bool exhausted; /* memory ran out */
	bool refused;
	enum anthropic_block open;
	unsigned index; /* of the block that is open, or of the next one */
	struct usage usage;
	struct buf finish; /* why it ended, in the words of a chat */
	bool finished;
	struct anthropic_call *calls; /* by index; owned */
	struct anthropic_call *told;  /* whose block is open; NULL = none is */
	size_t held;                  /* bytes that wait */
	uint32_t party;               /* of the ledger, who is charged for them */
};

void anthropic_stream_init(struct anthropic_stream *stream, uint32_t party);
void anthropic_stream_fini(struct anthropic_stream *stream);

/* Appends the events that tell the deltas of one event; usage: USAGE_UNKNOWN = it told none. identity: of the answer,
 * for the first event. False when the answer cannot be told, since too much waits; when memory ran out, out has failed
 * as well. */
bool anthropic_stream_add(struct anthropic_stream *stream, const struct deltas *deltas, const struct usage *usage,
			  const struct answer_identity *identity, struct buf *out);

/* Appends what is left, and the end. False as above. */
bool anthropic_stream_end(struct anthropic_stream *stream, struct buf *out);

#endif
