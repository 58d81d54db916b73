/* SPDX-License-Identifier: MIT */
/*
 * Real redis-server processes for tests: each in a directory of its own under
 * /tmp, on a unix socket and a free port of the loopback. They end with the
 * test, however it ends.
 */
#ifndef SLUICE_TESTS_REDIS_REDIS_SERVER_H
#define SLUICE_TESTS_REDIS_REDIS_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { REDIS_SERVER_TEXT_MAX = 1 << 16 };

struct redis_process {
	pid_t pid; /* 0 = not running */
	int port;
	bool sentinel;
	char directory[64];
	char socket[96];
	char options[1024];
	char password[32];                /* what redis_process_say() says first; "" = nothing */
	char text[REDIS_SERVER_TEXT_MAX]; /* the last answer of redis_process_say() */
};

/*
 * Starts a server and waits until it answers. options: lines for its configuration file, "" for none. Aborts when it
 * does not come up within 30 seconds.
 */
struct redis_process *redis_process_start(const char *options);
/* The same as a sentinel; options: what it watches. */
struct redis_process *redis_process_start_sentinel(const char *options);
/* Ends it, and removes its directory. NULL is harmless. */
void redis_process_stop(struct redis_process *process);

/* A signal for the process: SIGSTOP, SIGCONT; SIGKILL and SIGTERM also wait for its end. */
void redis_process_signal(struct redis_process *process, int signal);
/* Starts it again where it was, with the same options, and waits until it answers (anything). */
void redis_process_restart(struct redis_process *process);

/*
 * One command, its words by single spaces, over a connection of its own that waits for the answer. Returns the answer
 * as the protocol has it, cut at REDIS_SERVER_TEXT_MAX - 1 bytes; "" when the server cannot be reached. It lives until
 * the next one.
 */
const char *redis_process_say(struct redis_process *process, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Waits until the answer to a command holds a text; aborts after 30 seconds. */
void redis_process_await(struct redis_process *process, const char *command, const char *text);

/* A port of the loopback that was free a moment ago, such that 10000 more is a port, too. */
int redis_free_port(void);

/* Makes a cluster of n servers, none with replicas, and waits until it serves. */
void redis_cluster_start(struct redis_process **nodes, size_t count);

#endif
