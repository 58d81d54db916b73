/* SPDX-License-Identifier: MIT */
/* The walk over the configuration's tree, as walk.c, walk_keys.c and walk_models.c share it. Nobody else includes this.
 */
#ifndef SLUICE_CONFIG_WALK_INTERNAL_H
#define SLUICE_CONFIG_WALK_INTERNAL_H

#include "config/keys.h"
#include "config/plan.h"
#include "config/reader.h"
#include "config/walk.h"

enum { WALK_PATH_MAX = 512 };

struct walk {
	struct snapshot *snapshot;
	struct config_model *models;   /* the snapshot's, once they are read */
	struct reader in;              /* its arena is the snapshot's */
	struct plan_reader reader;     /* of the models' plans */
	char path[WALK_PATH_MAX];      /* of the key at hand, for messages */
	const struct tree_node *plans; /* the mapping of models, read last */
	const struct tree_node *cache; /* the mapping of models' caching, read after plans */
};

/* Extends the path of the key at hand; returns what walk_leave() needs. */
size_t walk_enter(struct walk *walk, struct span name);
void walk_leave(struct walk *walk, size_t len);

/* Returns whether the node is of that kind, or adds a finding. */
bool walk_expect(struct walk *walk, const struct tree_node *node, enum tree_kind kind, const struct key *key);

/* Stores every default of a struct. */
void walk_defaults(struct walk *walk, enum key_owner which, void *owner);

/* Reads a mapping. section: its path in the table. owner: the struct that its keys go into. */
void walk_section(struct walk *walk, const char *section, const struct tree_node *node, void *owner);

/* Adds a finding for each required key of the section that the mapping lacks. */
void walk_required(struct walk *walk, const char *section, const struct tree_node *node);

/* The entries of a mapping of names, each a struct of its own, in the arena; NULL when out of memory. */
struct walk_entries {
	void *list;
	size_t count;
};

/* Reads one entry into its struct, which is all zero. The walk's path is the entry's. */
typedef void (*walk_entry_fn)(struct walk *walk, const struct tree_node *node, void *entry);

/* Reads each entry of a mapping into a struct of that size. Names that come twice are findings. */
struct walk_entries walk_entries(struct walk *walk, const struct tree_node *node, size_t size, walk_entry_fn read);

/* As walk_entries(), for a mapping that may be empty; another value than a mapping is a finding. */
struct walk_entries walk_mapping(struct walk *walk, const struct key *key, const struct tree_node *node, size_t size,
				 walk_entry_fn read);

/* Reads the value of an entry or section into owner: a mapping, one value where the section has a short key, or
 * nothing, which lacks what is required. section: its path in the table. */
void walk_entry(struct walk *walk, const char *section, const struct tree_node *node, void *owner);

/* Adds a finding when the entry's name is none. what: whose name, "a key's". */
void walk_name(struct walk *walk, const struct tree_node *node, const char *what);

/* Reads what clients may use, and what targets cost. */
/* Refuses a second rate of one window. */
void walk_rates(struct walk *walk, const struct tree_node *node, const struct config_rates *rates);
void walk_quotas(struct walk *walk, const struct key *key, const struct tree_node *node);
/* Reads the shares of a quota. */
void walk_shares(struct walk *walk, const struct key *key, const struct tree_node *node, struct config_quota *quota);
/* Adds a finding for each share that the quota cannot guarantee. node: the quota's. */
void walk_check_shares(struct walk *walk, const struct tree_node *node, const struct config_quota *quota);
void walk_prices(struct walk *walk, const struct key *key, const struct tree_node *node);

/* Reads the weights of tenants. */
void walk_tenants(struct walk *walk, const struct key *key, const struct tree_node *node);

/* Reads the keys of clients. */
void walk_keys(struct walk *walk, const struct key *key, const struct tree_node *node);

/* Reads the issuers of tokens. */
void walk_issuers(struct walk *walk, const struct key *key, const struct tree_node *node);

/* Reads the models and their plans, once all backends are known. */
void walk_models(struct walk *walk, const struct tree_node *node);

/* Gives every model the rule of all, but for what it says itself. */
void walk_caching(struct walk *walk);

#endif
