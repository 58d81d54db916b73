/* SPDX-License-Identifier: MIT */
/*
 * The errors in a configuration file, and advice about it: at most FINDINGS_MAX lines, those
 * nearest to the top of the file, in the order of their lines. Loading goes on
 * after a finding so that one run shows all of them.
 */
#ifndef SLUICE_CONFIG_FINDINGS_H
#define SLUICE_CONFIG_FINDINGS_H

#include "lib/arena.h"
#include "lib/buf.h"

enum { FINDINGS_MAX = 50 };

struct finding {
	unsigned line;   /* from 1; 0 = the file as a whole */
	const char *key; /* dotted path; NULL = about none */
	const char *text;
	bool advice; /* the file can be used all the same */
};

struct findings {
	struct arena arena; /* the texts */
	const char *file;   /* borrowed, for messages */
	struct finding list[FINDINGS_MAX];
	size_t count;   /* kept */
	size_t total;   /* errors added */
	size_t advices; /* pieces of advice added */
};

/* file: borrows, as long as the findings live. */
void findings_init(struct findings *findings, const char *file);
void findings_fini(struct findings *findings);

/*
 * Adds one. key: dotted path of the key, NULL when the finding is about none.
 * The text must never hold a secret; it is cut at 1 KiB.
 */
void findings_add(struct findings *findings, unsigned line, const char *key, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Adds advice about what is allowed but does not do what its author probably wants. */
void findings_advise(struct findings *findings, unsigned line, const char *key, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/*
 * Appends "FILE:LINE: KEY: text\n" for each, advice as "FILE:LINE: KEY: warning: text\n", and a last line when some
 * had to be left out.
 */
void findings_write(const struct findings *findings, struct buf *out);

/*
 * A value as messages show it: cut at 64 bytes and without control characters.
 * shown: at least FINDING_VALUE_MAX bytes. Returns shown.
 */
enum { FINDING_VALUE_MAX = 80 };
const char *finding_value(struct span value, char shown[FINDING_VALUE_MAX]);

#endif
