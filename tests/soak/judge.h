/* SPDX-License-Identifier: MIT */
/* Which answers are right for a kind of requests, and which failures are told truthfully. */
#ifndef SLUICE_TESTS_SOAK_JUDGE_H
#define SLUICE_TESTS_SOAK_JUDGE_H

#include <stdbool.h>
#include <stddef.h>

#include "tests/scenario/harness/answer.h"

enum form { WHOLE, STREAM, EITHER };

enum shape {
	SHAPE_COUNTED, /* choices, each with the tokens of the simulator's counting model */
	SHAPE_LANES,   /* what /v1/fanout says */
	SHAPE_VECTORS, /* one for each input */
	SHAPE_ERROR,   /* a refusal with that code */
	SHAPE_ANY,     /* 200 with anything */
};

struct kind {
	const char *name;
	const char *path;  /* NULL = chat */
	const char *model; /* a chat with that model; NULL: body is what is sent */
	const char *body;  /* NULL, and no model nor vectors: a GET */
	unsigned weight;   /* its share of the requests */
	enum form form;
	enum shape shape;
	unsigned prompts; /* so many different ones, for caches; 0 = all differ */
	size_t tokens;    /* of each choice */
	size_t choices;   /* 0 = 1 */
	bool may_fail;    /* backends of it have faults or limits */
	const char *code; /* of SHAPE_ERROR */
};

struct expected {
	const struct kind *kind;
	bool stream;
	size_t inputs; /* of SHAPE_VECTORS */
};

/*
 * True: the answer is whole and right. False: it is a failure, told truthfully,
 * and its kind may fail. Fails the test in all other cases. body: of the
 * request, for the message.
 */
bool judge_answer(const struct expected *expected, const struct answer *answer, const char *body);

#endif
