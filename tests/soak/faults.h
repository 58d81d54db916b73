/* SPDX-License-Identifier: MIT */
/* Faults of the parts around the service, one at a time: a backend that goes away or goes mad, and Redis. */
#ifndef SLUICE_TESTS_SOAK_FAULTS_H
#define SLUICE_TESTS_SOAK_FAULTS_H

#include <stddef.h>

#include "tests/redis/redis_server.h"
#include "tests/scenario/harness/sim.h"
#include "tests/scenario/harness/sluice.h"

struct faults {
	const struct sluice *sluice;
	const struct sim *flaky;
	struct redis_process *redis;
	size_t next;               /* the fault that comes next */
	const struct fault *under; /* the one that is under way; NULL = none */
};

/* Lines for the configuration of the Redis server. */
extern const char faults_redis_options[];

/* The next fault of the list begins; its name. */
const char *faults_begin(struct faults *faults);

/* The one that is under way, if any, is over. */
void faults_end(struct faults *faults);

#endif
