/* SPDX-License-Identifier: MIT */
/*
 * The Redis client: one server, a Redis Cluster, or a master that sentinels
 * name. It is never on anybody's critical path: it does not block, an answer
 * comes at the latest at the deadline that the caller gave, and when Redis is
 * known not to answer a command costs nothing at all.
 *
 * struct redis_shared belongs to the process: what is known of the servers, one
 * log line for each change of it, metrics; any thread. struct redis belongs to
 * one worker, with its connections on that worker's reactor; nothing of it may
 * be used by another thread.
 *
 *   on_reply() of a command comes exactly once, or never after redis_cancel()
 *   or redis_destroy(); never from inside the function that sends it.
 *
 * There is no TLS (hiredis 0.14 has none).
 */
#ifndef SLUICE_CLIENTS_REDIS_REDIS_H
#define SLUICE_CLIENTS_REDIS_REDIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/span.h"
#include "schemas/metrics.h"

struct buf;
struct config_redis;
struct reactor;
struct redis_shared;
struct redis;

/*
 * config: borrows, must outlive it. NULL when out of memory, or with "redis.tls.KEY: FILE: what is wrong; expected …"
 * appended to why when a file of redis.tls is not what it should be.
 */
struct redis_shared *redis_shared_create(const struct config_redis *config, struct buf *why);
/* When no worker's struct redis is left. */
void redis_shared_destroy(struct redis_shared *shared);
/* The value of one of the READ_… metrics of Redis; false when it is none of them. Any thread. */
bool redis_shared_read_metric(struct redis_shared *shared, enum metric metric, double *value);

/* Starts connecting at once. reactor, cells (NULL = nothing is counted): borrows. NULL when out of memory or
 * descriptors. */
struct redis *redis_create(struct redis_shared *shared, struct reactor *reactor, struct metrics_cells *cells);
/* Pending commands and scans are not called back. Not from inside a callback of this client. NULL is harmless. */
void redis_destroy(struct redis *redis);

enum redis_kind {
	REDIS_NIL,
	REDIS_STATUS,  /* text */
	REDIS_INTEGER, /* integer */
	REDIS_BYTES,   /* text */
	REDIS_ARRAY,   /* elements */
	REDIS_ERROR,   /* text, which begins with a code such as WRONGTYPE */
	REDIS_SILENT   /* no answer: the deadline passed, or the connection was lost */
};

/* Lives during the callback. */
struct redis_reply {
	enum redis_kind kind;
	int64_t integer;
	struct span text;
	const struct redis_reply *elements;
	size_t count;
};

struct redis_slot;

/* Embedded in its owner, zero-initialised but for on_reply; must stay in place while it is pending. */
struct redis_command {
	void (*on_reply)(struct redis_command *command, const struct redis_reply *reply);
	struct redis_slot *slot; /* the client's own; NULL = not pending */
};

static inline bool redis_is_pending(const struct redis_command *command)
{
	return command->slot != NULL;
}

/*
 * Sends one command; all its keys are in one hash slot.
 *
 *   args         copied at once; its name first
 *   key          which of args is its (first) key, 0 = it has none
 *   deadline_us  on the reactor's clock, in the future. Deadlines that pass are what opens the breaker; a caller's own
 *                timer with redis_cancel() tells it nothing
 *
 * A command that is not known to read only counts as one that writes.
 * False: Redis is not to be had for it right now (not connected, breaker open, writes refused, too much in flight, out
 * of memory): nothing is sent and no callback follows.
 */
bool redis_send(struct redis *redis, struct redis_command *command, const struct span *args, size_t count, size_t key,
		uint64_t deadline_us);

/* A script for redis_eval(); text (a string constant) is borrowed for good. */
struct redis_script {
	const char *text;
	bool reads_only;
	char sha1[41]; /* by redis_script_init() */
};
void redis_script_init(struct redis_script *script, const char *text, bool reads_only);

/*
 * As redis_send, for a script with one key: KEYS[1] = key, ARGV = args. Sent by its digest; a server that does not know
 * it is sent the text once, within the same deadline.
 */
bool redis_eval(struct redis *redis, struct redis_command *command, const struct redis_script *script, struct span key,
		const struct span *args, size_t count, uint64_t deadline_us);

/* on_reply will not come; what was sent may still be carried out. Harmless when it is not pending. */
void redis_cancel(struct redis_command *command);

/* Whether a command that reads, or one that writes, would have a chance right now. */
bool redis_readable(const struct redis *redis);
bool redis_writable(const struct redis *redis);

/* The names of keys that match a pattern, on every master, little by little. Embedded in its owner; zero-initialised
 * but for the callbacks. */
struct redis_scan {
	/* keys live during the callback; a key may come twice (as of SCAN). Commands may be sent from here, and it may
	 * be cancelled. */
	void (*on_keys)(struct redis_scan *scan, const struct span *keys, size_t count);
	/* The last call. complete: false when a server did not answer, so that keys may be missing. */
	void (*on_end)(struct redis_scan *scan, bool complete);
	struct redis_scan_run *run; /* the client's own; NULL = not running */
};

/* pattern: as of SCAN … MATCH; copied. False: as redis_send. */
bool redis_scan_start(struct redis *redis, struct redis_scan *scan, struct span pattern);
/* No further callback. Harmless when it is not running. */
void redis_scan_cancel(struct redis_scan *scan);

#endif
