/* SPDX-License-Identifier: MIT */
/* Replies of Redis (RESP2) as bytes: where one ends, and what could come in its place. */
#ifndef SLUICE_TESTS_HARNESS_RESP_H
#define SLUICE_TESTS_HARNESS_RESP_H

#include "tests/scenario/harness/dice.h"

/* Bytes of the first reply; 0 = it is not complete, or none. at: NUL-terminated behind its end. */
size_t resp_len(const char *at, size_t len);

/* Appends some reply, well formed or not. */
void resp_make_up(struct dice *dice, struct bytes *out);

/* Changes one bit of a text, a digit of a number, or that of an element: what is left is a reply still. */
void resp_flip(struct dice *dice, char *reply, size_t len);

#endif
