/* SPDX-License-Identifier: MIT */
/*
 * What comes from a peer that need not be a Redis: hiredis' reader is given
 * functions that build struct redis_reply, bounded in size, and that refuse an
 * answer nobody asked for, which hiredis' asynchronous part would meet with an
 * assertion.
 */
#ifndef SLUICE_CLIENTS_REDIS_REPLY_GUARD_H
#define SLUICE_CLIENTS_REDIS_REPLY_GUARD_H

#include <hiredis/read.h>

#include "clients/redis/redis.h"

enum {
	REDIS_REPLY_MOST = 16 * 1024 * 1024, /* bytes of an answer, in memory */
	REDIS_LINE_MOST = 64 * 1024          /* bytes of a status, an error or a number */
};

struct redis_reply_guard {
	unsigned expected;     /* answers that are still to come */
	size_t used;           /* bytes of the answer at hand */
	const char *violation; /* static; why the reader was told to fail, NULL = it was not */
};

/* The reader keeps pointing at gate. */
void redis_reply_guard_install(struct redis_reply_guard *gate, redisReader *reader);

/* Looks at what the reader holds of an answer that is not complete. False, with the violation set, when it is too
 * large. */
bool redis_reply_guard_admits(struct redis_reply_guard *gate, const redisReader *reader);

#endif
