/* SPDX-License-Identifier: MIT */
/*
 * Whose requests failed: those of one client, or of several. What fails for one client alone may be the fault of its
 * requests, and what follows from it holds for that client only. Its owner locks and says when it starts anew.
 */
#ifndef SLUICE_SERVICE_HEALTH_BLAME_H
#define SLUICE_SERVICE_HEALTH_BLAME_H

#include <stdbool.h>
#include <stdint.h>

/* Zero-initialised: nobody's failed. */
struct blame {
	bool any, several;
	uint64_t client; /* whose, when only one's did */
};

/* A request of that client failed. */
static inline void blame_note(struct blame *blame, uint64_t client)
{
	blame->several |= blame->any && blame->client != client;
	if (!blame->any)
		blame->client = client;
	blame->any = true;
}

/* A failure that no request can cause. */
static inline void blame_all(struct blame *blame)
{
	blame->any = blame->several = true;
}

/* What was noted in other was noted here, too. */
static inline void blame_join(struct blame *blame, const struct blame *other)
{
	if (other->any)
		blame_note(blame, other->client);
	blame->several |= other->several;
}

/* True when only requests of others, and all of one client, failed. */
static inline bool blame_spares(const struct blame *blame, uint64_t client)
{
	return blame->any && !blame->several && blame->client != client;
}

#endif
