/* SPDX-License-Identifier: MIT */
/*
 * How replicas hear that somebody purged or renewed: two streams in Redis, PREFIX:1:purges and PREFIX:1:renewals, of
 * the last thousand of each. One worker of each process reads them every second, and removes from the memory of its
 * process what they name; the log of purges (purge_log.h) remembers what was heard.
 */
#ifndef SLUICE_SERVICE_CACHE_REPLICA_PURGES_H
#define SLUICE_SERVICE_CACHE_REPLICA_PURGES_H

#include "service/cache/remote.h"

struct replica_purges;

/* NULL: out of memory. */
struct replica_purges *replica_purges_create(struct remote *remote, enum purge_kind kind);
void replica_purges_destroy(struct replica_purges *watch);

/*
 * Tells all replicas of a purge, or of a renewal when the filter spares an answer. on_told: hears Redis' reply, an id
 * of the stream; NULL = nobody does. Returns false when it is not sent.
 */
bool replica_purges_announce(struct remote *remote, const struct store_filter *filter, remote_told on_told,
			     void *context);

/*
 * Has the streams read on this worker's own connection, in front of what it asks next, when nothing was heard yet:
 * until then nothing is taken from Redis.
 */
void replica_purges_hurry(struct remote *remote);

/* Asks for what the stream of purges has behind what was heard; the reply is for replica_purges_take. False: not sent.
 */
bool replica_purges_ask(struct remote *remote, remote_told on_told, void *context);

/* Removes from memory what the reply to replica_purges_ask names. Returns false when it is no such reply. */
bool replica_purges_take(struct remote *remote, const struct redis_reply *reply);

/* Returns the filter in the words of the streams and of the names in Redis. */
struct remote_wanted purge_wanted(const struct remote *remote, const struct store_filter *filter);

#endif
