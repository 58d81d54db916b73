/* SPDX-License-Identifier: MIT */
/* The kinds of failures, and what follows from each; failures.def is their source. */
#ifndef SLUICE_LIB_FAILURES_H
#define SLUICE_LIB_FAILURES_H

#include <stdint.h>

#include "lib/buf.h"
#include "lib/errors.h"

enum failure_kind {
	FAILURE_NONE,
#define KIND(symbol, name, blame, elsewhere, again, breaker, error, words, text) FAILURE_##symbol,
#include "lib/failures.def"
#undef KIND
	FAILURE_KINDS
};

/* What a target's breaker makes of a call's end. */
enum failure_verdict {
	FAILURE_IS_GOOD,        /* a success */
	FAILURE_IS_NEUTRAL,     /* nothing */
	FAILURE_IS_ANSWERED,    /* neither good nor bad, but something answered */
	FAILURE_IS_FAILED,      /* a failure */
	FAILURE_IS_UNREACHABLE, /* a failure: no connection came about */
};

/* What a client receives of a backend's own words. */
enum failure_words { FAILURE_WORDS_NONE, FAILURE_WORDS_TEXT, FAILURE_WORDS_BODY };

struct failure_row {
	const char *name;
	enum error_blame blame;
	bool elsewhere; /* another target may do better */
	bool again;     /* the same target may do better */
	enum failure_verdict breaker;
	enum error_code error; /* what a client receives */
	enum failure_words words;
	const char *text;
};

/* Returns the row of a kind; that of FAILURE_NONE is empty. */
const struct failure_row *failure_row(enum failure_kind kind);

/* Returns the kind of an error that has no answer of a backend to judge. */
enum failure_kind failure_kind_of(enum error_code code);

/* Returns the kind of that name, or FAILURE_NONE. */
enum failure_kind failure_kind_named(struct span name);

/* A set of kinds, a bit for each. */
typedef uint32_t failure_set;
_Static_assert(FAILURE_KINDS <= 32, "a failure_set has a bit for each kind");

static inline bool failure_set_has(failure_set set, enum failure_kind kind)
{
	return (set >> kind & 1u) != 0;
}

/* Appends the table of the kinds as Markdown. */
void failure_describe(struct buf *out);

#endif
