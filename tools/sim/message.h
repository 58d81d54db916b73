/* SPDX-License-Identifier: MIT */
/* Answers and errors as Anthropic's Messages have them: answer.c and stream.c call these for ASK_MESSAGES. */
#ifndef SLUICE_TOOLS_SIM_MESSAGE_H
#define SLUICE_TOOLS_SIM_MESSAGE_H

#include "tools/sim/answer.h"

/* Returns `{"id":…,"content":[`, in the arena. */
struct span message_opening(const struct answer *answer, const struct answer_source *source, struct arena *arena);

/* Append the JSON of one stream event; its type is the event's name. */
void message_event_start(const struct answer *answer, struct buf *out);
void message_event_block(const struct answer *answer, struct buf *out);
void message_event_token(struct answer *answer, struct buf *out);
void message_event_block_end(struct buf *out);
void message_event_finish(const struct answer *answer, struct buf *out);
void message_event_stop(struct buf *out);

/* Append the pieces of a whole message around its tokens. */
void message_block_open(const struct answer *answer, struct buf *out);
void message_block_close(const struct answer *answer, struct buf *out);
void message_close(const struct answer *answer, struct buf *out);

/* Returns the event's name, which begins its data; empty: it has none. */
struct span message_event_name(struct span data);

/* An error body, or the data of an error event. type: {NULL,0} = what the status stands for. */
void message_error(struct buf *out, struct span message, struct span type, int status);

#endif
