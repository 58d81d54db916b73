/* SPDX-License-Identifier: MIT */
/*
 * How replicas hear that somebody purged: a stream in Redis, PREFIX:1:purges, of the last thousand purges. One worker
 * of each process reads it every second, and purges the memory of its process.
 */
#ifndef SLUICE_SERVICE_CACHE_PURGE_WATCH_H
#define SLUICE_SERVICE_CACHE_PURGE_WATCH_H

#include "service/cache/remote.h"

struct purge_watch;

/* NULL: out of memory. */
struct purge_watch *purge_watch_create(struct remote *remote);
void purge_watch_destroy(struct purge_watch *watch);

/* Tells all replicas. False: not sent. */
bool purge_watch_announce(struct remote *remote, const struct remote_wanted *wanted);

#endif
