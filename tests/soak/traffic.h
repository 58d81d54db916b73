/* SPDX-License-Identifier: MIT */
/*
 * The mixed traffic of the soak: a table of kinds of requests, each with what it
 * asks for and which answers are right, and the batches that are drawn from it.
 */
#ifndef SLUICE_TESTS_SOAK_TRAFFIC_H
#define SLUICE_TESTS_SOAK_TRAFFIC_H

#include <stdint.h>

#include "tests/scenario/harness/mass.h"

enum { TRAFFIC_KINDS_MOST = 64 };

struct traffic {
	const struct sluice *sluice;
	uint64_t random; /* the state of its dice */
	size_t requests; /* that were sent */
	struct {
		size_t right;         /* whole answers, and refusals that were asked for */
		size_t failed;        /* truthful failures, where a fault explains them */
		size_t left;          /* the client left, or its connection was closed by a neighbour that left */
	} counts[TRAFFIC_KINDS_MOST]; /* by the rows of the table */
};

/* Appends the backends and models that the table asks for, as YAML. The ports are of three simulators. */
void traffic_config(struct bytes *yaml, int flaky, int steady, int narrow);

/* A number below sides. */
uint64_t traffic_roll(struct traffic *traffic, uint64_t sides);

/*
 * Runs requests over all four ways in until until_us (on clock_us) or until it has
 * been a large batch, calling on_turn(user) now and then, and judges every answer: fails the test when one is neither
 * right nor a failure that its kind may have.
 */
void traffic_run(struct traffic *traffic, uint64_t until_us, void (*on_turn)(void *user), void *user);

/* Prints the counts of all kinds; fails the test when a kind never had the answer it can have. */
void traffic_close(const struct traffic *traffic);

#endif
