/* SPDX-License-Identifier: MIT */
/*
 * Helper threads for work that would hold a loop's turn: parsing a large body, merging large answers, compressing.
 *
 * Serves all workers of the process. One network has at most all helpers but one at work. Networks take turns in the
 * queue, and so do the clients of each, so that large bodies of one never wait for another's, and nobody gets more
 * turns by calling itself many names. Jobs that are queued or at work hold at most OFFLOAD_BYTES_MOST bytes; beyond,
 * the network with the most bytes queued, and of it the client with the most, loses its newest job. The queue heals by
 * itself: every job ends.
 *
 * A job owns what its work touches, and answers on the loop that submitted it. Whoever waits for it and goes first
 * cancels it; a job that is at work then ends unheard.
 */
#ifndef SLUICE_SERVICE_LOOP_OFFLOAD_H
#define SLUICE_SERVICE_LOOP_OFFLOAD_H

#include "lib/span.h"
#include "schemas/metrics.h"
#include "service/loop/loop.h"

enum {
	OFFLOAD_JOBS_MOST = 8192,       /* queued or at work */
	OFFLOAD_BYTES_MOST = 512 << 20, /* of them */
	OFFLOAD_SMALL = 16384,          /* bytes of JSON that are never heavy */
	OFFLOAD_LARGE = 1 << 20,        /* bytes that always are */
	OFFLOAD_DENSE = 1024,           /* commas of JSON that make it heavy: each stands for a value */
};

/* The work that helpers do. */
enum offload_kind {
	OFFLOAD_DECODE,   /* read a request's body */
	OFFLOAD_KEEP,     /* make and compress an entry of the cache */
	OFFLOAD_MERGE,    /* merge answers */
	OFFLOAD_VOTE,     /* compare answers */
	OFFLOAD_METRICS,  /* write the metrics */
	OFFLOAD_GUNZIP,   /* unpack a request's body */
	OFFLOAD_ANSWER,   /* read a whole answer */
	OFFLOAD_RECAST,   /* give a kept answer in another form */
	OFFLOAD_INFLATE,  /* unpack a kept answer */
	OFFLOAD_TRANSLATE /* write a request in its backend's dialect */
};

struct offload;
struct offload_port;
struct offload_party;

/* Whose work it is: hashes. */
struct offload_owner {
	uint64_t network;
	uint64_t client;
};

/* One piece of work, embedded in its owner. */
struct offload_job {
	/* On a helper thread. Must not touch what anybody else may change, nor call into the loop. */
	void (*work)(struct offload_job *job);
	/* On the loop, when the work is done, or was refused. Takes the job back. Not after offload_cancel. */
	void (*done)(struct offload_job *job);
	/* On the loop, of a job that was cancelled: frees it. */
	void (*discard)(struct offload_job *job);
	enum offload_kind kind;
	struct offload_owner owner;
	size_t bytes; /* that it holds */
	bool refused; /* for done: too much is queued, nothing was done */
	/* the pool's own */
	struct offload_port *port;
	struct offload_party *of;
	struct offload_job *next; /* queued of the same client, oldest first */
	struct offload_job *before;
	bool queued;    /* under the pool's lock */
	bool cancelled; /* the loop's */
	struct loop_message message;
};

/* Starts threads helpers, at least 2. NULL: out of memory or threads. */
struct offload *offload_create(unsigned threads);
/* No job may be left. */
void offload_destroy(struct offload *offload);

/* A loop's way to the helpers, of that loop's thread only. metrics: borrows; may be NULL. NULL: out of memory. */
struct offload_port *offload_port_create(struct offload *offload, struct loop *loop, struct metrics_cells *metrics);
/* No job may be left. */
void offload_port_destroy(struct offload_port *port);

/* Jobs of the port that are queued, at work, or cancelled and not yet discarded. */
size_t offload_pending(const struct offload_port *port);

/* Queues a job; done is called in a later turn. The caller fills in what is above "the pool's own". */
void offload_submit(struct offload_port *port, struct offload_job *job);

/* Nobody waits for the job any more: it is discarded, now or when its work ends. */
void offload_cancel(struct offload_job *job);

/* Estimates the work that a JSON text is. Returns whether it would hold a turn (about 2 ms or more). */
bool offload_is_heavy(struct span json);

#endif
