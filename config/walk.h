/* SPDX-License-Identifier: MIT */
/* From the tree of a file to the members of a configuration, along the table of keys. */
#ifndef SLUICE_CONFIG_WALK_H
#define SLUICE_CONFIG_WALK_H

#include "config/findings.h"
#include "config/snapshot.h"
#include "config/tree.h"

/*
 * Fills the snapshot, defaults included; everything wrong goes to findings, and
 * then the configuration is incomplete. directory: where relative paths begin,
 * "" or with a trailing slash. The configuration keeps pointing into the tree,
 * which must be in the snapshot's arena. Running out of memory shows by the
 * arena alone.
 */
void walk_file(struct snapshot *snapshot, struct findings *findings, const char *directory,
	       const struct tree_node *root);

#endif
