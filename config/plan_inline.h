/* SPDX-License-Identifier: MIT */
/*
 * Plans that clients send as JSON. They are written as in the file (config/plan.h), with the same options, but their
 * leaves are names of configured models, each of which stands for its own plan:
 *
 *   "small"
 *   {"race": ["small", {"name": "second", "plan": {"retry": "large", "attempts": 3}}]}
 *
 * Nothing in them is expanded, and targets cannot be named: what a client can reach is what models say.
 */
#ifndef SLUICE_CONFIG_PLAN_INLINE_H
#define SLUICE_CONFIG_PLAN_INLINE_H

#include "config/config.h"

struct arena;
struct json;

/* Why a plan was refused. */
struct config_plan_finding {
	struct span forbidden; /* the model that the key may not use; {NULL,0} = something else is wrong */
	const char *path;      /* where: "plan.race[1]" */
	const char *text;      /* what is wrong, and what was expected; never more than 1 KiB */
};

/*
 * Reads the value at node of a document that json_parse() accepted. The plan is in the arena, but the plans of models
 * in it are config's, which must be held as long. Every
 * model must be one that the holder may use (config_key_may_use()). A child that is a model has its name, unless it was
 * given another. Combinators are not known here: plan_build() refuses those that do not exist.
 *
 * NULL when the plan is refused or memory ran out, with *finding filled: the first thing that is wrong.
 */
const struct config_plan *config_plan_read_json(const struct config *config, const struct json *json, uint32_t node,
						const struct config_fanout *limits, const struct config_key *holder,
						struct arena *arena, struct config_plan_finding *finding);

/* True when a model in such a plan is strict. */
bool config_plan_is_strict(const struct config_plan *plan);

#endif
