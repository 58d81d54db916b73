/* SPDX-License-Identifier: MIT */
/*
 * A growing run of bytes for tests: always NUL-terminated behind its end, so
 * that string functions work on text, and aborting when memory is out. Owned by
 * whoever declared it; zero-initialise before use, bytes_free at the end.
 */
#ifndef SLUICE_TESTS_HARNESS_BYTES_H
#define SLUICE_TESTS_HARNESS_BYTES_H

#include <stdbool.h>
#include <stddef.h>

struct bytes {
	char *at; /* NULL while nothing was ever appended */
	size_t len;
	size_t capacity;
};

void bytes_append(struct bytes *bytes, const void *data, size_t len);
void bytes_printf(struct bytes *bytes, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Drops len bytes from the front. */
void bytes_drop(struct bytes *bytes, size_t len);

void bytes_free(struct bytes *bytes);

/* The text, never NULL. Borrowed until the next change. */
const char *bytes_text(const struct bytes *bytes);

/* True when part occurs; works on text with NUL bytes. */
bool bytes_contain(const struct bytes *bytes, const char *part);

/* Appends the whole file; false when it can't be opened. */
bool bytes_read_file(struct bytes *bytes, const char *path);

#endif
