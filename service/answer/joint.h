/* SPDX-License-Identifier: MIT */
/*
 * Joining two streamed answers of one choice: what was relayed of the first is
 * remembered, and the second one is heard until it has said as much. Every text
 * is compared apart: text, refusal, reasoning by its name, and name
 * and arguments of each tool call. Only what agrees byte for byte is joined.
 *
 *   joint_said      every event that is relayed of the first answer
 *   joint_again     the request was sent again and is answered from the start
 *   joint_hear      each of its events, until one is joined
 *   joint_said      again, for those behind it
 *
 * An answer that goes on instead of starting anew is heard without
 * joint_again: all that was said counts as heard.
 *
 * Plain text is joined anywhere. Tool calls are joined only between events, and
 * so is everything when the joint is strict: never inside a token.
 */
#ifndef SLUICE_SERVICE_ANSWER_JOINT_H
#define SLUICE_SERVICE_ANSWER_JOINT_H

#include "lib/arena.h"
#include "lib/buf.h"
#include "schemas/event.h"

enum { JOINT_CALLS = 16, JOINT_REASONINGS = 2, JOINT_MOST = 1 << 20 /* bytes that are remembered */ };

struct joint_text {
	struct buf said;
	size_t heard; /* bytes of it that the answer which is heard has said, too */
};

/* The texts of an answer: these, then name and arguments of each tool call. */
enum joint_part {
	JOINT_TEXT,
	JOINT_REFUSAL,
	JOINT_REASONING,
	JOINT_CALL = JOINT_REASONING + JOINT_REASONINGS,
	JOINT_TEXTS = JOINT_CALL + 2 * JOINT_CALLS
};

struct joint {
	struct arena *arena; /* of names */
	bool strict;
	bool joined;                              /* events come from another answer than the first */
	bool lost;                                /* something was said that cannot be joined */
	struct span reasonings[JOINT_REASONINGS]; /* the names of reasoning, in the order in which they came */
	size_t events;                            /* said that had content: at least so many tokens */
	struct joint_text texts[JOINT_TEXTS];     /* by enum joint_part */
};

enum joint_step {
	JOINT_BEHIND, /* nothing new in it: not to be relayed */
	JOINT_JOINED, /* it holds what follows */
	JOINT_APART,  /* it does not agree with what was said */
};

/* arena: borrowed, as long as the joint. strict: join between events only. */
void joint_init(struct joint *joint, struct arena *arena, bool strict);
void joint_fini(struct joint *joint);

/* Takes note of an event that is relayed. deltas: NULL = it could not be read. */
void joint_said(struct joint *joint, const struct deltas *deltas);

/* The answer starts anew. */
void joint_again(struct joint *joint);

/*
 * Hears an event of the second answer. JOINED: heard[i] tells how many bytes of the text of delta i were said before;
 * the rest is to be relayed, and counts as said. heard: room for each delta.
 */
enum joint_step joint_hear(struct joint *joint, const struct deltas *deltas, size_t *heard);

/* Returns whether some content was said, and all of it can be joined. */
bool joint_is_open(const struct joint *joint);

/* Returns the text, when nothing else was said; else {NULL,0}. Borrowed. */
struct span joint_plain_text(const struct joint *joint);

/* Returns how many bytes were said, of all texts. */
size_t joint_size(const struct joint *joint);

#endif
