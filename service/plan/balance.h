/* SPDX-License-Identifier: MIT */
/* The choices that balance can make, apart from what it does with them: pure, for balance.c and its tests. */
#ifndef SLUICE_SERVICE_PLAN_BALANCE_H
#define SLUICE_SERVICE_PLAN_BALANCE_H

#include "service/health/health.h"

/* One that may be chosen. */
struct balance_candidate {
	size_t child; /* its index in the plan */
	struct health_view view;
	bool full; /* result of balance_by_prefix: it would have been the one, but runs too much already */
};

/* Keeps the candidates that do not mostly fail (child_health_fails), unless all do. Returns how many, at least one. */
size_t balance_keep_working(struct balance_candidate *candidates, size_t count);

/* The better of two at random (child_health_compare); at random when they are alike. candidates: at least one. */
size_t balance_by_p2c(const struct balance_candidate *candidates, size_t count, uint64_t random);

/*
 * Smooth weighted round robin: credits[child] remembers what each child is owed. weights: by child, NULL = all the
 * same. A share below 1 (slow start) lessens the weight.
 */
size_t balance_by_weight(const struct balance_candidate *candidates, size_t count, const unsigned *weights,
			 double *credits);

/*
 * Rendezvous hashing with bounded load: the children in an order that only prefix and names (hashes, by child)
 * decide, and of them the first that runs no more than 1.25 times the average. Those before it are then marked full.
 */
size_t balance_by_prefix(struct balance_candidate *candidates, size_t count, uint64_t prefix, const uint64_t *names);

#endif
