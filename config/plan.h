/* SPDX-License-Identifier: MIT */
/*
 * Plans as written: a leaf, or a mapping of one combinator's name to its child
 * or the list of its children, with options (plan_options.def) beside it. Names
 * of combinators are not known here, nor is what a leaf says.
 *
 *   small: a/model
 *   safe: { retry: a/model, attempts: 3 }
 *   fast: { race: [a/model, { name: spare, plan: { fallback: [b/model, c/model] } }] }
 *
 * The key that is no option is the combinator. A child that is to have a name is
 * a mapping of `name` and `plan`, which are therefore no names of combinators.
 */
#ifndef SLUICE_CONFIG_PLAN_H
#define SLUICE_CONFIG_PLAN_H

#include "config/config.h"
#include "config/reader.h"

enum { PLAN_DEPTH_MAX = 16, PLAN_LEAVES_MAX = 64 };

struct plan_reader;

/* What differs between the documents that plans are written in. */
struct plan_grammar {
	/* A scalar as a plan of its own, in the reader's arena; NULL after adding findings. path: for messages. */
	struct config_plan *(*read_leaf)(struct plan_reader *reader, const struct tree_node *node, const char *path);
	const char *plan;     /* what a plan is: "a target such as …" */
	const char *children; /* an example of a list of them */
	const char *named;    /* an example of a child with a name */
	const char *leaves;   /* what leaves are, several of them: "targets" */
	const char *width;    /* the key of the limit of leaves, as " (fanout.width)", or "" */
	const char *depth;    /* the key of the limit of levels */
};

struct plan_reader {
	struct reader in;
	const struct plan_grammar *grammar;
	const struct config *config; /* its backends are complete */
	unsigned depth_most;         /* levels, the leaves' included */
	unsigned leaves_most;
	unsigned leaves; /* of the plan being read */
	/* of clients' plans: who asks, NULL = nobody in particular; and where the first model is that may not be used
	 */
	const struct config_key *holder;
	const char *forbidden; /* its path, in the arena; NULL = none */
	struct span forbidden_model;
	struct plan_target *targets; /* of all plans read so far, the last one first */
};

/* A leaf that was read (config/targets.h). */
struct plan_target {
	struct config_plan *plan;
	struct plan_target *next;
};

/*
 * Reads one plan. path: its key for messages. NULL after adding findings, or
 * when out of memory, which shows by the arena.
 */
const struct config_plan *plan_read(struct plan_reader *reader, const struct tree_node *node, const char *path);

#endif
