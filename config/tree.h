/* SPDX-License-Identifier: MIT */
/*
 * A YAML document as a small tree that remembers lines. libyaml is known to
 * tree.c only. What configuration does not need is refused, not ignored:
 * anchors, aliases, tags, several documents, keys that are no strings.
 */
#ifndef SLUICE_CONFIG_TREE_H
#define SLUICE_CONFIG_TREE_H

#include "config/findings.h"
#include "lib/arena.h"

enum tree_kind { TREE_NULL, TREE_SCALAR, TREE_LIST, TREE_MAPPING };

enum {
	TREE_DEPTH_MAX = 48,      /* levels: a plan of 16 levels needs 35 */
	TREE_NODES_MAX = 200000,  /* nodes of a document */
	TREE_BYTES_MAX = 4 << 20, /* bytes of a file */
};

struct tree_node {
	enum tree_kind kind;
	unsigned line;          /* of the value, from 1 */
	unsigned key_line;      /* of the key, in a mapping; otherwise as line */
	struct span key;        /* in a mapping */
	struct span text;       /* of a scalar; NUL-terminated, without NUL inside */
	struct tree_node *next; /* sibling */
	struct tree_node *first;
	size_t count; /* children */
	bool bare;    /* a scalar of a JSON document that is no string */
};

/*
 * Reads one document. yaml: borrows only during the call; the tree is in the
 * arena. An empty document is a TREE_NULL. NULL after adding a finding.
 */
struct tree_node *tree_read(struct arena *arena, struct span yaml, struct findings *findings);

/* The first member of a mapping with that key; NULL when there is none. */
const struct tree_node *tree_member(const struct tree_node *mapping, const char *key);

/* Returns the line of that key in a section, that of the section when it lacks the key, or 0. section: NULL = there is
 * none. */
unsigned tree_line(const struct tree_node *section, const char *key);

/*
 * Calls found(context, again, first) for every member of a mapping whose key an
 * earlier member has. False when out of memory.
 */
bool tree_duplicates(const struct tree_node *mapping,
		     void (*found)(void *context, const struct tree_node *again, const struct tree_node *first),
		     void *context);

#endif
