/* SPDX-License-Identifier: MIT */
/*
 * The keeper of the record of use: a thread that adds what workers recorded to the store, about once a second, and
 * answers questions about it (GET /admin/usage). No worker ever waits for it.
 *
 *   usage_record_…() ─► recorder of a worker ─► keeper: what is not stored yet ─► store (SQLite, Redis)
 *
 * While the store does not answer, up to USAGE_UNSTORED_MOST rows wait for it, besides as many that it may have got;
 * then keys are counted together (table.h). It heals by itself. It serves all clients of /admin/usage; at most
 * USAGE_JOBS_MOST questions wait.
 */
#ifndef SLUICE_SERVICE_USAGE_KEEPER_H
#define SLUICE_SERVICE_USAGE_KEEPER_H

#include "service/loop/jobs.h"
#include "service/usage/question.h"
#include "service/usage/table.h"

enum { USAGE_UNSTORED_MOST = 100000, USAGE_JOBS_MOST = 256 };

struct config;
struct redis_shared;
struct usage_keeper;

/* Starts the thread. config, redis: borrows; redis NULL = there is none. The store need not answer. NULL: out of
 * memory, threads or descriptors. */
struct usage_keeper *usage_keeper_create(const struct config *config, struct redis_shared *redis);
/* Stores what it still has; what cannot be stored is counted and logged as lost. No recorder and no job may be left.
 * NULL is harmless. */
void usage_keeper_destroy(struct usage_keeper *keeper);

/* Returns the day of today, UTC, in days since 1970-01-01. */
uint32_t usage_today(void);

/* What a worker recorded. */
struct usage_batch {
	struct usage_table table;
	/* the keeper's own */
	struct loop_message message;
	struct usage_keeper *keeper;
	atomic_uint *on_way;
};

/* Hands a batch over; takes it. *on_way: counted up now, and down once the batch was taken; NULL = nobody counts. */
void usage_keeper_take(struct usage_keeper *keeper, struct usage_batch *batch, atomic_uint *on_way);

/* Counts rows that could not be kept. Any thread. */
void usage_keeper_lose(struct usage_keeper *keeper, uint64_t rows);

/* For metrics; any thread. Rows that are kept, stored or not, and rows that were lost. */
uint64_t usage_keeper_rows(struct usage_keeper *keeper);
uint64_t usage_keeper_lost(struct usage_keeper *keeper);
/* Returns whether the store answered last. */
bool usage_keeper_is_up(struct usage_keeper *keeper);

/* Where questions are submitted. */
struct jobs *usage_keeper_jobs(struct usage_keeper *keeper);

/* A question, embedded in its owner. */
struct usage_job {
	struct job job;
	struct usage_question question;
};

#endif
