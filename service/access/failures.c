/* SPDX-License-Identifier: MIT */
/* A table of rows of four, under one lock that only wrong keys take; failures.h holds the contract. */
#include "service/access/failures.h"

#include <pthread.h>
#include <stdlib.h>

#include "lib/hash.h"
#include "lib/random.h"

enum { ROWS = 1024, WAYS = 4 };

#define MINUTE_US UINT64_C(60000000)

struct failure_cell {
	uint64_t network;
	uint64_t due_us; /* when all that was counted is forgotten; in the past = a place that is free */
};

struct access_failures {
	pthread_mutex_t lock;
	uint64_t step_us; /* a failure's share of the minute */
	uint64_t seed;    /* nobody outside can choose a row */
	struct failure_cell rows[ROWS][WAYS];
};

struct access_failures *access_failures_create(unsigned per_minute)
{
	struct access_failures *failures = calloc(1, sizeof(*failures));
	if (failures == NULL)
		return NULL;
	pthread_mutex_init(&failures->lock, NULL);
	failures->step_us = MINUTE_US / per_minute;
	failures->seed = random_secret();
	return failures;
}

void access_failures_destroy(struct access_failures *failures)
{
	if (failures == NULL)
		return;
	pthread_mutex_destroy(&failures->lock);
	free(failures);
}

/* The network's cell, or the one of its row that has the least to wait. */
static struct failure_cell *find_cell(struct access_failures *failures, uint64_t network)
{
	struct failure_cell *row = failures->rows[hash_mix(network, failures->seed) % ROWS], *least = &row[0];
	for (size_t i = 0; i < WAYS; i++) {
		if (row[i].network == network && row[i].due_us != 0)
			return &row[i];
		if (row[i].due_us < least->due_us)
			least = &row[i];
	}
	*least = (struct failure_cell){.network = network};
	return least;
}

uint64_t access_failures_count(struct access_failures *failures, uint64_t network, uint64_t now_us)
{
	uint64_t wait_us = 0;
	pthread_mutex_lock(&failures->lock);
	struct failure_cell *cell = find_cell(failures, network);
	uint64_t due_us = (cell->due_us > now_us ? cell->due_us : now_us) + failures->step_us;
	if (due_us > now_us + MINUTE_US)
		wait_us = due_us - now_us - MINUTE_US;
	else
		cell->due_us = due_us;
	pthread_mutex_unlock(&failures->lock);
	return wait_us;
}
