/* SPDX-License-Identifier: MIT */
/*
 * Plans as written: a string "backend/model", or a mapping of one combinator's
 * name to the list of its children. Names of combinators are not known here.
 */
#ifndef SLUICE_CONFIG_PLAN_H
#define SLUICE_CONFIG_PLAN_H

#include "config/config.h"
#include "config/findings.h"
#include "config/tree.h"

enum { PLAN_DEPTH_MAX = 16, PLAN_LEAVES_MAX = 64 };

struct plan_reader {
	struct arena *arena;
	struct findings *findings;
	const char *directory;       /* for ${file:…} */
	const struct config *config; /* its backends are complete */
	unsigned leaves;             /* of the plan being read */
	struct plan_target *targets; /* of all plans read so far, the last one first */
};

/* A leaf that was read. */
struct plan_target {
	struct config_plan *plan;
	struct plan_target *next;
};

/*
 * Reads one plan. path: its key for messages. NULL after adding findings; a
 * target of an unknown backend is a finding, unless no backend is known at all.
 */
const struct config_plan *plan_read(struct plan_reader *reader, const struct tree_node *node, const char *path);

#endif
