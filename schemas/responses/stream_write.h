/* SPDX-License-Identifier: MIT */
/*
 * A streamed answer as clients of the Responses dialect read it, written from the deltas of a chat's events:
 *
 *   response.created  response.in_progress  ITEM*  ( response.completed | response.incomplete | response.failed )
 * [DONE]
 *
 *   ITEM: response.output_item.added  CONTENT  response.output_item.done
 *   CONTENT of a message or of reasoning: response.content_part.added  ….delta*  ….done  response.content_part.done
 *   CONTENT of a call: ….delta*  ….done
 *
 * Messages and reasoning come one after the other. Calls of tools go on beside each other and beside them, as the
 * backend sends them, and are done when the answer ends. A call begins when its name is there. The input of a custom
 * tool is told at once, when it is done. Each event has the next sequence number, from 0.
 */
#ifndef SLUICE_SCHEMAS_RESPONSES_STREAM_WRITE_H
#define SLUICE_SCHEMAS_RESPONSES_STREAM_WRITE_H

#include "schemas/error_body.h"
#include "schemas/responses/items.h"

struct request_memory;

/* A stream that is being written. */
struct responses_stream {
	const struct responses_echo *echo;   /* borrowed */
	const struct request_memory *memory; /* borrowed; NULL = answers are not kept */
	struct responses_items items;
	struct responses_item *open; /* the message or reasoning that goes on; NULL = none does */
	bool begun, failed, finished;
	unsigned sequence;          /* the number of the next event */
	int64_t created, completed; /* Unix seconds; -1 = it is not complete */
	struct buf model;
	struct usage usage;
	const char *incomplete; /* why the answer is; NULL = it is complete */
	struct buf *out;        /* events go here, during a call; NULL = nowhere */
};

void responses_stream_init(struct responses_stream *stream, const struct responses_echo *echo, uint32_t party);
/* Keeps the answer in that memory when it ends, if the echo has its input. Before anything is added. */
void responses_stream_keep(struct responses_stream *stream, const struct request_memory *memory);
void responses_stream_fini(struct responses_stream *stream);

/* Appends the events that tell the deltas of one event; usage: USAGE_UNKNOWN = it told none. identity: of the answer,
 * for the first event. False when memory ran out, or when the answer is too long. */
bool responses_stream_add(struct responses_stream *stream, const struct deltas *deltas, const struct usage *usage,
			  const struct answer_identity *identity, struct buf *out);

/* Appends what is left, and the end. False as above. */
bool responses_stream_end(struct responses_stream *stream, struct buf *out);

/* Appends the end of a stream that failed. False when memory ran out. */
bool responses_stream_fail(struct responses_stream *stream, const struct error_told *told, struct buf *out);

/* Appends the whole answer that those deltas tell, instead of a stream. False as above. */
bool responses_stream_whole(struct responses_stream *stream, const struct deltas *deltas, const struct usage *usage,
			    const struct answer_identity *identity, struct buf *out);

#endif
