/* SPDX-License-Identifier: MIT */
/*
 * A borrowed run of bytes: pointer and length, never owned, not NUL-terminated.
 * Whoever hands out a span says how long its bytes live.
 */
#ifndef SLUICE_LIB_SPAN_H
#define SLUICE_LIB_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct span {
	const char *at;
	size_t len; /* bytes */
};

/* A span over a string literal: the initialiser of a constant, and an expression. */
/* clang-format off */
#define SPAN_INIT(literal) {(literal), sizeof(literal) - 1}
/* clang-format on */
#define SPAN(literal) ((struct span){(literal), sizeof(literal) - 1})

/* printf("%.*s", SPAN_ARG(s)) */
#define SPAN_ARG(s) (int)(s).len, (s).at

static inline struct span span_of(const char *string)
{
	return (struct span){string, string == NULL ? 0 : strlen(string)};
}

static inline bool span_equal(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

static inline bool span_is(struct span a, const char *string)
{
	return span_equal(a, span_of(string));
}

static inline bool span_begins(struct span text, const char *with)
{
	size_t len = strlen(with);
	return text.len >= len && memcmp(text.at, with, len) == 0;
}

#endif
