/* SPDX-License-Identifier: MIT */
/* Two replicas of the service with one simulator and one real Redis between them. */
#ifndef SLUICE_TESTS_HARNESS_REPLICAS_H
#define SLUICE_TESTS_HARNESS_REPLICAS_H

#include "tests/redis/redis_server.h"
#include "tests/scenario/harness/sim.h"
#include "tests/scenario/harness/sluice.h"

enum { REPLICAS = 2, REPLICAS_NAME_MOST = 512 };

struct replicas {
	struct sim *sim;
	struct redis_process *redis;
	struct sluice *each[REPLICAS];
};

/* Only what they need: the simulator and Redis. All of it ends at tear-down. */
struct replicas replicas_prepare(void);
/* The same; redis: more lines of Redis' configuration. */
struct replicas replicas_prepare_with(const char *redis);

/*
 * One replica: backends `sim` and `dead`, Redis with a budget of 5s (so that no judgement depends on how busy the
 * machine is; what is done within it is counted), and the rest of its configuration.
 */
struct sluice *replicas_add(const struct replicas *replicas, const char *rest);

/* Everything, ready, connected to Redis. */
struct replicas replicas_start(const char *rest);
/* The same; redis: more lines of Redis' configuration. */
struct replicas replicas_start_with(const char *redis, const char *rest);

/* What is waited for in scenarios about what goes wrong, as the file says it. */
struct haste {
	const char *silence; /* of the backend, before and within an answer */
	const char *budget;  /* for Redis */
};

/* The same with Redis at that port, and a backend and Redis that are given up on sooner. */
struct sluice *replicas_add_hasty(const struct replicas *replicas, int redis_port, const struct haste *haste,
				  const char *rest);

/* Waits until what the first one keeps is given by the second one. model: one of rest's, of any simulator's name. */
void replicas_wait_sharing(const struct replicas *replicas, const char *model);

/* Waits until nothing is under way anywhere, and no lease is held. */
void replicas_wait_idle(const struct replicas *replicas);

/* Waits until all its workers have Redis. */
void replicas_wait_up(const struct sluice *sluice);

/* sluice_cache_redis_total of that replica and result; waits until it is at least count. */
double replicas_redis(const struct replicas *replicas, int replica, const char *result);
void replicas_await(const struct replicas *replicas, int replica, const char *result, double count);

/* How many answers are in Redis, and the name of the first one. name: NULL = not asked for. */
size_t replicas_answers(const struct replicas *replicas, char name[REPLICAS_NAME_MOST]);

#endif
