/* SPDX-License-Identifier: MIT */
/* Optimal string alignment distance over three rows; words longer than SUGGEST_WORD_MAX are never near. */
#include "lib/suggest.h"

enum { SUGGEST_WORD_MAX = 64 };

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Both at most SUGGEST_WORD_MAX bytes. */
static size_t distance_between(struct span a, struct span b)
{
	size_t rows[3][SUGGEST_WORD_MAX + 1];
	for (size_t j = 0; j <= b.len; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= a.len; i++) {
		size_t *row = rows[i % 3];
		const size_t *above = rows[(i + 2) % 3];
		const size_t *twice = rows[(i + 1) % 3];
		row[0] = i;
		for (size_t j = 1; j <= b.len; j++) {
			bool same = a.at[i - 1] == b.at[j - 1];
			row[j] = least(above[j - 1] + !same, least(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && a.at[i - 1] == b.at[j - 2] && a.at[i - 2] == b.at[j - 1])
				row[j] = least(row[j], twice[j - 2] + 1);
		}
	}
	return rows[a.len % 3][b.len];
}

struct suggestion suggest(struct span wanted)
{
	/* A third of the letters may be wrong; more is another word. */
	return (struct suggestion){.wanted = wanted, .distance = wanted.len / 3 + 2};
}

void suggest_offer(struct suggestion *suggestion, struct span word)
{
	if (suggestion->wanted.len > SUGGEST_WORD_MAX || word.len > SUGGEST_WORD_MAX)
		return;
	size_t distance = distance_between(suggestion->wanted, word);
	if (distance >= suggestion->distance || distance >= word.len)
		return;
	suggestion->distance = distance;
	suggestion->best = word;
}
