/* SPDX-License-Identifier: MIT */
/*
 * Thousands of exchanges at once from one thread: an epoll loop over many
 * HTTP/1.1 connections, or over many streams on several HTTP/2 connections.
 * Each job may leave at a moment of its own, and go to one of several services.
 */
#ifndef SLUICE_TESTS_HARNESS_MASS_H
#define SLUICE_TESTS_HARNESS_MASS_H

#include "tests/scenario/harness/client.h"

enum { MASS_SERVICES = 2 };

enum mass_leave {
	MASS_STAYS,
	MASS_LEAVES_MID_REQUEST, /* half of the request was sent */
	MASS_LEAVES_AFTER_TIME,  /* leave_at microseconds after the request was sent */
	MASS_LEAVES_AFTER_BYTES, /* leave_at bytes of the answer's body arrived */
};

struct mass_job {
	const char *body;          /* of POST /v1/chat/completions; borrows */
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

struct mass {
	const struct sluice *sluice;
	const struct sluice *others[MASS_SERVICES - 1]; /* services 1 and up; the first is service 0 */
	unsigned services;                              /* 0 = one */
	enum via via;
	size_t connections; /* at once, shared out among the services */
	size_t streams;     /* at once per HTTP/2 connection; 1 for HTTP/1.1 */
	struct mass_job *jobs;
	size_t count;
	void (*on_turn)(struct mass *mass); /* now and then while they run; NULL = nothing */
	/* A job is over: may judge and free its answer, and check-fail. NULL = nothing. */
	void (*on_end)(struct mass *mass, struct mass_job *job);
	void *user;       /* of these */
	size_t over;      /* result, and for on_turn: how many jobs are over */
	size_t most_open; /* result: the most jobs that were open at once */
};

/* Runs all jobs to their end. Fails the test when nothing moves for the hang guard. */
void mass_run(struct mass *mass);

/* Frees the answers of all jobs. */
void mass_free_answers(struct mass *mass);

#endif
