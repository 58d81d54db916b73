/* SPDX-License-Identifier: MIT */
/* A list set once; combinators.h holds the contract. */
#include "config/combinators.h"

static const struct config_combinator *known;
static size_t known_count;

void config_set_combinators(const struct config_combinator *list, size_t count)
{
	known = list;
	known_count = count;
}

static const struct config_combinator *find(struct span name)
{
	for (size_t i = 0; i < known_count; i++)
		if (span_is(name, known[i].name))
			return &known[i];
	return NULL;
}

bool combinator_is_unknown(struct span name, struct suggestion *near)
{
	*near = suggest(name);
	if (known_count == 0 || find(name) != NULL)
		return false;
	for (size_t i = 0; i < known_count; i++)
		suggest_offer(near, span_of(known[i].name));
	return true;
}

size_t combinator_least(struct span name)
{
	const struct config_combinator *combinator = find(name);
	return combinator == NULL ? 1 : combinator->least;
}

uint64_t combinators_calls(const struct config_plan *plan)
{
	if (plan == NULL || plan->combinator == NULL)
		return 1;
	const struct config_combinator *combinator = find(span_of(plan->combinator));
	uint64_t sum = 0, most = 1;
	for (size_t i = 0; i < plan->child_count; i++) {
		uint64_t calls = combinators_calls(plan->children[i]);
		sum += calls;
		most = calls > most ? calls : most;
	}
	return combinator != NULL && combinator->asks_all ? sum : most;
}
