/* SPDX-License-Identifier: MIT */
/*
 * A neighbour: a client of its own address that goes on with what it does while
 * a scenario misbehaves. It asks one after the other for a whole answer, a
 * stream over HTTP/2, an answer that the cache has, and /livez, and counts
 * answers and errors; it judges no times.
 *
 * make bench-neighbours has its times printed (SLUICE_NEIGHBOUR_TIMES is set): those of a while before the scenario
 * goes on, beside those after.
 */
#ifndef SLUICE_TESTS_HARNESS_NEIGHBOUR_H
#define SLUICE_TESTS_HARNESS_NEIGHBOUR_H

#include "tests/scenario/harness/sluice.h"

struct neighbour;

/* Starts it, in a thread. model: one that answers at once; copied. */
struct neighbour *neighbour_start(const struct sluice *sluice, const char *model);

/* How often a scenario repeats its misbehaviour: 1, or more where times are measured. */
unsigned neighbour_repeats(void);

/* Waits (hang guard) until it has had another rounds of answers, and fails the test over any that was not right. */
void neighbour_check(struct neighbour *neighbour, unsigned rounds);

/* Ends it, and fails the test over any answer that was not right. */
void neighbour_stop(struct neighbour *neighbour);

#endif
