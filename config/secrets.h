/* SPDX-License-Identifier: MIT */
/*
 * The secrets of a configuration, and reading again those that are in files: the one part of a snapshot that changes,
 * by cells (lib/secret.h).
 */
#ifndef SLUICE_CONFIG_SECRETS_H
#define SLUICE_CONFIG_SECRETS_H

#include "lib/arena.h"
#include "lib/buf.h"
#include "lib/secret.h"

struct config;

struct config_secret {
	struct config_secret *next;
	struct secret *secret;
	const char *place;     /* the key's path: "backends.alpha.api_key" */
	struct span raw;       /* as the file says it; {NULL,0} = nothing of it is in a file */
	const char *directory; /* where relative paths begin */
};

enum config_secret_change {
	CONFIG_SECRET_SAME,
	CONFIG_SECRET_NEW,   /* it was replaced */
	CONFIG_SECRET_FIXED, /* it has changed, and stays as it was: what was made with it would be of no use */
	CONFIG_SECRET_BAD    /* it cannot be used, and stays as it was */
};

/*
 * Adds a secret with that text to the list; it is fixed when its place is auth.pepper. place, raw: copied to the arena;
 * directory: borrows. NULL: out of memory.
 */
struct secret *config_secrets_add(struct config_secret **list, struct arena *arena, const char *place, struct span raw,
				  struct span text, const char *directory);
/* Lets go of all of them. */
void config_secrets_drop(struct config_secret *list);

/* Returns whether some secret is in a file. */
bool config_secrets_may_change(const struct config *config);

/* Reads a secret again that has a raw text. BAD: why says the reason, which names the file and not what it has. */
enum config_secret_change config_secret_read(const struct config_secret *secret, struct buf *why);

#endif
