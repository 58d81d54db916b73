/* SPDX-License-Identifier: MIT */
/*
 * What the parts of one simulator share. One thread, one epoll instance, one
 * timer heap; everything a connection does happens on its turn of the loop.
 *
 *   main → loop (epoll, turns) → listen (accept) → conn (HTTP/1.1, one call at a time)
 *        → call (what to answer, when, and with which fault) → answer (text) → wire (bytes)
 */
#ifndef SLUICE_TOOLS_SIM_SIM_H
#define SLUICE_TOOLS_SIM_SIM_H

#include "lib/timers.h"
#include "tools/sim/attempts.h"
#include "tools/sim/journal.h"
#include "tools/sim/model.h"
#include "tools/sim/options.h"

struct conn;

/* A descriptor in the epoll set, embedded first in its owner. */
struct source {
	void (*on_ready)(struct source *source, uint32_t events);
	int fd; /* -1 = closed */
};

struct listener {
	struct source source;
	struct sim *sim;
	struct address address; /* with the port that was bound */
	struct timer reopen;
};

/* The fault that holds for all calls until it is cleared. */
struct standing {
	char text[1024]; /* the list that was given; knobs borrow from it */
	struct knobs knobs;
	uint64_t calls; /* calls it was considered for */
	bool probes;    /* also for GET /models and /health */
};

struct sim_counters {
	uint64_t accepted, total, complete, peer_closed, faults, events, bytes, most_open;
};

struct sim {
	struct options options;
	int epoll_fd;
	int spare_fd; /* given up to accept and close one connection when descriptors run out */
	struct timers timers;
	struct listener main, control;
	struct conn *conns; /* open, newest first */
	struct conn *dead;  /* closed, freed when the loop turns */
	uint64_t conn_count;
	uint64_t last_conn_id;
	uint64_t random;
	struct standing standing;
	bool gate_open; /* calls with the setting `gate` do not wait */
	struct sim_counters counters;
	struct attempts attempts;
	struct journal journal;
	struct buf payload; /* scratch of the event being rendered */
	struct buf dress;   /* scratch of the same as SSE */
};

/* A deterministic pseudo-random number. */
static inline uint64_t sim_random(struct sim *sim)
{
	return model_mix(sim->random++);
}

#endif
