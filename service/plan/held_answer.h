/* SPDX-License-Identifier: MIT */
/*
 * One child's answer, kept until it is complete: the events of a stream or the
 * bytes of a whole answer, what it says, and what it cost. For combinators that
 * look at answers before they give one.
 */
#ifndef SLUICE_SERVICE_PLAN_HELD_ANSWER_H
#define SLUICE_SERVICE_PLAN_HELD_ANSWER_H

#include "service/answer/text.h"
#include "service/plan/plan.h"

struct held_answer_closing;

struct held_answer {
	const struct config_plan *target; /* who answers; NULL = not known yet, or gathered from several */
	const struct dialect *dialect;    /* of the data */
	bool gathered;                    /* its choices already say which target they came from */
	struct usage usage;               /* that was told last */
	struct buf data;                  /* of the pieces, or the whole answer */
	struct buf pieces;                /* kept events of a stream */
	struct answer_text text;
	struct buf key;                      /* once closed: what is the same for answers that say the same */
	struct held_answer_closing *closing; /* a helper has the rest; NULL = none */
};

/* Allocates nothing yet. */
void held_answer_init(struct held_answer *held, uint32_t party);
void held_answer_fini(struct held_answer *held);

/* Keeps a CHUNK, BODY or USAGE event. Else than ERROR_NONE: it can't be kept or read. */
enum error_code held_answer_add(struct held_answer *held, const struct event *event, struct arena *scratch);

/* The answer is complete. Else than ERROR_NONE: it can't be read. */
enum error_code held_answer_close(struct held_answer *held, struct run_context *context);

/*
 * As held_answer_close, for a large answer, by a helper: on_closed comes in a later turn, until then the held knows
 * only who answers and the usage. False: the answer is no large one, or memory ran out.
 */
bool held_answer_close_apart(struct held_answer *held, struct run_context *context,
			     void (*on_closed)(void *owner, enum error_code error), void *owner);

/* True when both, closed, say the same. */
bool held_answer_agrees(const struct held_answer *held, const struct held_answer *other);

/* Fills in a kept event of a stream, from 0, but for who answers; its data is the held's. False behind the last. */
bool held_answer_piece(const struct held_answer *held, size_t index, struct event *event);

#endif
