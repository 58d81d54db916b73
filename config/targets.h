/* SPDX-License-Identifier: MIT */
/* Targets: the leaves of plans in the file, and each pair of a backend and a model once, with a number of its own. */
#ifndef SLUICE_CONFIG_TARGETS_H
#define SLUICE_CONFIG_TARGETS_H

#include "config/config.h"
#include "config/plan.h"

/* Plans of the file: their leaves are targets, "backend/model". */
extern const struct plan_grammar targets_grammar;

/*
 * Fills config's targets and the index of every leaf in list; its models are known. They are sorted: by the order of
 * backends, then by the model's name. Running out of memory shows by the arena alone.
 */
void targets_number(struct arena *arena, struct config *config, struct plan_target *list);

#endif
