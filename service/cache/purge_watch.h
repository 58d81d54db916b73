/* SPDX-License-Identifier: MIT */
/*
 * How replicas hear that somebody purged or renewed: two streams in Redis, PREFIX:1:purges and PREFIX:1:renewals, of
 * the last thousand of each. One worker of each process reads them every second, and removes from the memory of its
 * process what they name; the log of purges (purge_log.h) remembers what was heard.
 */
#ifndef SLUICE_SERVICE_CACHE_PURGE_WATCH_H
#define SLUICE_SERVICE_CACHE_PURGE_WATCH_H

#include "service/cache/remote.h"

struct purge_watch;

/* NULL: out of memory. */
struct purge_watch *purge_watch_create(struct remote *remote, enum purge_kind kind);
void purge_watch_destroy(struct purge_watch *watch);

/*
 * Tells all replicas of a purge, or of a renewal when the filter spares an answer. on_told: hears Redis' reply, an id
 * of the stream; NULL = nobody does. Returns false when it is not sent.
 */
bool purge_watch_announce(struct remote *remote, const struct store_filter *filter, remote_told on_told, void *context);

/*
 * Has the streams read on this worker's own connection, in front of what it asks next, when nothing was heard yet:
 * until then nothing is taken from Redis.
 */
void purge_watch_hurry(struct remote *remote);

/* Asks for what the stream of purges has behind what was heard; the reply is for purge_watch_take. False: not sent. */
bool purge_watch_ask(struct remote *remote, remote_told on_told, void *context);

/* Removes from memory what the reply to purge_watch_ask names. Returns false when it is no such reply. */
bool purge_watch_take(struct remote *remote, const struct redis_reply *reply);

/* Returns the filter in the words of the streams and of the names in Redis. */
struct remote_wanted purge_wanted(const struct remote *remote, const struct store_filter *filter);

#endif
