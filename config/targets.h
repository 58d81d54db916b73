/* SPDX-License-Identifier: MIT */
/* The targets of a configuration: each pair of a backend and a model once, with a number of its own. */
#ifndef SLUICE_CONFIG_TARGETS_H
#define SLUICE_CONFIG_TARGETS_H

#include "config/config.h"
#include "lib/arena.h"

struct plan_target;

/*
 * Fills config's targets and the index of every leaf in list. They are sorted: by the order of
 * backends, then by the model's name. Running out of memory shows by the arena alone.
 */
void targets_number(struct arena *arena, struct config *config, struct plan_target *list);

#endif
