/* SPDX-License-Identifier: MIT */
/*
 * Joining two streamed answers of one choice: what was relayed of the first is
 * remembered, and the second one is heard until it has said as much. Every text
 * is compared apart: content, refusal, both spellings of reasoning, and name
 * and arguments of each tool call. Only what agrees byte for byte is joined.
 *
 *   openai_joint_said      every chunk that is relayed of the first answer
 *   openai_joint_again     the request was sent again and is answered from the start
 *   openai_joint_hear      each of its chunks, until one is joined
 *   openai_joint_said      again, for those behind it
 *
 * An answer that goes on instead of starting anew is heard without
 * openai_joint_again: all that was said counts as heard.
 *
 * Plain text is joined anywhere. Tool calls are joined only between chunks, and
 * so is everything when the joint is strict: never inside a token.
 */
#ifndef SLUICE_SCHEMAS_OPENAI_JOINT_H
#define SLUICE_SCHEMAS_OPENAI_JOINT_H

#include "lib/buf.h"
#include "schemas/openai/openai.h"

enum { OPENAI_JOINT_CALLS = 16, OPENAI_JOINT_MOST = 1 << 20 /* bytes that are remembered */ };

struct openai_joint_text {
	struct buf said;
	size_t heard; /* bytes of it that the answer which is heard has said, too */
};

/* The texts of an answer: these, then name and arguments of each tool call. */
enum openai_joint_part {
	OPENAI_JOINT_CONTENT,
	OPENAI_JOINT_REFUSAL,
	OPENAI_JOINT_REASONING,
	OPENAI_JOINT_REASONING_CONTENT,
	OPENAI_JOINT_CALL,
	OPENAI_JOINT_TEXTS = OPENAI_JOINT_CALL + 2 * OPENAI_JOINT_CALLS
};

struct openai_joint {
	struct arena *arena; /* of id, model and created */
	bool strict;
	bool joined;    /* chunks come from another answer than the first */
	bool lost;      /* something was said that cannot be joined */
	struct span id; /* JSON tokens of the first chunk; {NULL,0} = it had none */
	struct span model;
	struct span created;
	size_t chunks;                                      /* said that had content: at least so many tokens */
	struct openai_joint_text texts[OPENAI_JOINT_TEXTS]; /* by enum openai_joint_part */
};

enum openai_joint_step {
	OPENAI_JOINT_BEHIND, /* nothing new in it: not to be relayed */
	OPENAI_JOINT_JOINED, /* it holds what follows */
	OPENAI_JOINT_APART,  /* it does not agree with what was said */
};

/* arena: borrowed, as long as the joint. strict: join between chunks only. */
void openai_joint_init(struct openai_joint *joint, struct arena *arena, bool strict);
void openai_joint_fini(struct openai_joint *joint);

/*
 * Takes note of a chunk that is relayed. Behind a joint its id, created and model become those of the first chunk, and
 * it has no role: *data is then what to relay, in scratch.
 */
void openai_joint_said(struct openai_joint *joint, struct span *data, struct arena *scratch);

/* The answer starts anew. */
void openai_joint_again(struct openai_joint *joint);

/* A chunk of the answer that is heard. JOINED: *data is what to relay, in scratch, and counts as said. */
enum openai_joint_step openai_joint_hear(struct openai_joint *joint, struct span *data, struct arena *scratch);

/* True when some content was said, and all of it can be joined. */
bool openai_joint_is_open(const struct openai_joint *joint);

/* The content, when nothing but content was said; else {NULL,0}. Borrowed. */
struct span openai_joint_plain_text(const struct openai_joint *joint);

/* Bytes said, of all texts. */
size_t openai_joint_size(const struct openai_joint *joint);

#endif
