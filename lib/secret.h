/* SPDX-License-Identifier: MIT */
/*
 * A secret that may be replaced while other threads read it: a cell with a text in it. Whoever uses the text holds it,
 * so that it stays as it is; a text that nobody holds any more is wiped and freed. Cells and texts are counted
 * references.
 */
#ifndef SLUICE_LIB_SECRET_H
#define SLUICE_LIB_SECRET_H

#include <stdatomic.h>
#include <stdbool.h>

#include "lib/span.h"

struct secret_text {
	atomic_uint references;
	size_t len;
	char at[]; /* NUL-terminated */
};

struct secret;

/* Copies text, which may have no NUL. One reference. NULL: out of memory. */
struct secret *secret_create(struct span text);
struct secret *secret_hold(struct secret *secret);
/* NULL is harmless. */
void secret_drop(struct secret *secret);

/* Returns the present text, held; secret_text_drop() must follow. Thread-safe. */
const struct secret_text *secret_text_hold(struct secret *secret);
/* Returns the text before the present one, held: it is still in what was sent before. NULL: there was none.
 * Thread-safe. */
const struct secret_text *secret_text_hold_former(struct secret *secret);
/* NULL is harmless. Thread-safe. */
void secret_text_drop(const struct secret_text *text);

/* Puts a copy of text in the place of the present one. False: out of memory, and nothing has changed. Thread-safe. */
bool secret_replace(struct secret *secret, struct span text);

/* Returns how many times the text was replaced. Thread-safe, and cheap enough for each request. */
unsigned secret_version(const struct secret *secret);

/* Returns whether the present text is that one, in time that does not tell where they differ. Thread-safe. */
bool secret_is(struct secret *secret, struct span text);

/* Returns whether both have the same text; NULL = none, which is like NULL alone. Thread-safe. */
bool secret_equal(struct secret *a, struct secret *b);

#endif
