/* SPDX-License-Identifier: MIT */
/*
 * The keeper of the store's keys: a thread that looks for changes every auth.refresh, gives the workers the newest copy
 * (key_feed.h), and runs the operations of /admin/keys one after the other. No worker ever waits for the store.
 *
 * It serves all clients of /admin/keys; at most KEEPER_JOBS_MOST of their operations wait. It heals by itself: what
 * does not answer is asked again, and every operation ends.
 */
#ifndef SLUICE_SERVICE_ACCESS_KEEPER_H
#define SLUICE_SERVICE_ACCESS_KEEPER_H

#include "service/access/key_book.h"
#include "service/access/key_feed.h"
#include "service/loop/jobs.h"

enum { KEEPER_JOBS_MOST = 4096 };

struct config;
struct keeper;
struct redis_shared;

/* Starts the thread, and waits for its first look at the store, which need not answer. config, redis: borrows. NULL:
 * out of memory, threads or descriptors. */
struct keeper *keeper_create(const struct config *config, struct redis_shared *redis);
/* No job may be left. NULL is harmless. */
void keeper_destroy(struct keeper *keeper);

/* What workers look keys up in. */
struct key_feed *keeper_feed(struct keeper *keeper);

/* Returns how many keys the copy has, and whether the store answered last. Any thread. */
size_t keeper_count(struct keeper *keeper);
bool keeper_is_up(struct keeper *keeper);

/* Where operations are submitted. */
struct jobs *keeper_jobs(struct keeper *keeper);

/* An operation, embedded in its owner. */
struct keeper_job {
	struct job job;
	struct key_task task;
};

#endif
