/* SPDX-License-Identifier: MIT */
/*
 * What stands for something else in a value: ${VAR}, ${VAR:-default},
 * ${file:PATH}, ${credential:NAME} (a credential of systemd), and $$ for a
 * dollar. A dollar before anything else is itself.
 */
#ifndef SLUICE_CONFIG_EXPAND_H
#define SLUICE_CONFIG_EXPAND_H

#include "lib/arena.h"

enum { EXPAND_PROBLEM_MAX = 512 };

struct expansion {
	struct span text;                 /* NUL-terminated, in the arena */
	bool tainted;                     /* something was expanded: the text may be a secret and must not be shown */
	bool from_file;                   /* some of it was in a file, and may change there */
	char problem[EXPAND_PROBLEM_MAX]; /* when refused: why; names what was referred to, never what it held */
};

/*
 * Expands raw (borrows). directory: where a relative ${file:PATH} begins, ""
 * or with a trailing slash. A file may hold at most 64 KiB and no NUL; one line
 * end at its end is cut. False with problem filled: unset variable without
 * default, unreadable file, broken syntax, out of memory.
 */
bool expand(struct arena *arena, struct span raw, const char *directory, struct expansion *out);

#endif
