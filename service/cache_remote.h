/* SPDX-License-Identifier: MIT */
/* `sluice cache show` and `sluice cache purge`: the cache of a service that runs, by its /admin/cache. */
#ifndef SLUICE_SERVICE_CACHE_REMOTE_H
#define SLUICE_SERVICE_CACHE_REMOTE_H

#include "lib/buf.h"

/* What the command line says; NULL = it does not say. */
struct cache_remote {
	const char *url; /* of the service's admin listener, or "unix:" and a path */
	const char *key;
	const char *model;
	const char *tenant;
	bool text; /* the answer itself is told, too */
};

/* Tells what is kept under the key. False with why not appended instead. */
bool cache_remote_show(const struct cache_remote *what, struct buf *out);

/* Purges what key, model and tenant have in common, without any of them everything, and tells how much it was. False
 * with what is wrong appended instead. */
bool cache_remote_purge(const struct cache_remote *what, struct buf *out);

#endif
