/* SPDX-License-Identifier: MIT */
/*
 * The combinators that plans may name. What they do is the business of others, who list them here; until then any name
 * passes.
 */
#ifndef SLUICE_CONFIG_COMBINATORS_H
#define SLUICE_CONFIG_COMBINATORS_H

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"
#include "lib/suggest.h"

struct config_combinator {
	const char *name;
	size_t least;  /* children */
	bool asks_all; /* all children are asked at once */
};

/* Lists the combinators that there are. list: borrows for the life of the process. Called before threads start. */
void config_set_combinators(const struct config_combinator *list, size_t count);

/* True when there is a list and the name is not in it; *near is then the name that was probably meant. */
bool combinator_is_unknown(struct span name, struct suggestion *near);

/* The children that the combinator needs at least; 1 when nothing is known of it. */
size_t combinator_least(struct span name);

/* Returns how many calls the plan makes at once. */
uint64_t combinators_calls(const struct config_plan *plan);

#endif
