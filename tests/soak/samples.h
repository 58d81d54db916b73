/* SPDX-License-Identifier: MIT */
/*
 * What the service holds in quiet moments: one sample and one printed line each,
 * and the judgement on all of them: nothing is left behind, nothing grows.
 */
#ifndef SLUICE_TESTS_SOAK_SAMPLES_H
#define SLUICE_TESTS_SOAK_SAMPLES_H

#include <stddef.h>

#include "tests/scenario/harness/sluice.h"

enum { SAMPLES_MOST = 1024 };

struct sample {
	size_t rss;       /* bytes */
	size_t anonymous; /* bytes of it that are no file's */
	size_t threads;
	struct proc_fds fds;
	double cache_bytes;
};

struct samples {
	const struct sluice *sluice;
	size_t threads; /* right after the start */
	struct sample all[SAMPLES_MOST];
	size_t count;
};

/* Notes what is there before any traffic. */
void samples_start(struct samples *samples, const struct sluice *sluice);

/*
 * Waits until nothing is under way, takes a sample and prints it behind what was
 * going on. Fails the test when something is left: a call, a queued request, a
 * client connection, a thread.
 */
void samples_take(struct samples *samples, size_t seconds, const char *what, size_t requests);

/*
 * The closing table. Fails the test when memory or pooled connections of the
 * last quarter are above those of the second quarter, and when one of the
 * things that the traffic is to cause never happened.
 */
void samples_close(const struct samples *samples);

#endif
