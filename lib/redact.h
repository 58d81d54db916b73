/* SPDX-License-Identifier: MIT */
/* Credentials and names of accounts taken out of text that others wrote. */
#ifndef SLUICE_LIB_REDACT_H
#define SLUICE_LIB_REDACT_H

#include "lib/arena.h"
#include "lib/span.h"

/*
 * Returns text with "[redacted]" in place of every occurrence of secret (NULL = none), of what follows "Bearer ", of
 * words that begin like keys of known services (sk-, gsk_, AIza, …), and of what services call organizations, projects
 * and users (org-…, "organization <id>"). JSON stays JSON. Borrows text when there is nothing to take out, else in the
 * arena; {NULL,0} when memory ran out.
 */
struct span redact(struct span text, const char *secret, struct arena *arena);

#endif
