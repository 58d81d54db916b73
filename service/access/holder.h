/* SPDX-License-Identifier: MIT */
/*
 * Who asks: what a key or token proved. A holder is counted, so that a request goes on with what it was let in with,
 * whatever becomes of the key. One worker's; for its thread alone, but for reading.
 */
#ifndef SLUICE_SERVICE_ACCESS_HOLDER_H
#define SLUICE_SERVICE_ACCESS_HOLDER_H

#include "config/config.h"

struct holder {
	const struct config_key *key;           /* name, tenant and rights */
	const char *id;                         /* as logs and metrics show it */
	uint32_t metrics_number;                /* of key_metrics.h, which sets it; 0 = none yet */
	unsigned count;                         /* references */
	void (*destroy)(struct holder *holder); /* when the last one is dropped */
};

/* Adds a reference. NULL is harmless, here and below: nobody was asked who he is. */
static inline struct holder *holder_hold(struct holder *holder)
{
	if (holder != NULL)
		holder->count++;
	return holder;
}

static inline void holder_drop(struct holder *holder)
{
	if (holder != NULL && --holder->count == 0)
		holder->destroy(holder);
}

/* Returns what the holder may do; NULL: everything, since nobody was asked. */
static inline const struct config_key *holder_key(const struct holder *holder)
{
	return holder == NULL ? NULL : holder->key;
}

#endif
