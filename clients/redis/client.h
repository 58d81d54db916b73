/* SPDX-License-Identifier: MIT */
/* A worker's Redis client, as the files of clients/redis share it; nobody else includes it. */
#ifndef SLUICE_CLIENTS_REDIS_CLIENT_H
#define SLUICE_CLIENTS_REDIS_CLIENT_H

#include <sys/queue.h>

#include "clients/redis/link.h"
#include "clients/redis/protocol.h"
#include "clients/redis/server.h"
#include "config/config.h"
#include "lib/reactor.h"

/* A server, a cluster or a sentinels' master: where commands go, and what its errors lead to. */
struct redis_mode {
	/* False: out of memory. */
	bool (*start)(struct redis *redis);
	void (*stop)(struct redis *redis);
	/* Where a command with that hash slot, or with none (-1), goes; NULL = nowhere yet. */
	struct redis_link *(*route)(struct redis *redis, int hash_slot);
	/* A slot was answered by an error of that effect. True: it is on its way again, nobody is to be told. */
	bool (*on_error)(struct redis_slot *slot, enum redis_effect effect, struct span text);
	/* The masters, for scans: how many, at most `most`. */
	size_t (*masters)(struct redis *redis, struct redis_link **masters, size_t most);
};

extern const struct redis_mode redis_single;
extern const struct redis_mode redis_cluster;
extern const struct redis_mode redis_sentinel;

enum redis_slot_state {
	REDIS_SLOT_ST_SENT,   /* hiredis has a pointer to it */
	REDIS_SLOT_ST_PARKED, /* until a connection stands */
	REDIS_SLOT_ST_PAUSED  /* before it is tried again */
};

/* A command on its way. It may outlive the interest in it: an answer cannot be called back. */
struct redis_slot {
	LIST_ENTRY(redis_slot) link;    /* of the client */
	TAILQ_ENTRY(redis_slot) parked; /* of the connection */
	struct redis *redis;
	struct redis_link *at;
	struct redis_command *command; /* NULL = nobody waits for it any more */
	const struct redis_script *script;
	struct timer deadline;
	struct timer pause;
	uint64_t started_us;
	uint64_t deadline_us;
	enum redis_slot_state state;
	enum redis_access access;
	bool trial;  /* a write, sent to see whether writes are taken again */
	bool whole;  /* the script was sent by its text */
	bool asking; /* to be preceded by ASKING */
	unsigned hops;
	int hash_slot; /* -1 = it has no key */
	size_t tail;   /* where the arguments behind a script's digest begin */
	size_t len;
	char *bytes; /* the command; with, or an allocation apart from, the slot */
	char with[];
};

struct redis {
	struct redis_shared *shared;
	const struct config_redis *config;
	const struct redis_mode *mode;
	struct reactor *reactor;
	struct metrics_cells *cells;
	struct lookups *lookups;
	LIST_HEAD(redis_slot_list, redis_slot) slots;
	LIST_HEAD(redis_scan_list, redis_scan_run) scans;
	LIST_HEAD(redis_link_list, redis_link) links; /* all of them */
	struct task bury;                             /* of links that are to go */
	bool stopping;                                /* nothing is called back */
	void *state;                                  /* the mode's */
};

static inline uint64_t redis_now(struct redis *redis)
{
	return timers_now(&redis->reactor->timers);
}

/* Sends a slot on a connection that is ready, or parks it there until it is. False: it cannot be; the slot is as
 * before. */
bool redis_slot_send(struct redis_slot *slot, struct redis_link *link);
/* Nobody is going to answer it. */
void redis_slot_fail(struct redis_slot *slot);
/* Sends it to where its mode routes it in a while. */
void redis_slot_pause(struct redis_slot *slot, uint64_t delay_us);

/* As redis_send, on that connection, for the client's own questions. */
bool redis_send_on(struct redis_link *link, struct redis_command *command, const struct span *args, size_t count,
		   uint64_t deadline_us);

void redis_scans_stop(struct redis *redis);

#endif
