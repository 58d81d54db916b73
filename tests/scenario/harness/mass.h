/* SPDX-License-Identifier: MIT */
/*
 * Thousands of exchanges at once from one thread: an epoll loop over many
 * HTTP/1.1 connections, or over many streams on several HTTP/2 connections, or
 * over all of these. Each job may leave at a moment of its own, and go to one of several services.
 */
#ifndef SLUICE_TESTS_HARNESS_MASS_H
#define SLUICE_TESTS_HARNESS_MASS_H

#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/sim.h"

enum { MASS_SERVICES = 2 };

enum mass_leave {
	MASS_STAYS,
	MASS_LEAVES_MID_REQUEST, /* half of the request was sent */
	MASS_LEAVES_AFTER_TIME,  /* leave_at microseconds after the request was sent */
	MASS_LEAVES_AFTER_BYTES, /* leave_at bytes of the answer's body arrived */
};

struct mass_job {
	const char *path;          /* NULL = /v1/chat/completions; borrows */
	const char *body;          /* of the POST; NULL = it is a GET that stays; borrows */
	const char *authorization; /* borrows; NULL = none */
	unsigned service;          /* which of them it asks; below services */
	enum mass_leave leaves;
	uint64_t leave_at;
	enum leave how;
	/* results */
	bool left; /* it left, or its connection was closed by a neighbour that left */
	struct answer answer;
	/* the mass's own */
	uint64_t started_us;
	struct h2_stream *stream;
};

enum { MASS_MIXED = VIA_COUNT }; /* as a via: connections take turns */

struct mass {
	const struct sluice *sluice;
	const struct sluice *others[MASS_SERVICES - 1]; /* services 1 and up; the first is service 0 */
	unsigned services;                              /* 0 = one */
	int via;                                        /* enum via, or MASS_MIXED */
	size_t connections;                             /* at once, shared out among the services */
	size_t streams;                                 /* at once per HTTP/2 connection; 1 for HTTP/1.1 */
	size_t reuse; /* jobs that follow each other on a HTTP/1.1 connection, where it is kept; 0 = 1 */
	struct mass_job *jobs;
	size_t count;
	uint64_t until_us;                  /* on clock_us: no job starts later; 0 = all do */
	size_t started;                     /* result: so many jobs, the first ones */
	void (*on_turn)(struct mass *mass); /* now and then while they run; NULL = nothing */
	/* A job is over: may judge and free its answer, and check-fail. NULL = nothing. */
	void (*on_end)(struct mass *mass, struct mass_job *job);
	/* Its gate opens once each job is over or under way: not before, and no later. NULL = none. */
	const struct sim *gate;
	void *user;       /* of these */
	size_t over;      /* result, and for on_turn: how many jobs are over */
	size_t most_open; /* result: the most jobs that were open at once */
};

/* So many jobs that post the same body, which is borrowed. The caller frees them, once mass_free_answers has run. */
struct mass_job *mass_jobs(size_t count, const char *body);

/* All jobs at once, over every way in, on at most 30 connections. */
struct mass mass_crowd(const struct sluice *sluice, struct mass_job *jobs, size_t count);

/* Runs all jobs to their end, those that may start. Fails the test when nothing moves for the hang guard. */
void mass_run(struct mass *mass);

/* Frees the answers of all jobs. */
void mass_free_answers(struct mass *mass);

#endif
