/* SPDX-License-Identifier: MIT */
/*
 * Commands to Redis that a thread waits for: those of stores, which have a thread and a loop of their own. Its loop is
 * turned meanwhile, so that messages to it run. No worker may call this.
 */
#ifndef SLUICE_SERVICE_LOOP_REDIS_CALLER_H
#define SLUICE_SERVICE_LOOP_REDIS_CALLER_H

#include "clients/redis/redis.h"

struct loop;

enum { REDIS_CALLER_WHY_MAX = 256 };

/* Reads a reply, which is no error and lives during the call. Returns false when it is none of the expected form. */
typedef bool (*redis_caller_read)(void *context, const struct redis_reply *reply);

struct redis_caller {
	struct redis *redis;
	struct loop *loop;
	uint64_t wait_us;
	const char *alien;              /* what is said of a reply of another form */
	char why[REDIS_CALLER_WHY_MAX]; /* the last call failed */
	/* of the call that runs */
	struct redis_command command;
	redis_caller_read read;
	void *context;
	bool done, good;
};

/* shared, loop, alien: borrows. Redis need not answer yet. False: out of memory or descriptors. */
bool redis_caller_init(struct redis_caller *caller, struct redis_shared *shared, struct loop *loop, unsigned wait_ms,
		       const char *alien);
/* Harmless after an init that failed. */
void redis_caller_fini(struct redis_caller *caller);

/* Sends a command, whose key is args[1], and waits for its reply, also for Redis to be there. False: caller->why says
 * why; without a reply it may have been carried out all the same. */
bool redis_caller_send(struct redis_caller *caller, const struct span *args, size_t count, redis_caller_read read,
		       void *context);

/* The same with a script: KEYS[1] = key, ARGV = args. */
bool redis_caller_eval(struct redis_caller *caller, const struct redis_script *script, struct span key,
		       const struct span *args, size_t count, redis_caller_read read, void *context);

#endif
