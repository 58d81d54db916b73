/* SPDX-License-Identifier: MIT */
/* "Did you mean …?": the nearest of some words, by edit distance with transpositions. */
#ifndef SLUICE_LIB_SUGGEST_H
#define SLUICE_LIB_SUGGEST_H

#include "lib/span.h"

struct suggestion {
	struct span wanted; /* what was written; borrowed */
	struct span best;   /* the nearest word offered so far; borrowed; {NULL,0} = none is near */
	size_t distance;    /* of best; of none: the first distance that is too far */
};

/* Starts without a word. wanted: borrows. */
struct suggestion suggest(struct span wanted);

/* Offers a word (borrows). Keeps the nearest; of equals the first. */
void suggest_offer(struct suggestion *suggestion, struct span word);

#endif
