/* SPDX-License-Identifier: MIT */
/* The choices that balance can make; see balance.h. Each returns a position among the candidates. */
#include "service/plan/balance.h"

#include "lib/hash.h"
#include "service/plan/outlook.h"

size_t balance_by_p2c(const struct balance_candidate *candidates, size_t count, uint64_t random)
{
	size_t first = (size_t)(random % count);
	if (count == 1)
		return first;
	size_t second = (size_t)((random >> 32) % (count - 1));
	second += second >= first;
	int order = outlook_compare(&candidates[first].view, &candidates[second].view);
	return order <= 0 ? first : second;
}

size_t balance_by_weight(const struct balance_candidate *candidates, size_t count, const unsigned *weights,
			 double *credits)
{
	double total = 0;
	size_t best = 0;
	for (size_t i = 0; i < count; i++) {
		size_t child = candidates[i].child;
		double weight = (weights == NULL ? 1 : weights[child]) * candidates[i].view.share *
				(1 - candidates[i].view.failing);
		credits[child] += weight;
		total += weight;
		if (credits[child] > credits[candidates[best].child])
			best = i;
	}
	credits[candidates[best].child] -= total;
	return best;
}

/* Calls that one child may run: a quarter more than its part of all, this one included. */
static bool has_room(const struct balance_candidate *candidate, unsigned running, size_t count)
{
	return (candidate->view.running + 1.0) * 4 * (double)count < (running + 1.0) * 5 + 4 * (double)count;
}

size_t balance_by_prefix(struct balance_candidate *candidates, size_t count, uint64_t prefix, const uint64_t *names)
{
	unsigned running = 0;
	size_t best = count;
	uint64_t highest = 0;
	for (size_t i = 0; i < count; i++)
		running += candidates[i].view.running;
	for (size_t i = 0; i < count; i++) {
		uint64_t score = hash_mix(prefix, names[candidates[i].child]);
		if (!has_room(&candidates[i], running, count) || (best < count && score <= highest))
			continue;
		best = i;
		highest = score;
	}
	for (size_t i = 0; i < count; i++)
		candidates[i].full = i != best && hash_mix(prefix, names[candidates[i].child]) > highest;
	return best < count ? best : 0; /* never: not all can run more than the average */
}
