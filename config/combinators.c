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
