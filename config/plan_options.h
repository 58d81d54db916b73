/* SPDX-License-Identifier: MIT */
/* The table of what may stand beside a combinator; plan_options.def is its source. */
#ifndef SLUICE_CONFIG_PLAN_OPTIONS_H
#define SLUICE_CONFIG_PLAN_OPTIONS_H

#include "config/config.h"
#include "config/keys.h"
#include "config/reader.h"
#include "lib/suggest.h"

struct plan_option {
	struct key key;          /* its path is the option's name */
	const char *combinators; /* by spaces; NULL = all */
};

extern const struct plan_option plan_options_table[];
extern const size_t plan_options_count;

/* NULL when no option has that name. */
const struct plan_option *plan_option_find(struct span name);

/* Returns true when the combinator takes the option of that name. */
bool plan_option_takes(struct span name, const char *combinator);

/* The option that was probably meant; best is {NULL,0} when none is near, or when the table names a combinator so. */
struct suggestion plan_option_suggest(struct span name);

/*
 * Fills the options of plan, whose combinator and number of children are known, from its mapping, defaults included.
 * Members that are no options are left alone. What is wrong goes to the reader's findings. path: the plan's.
 */
void plan_options_read(const struct reader *reader, const struct tree_node *mapping, const char *path,
		       struct config_plan *plan);

#endif
