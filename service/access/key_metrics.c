/* SPDX-License-Identifier: MIT */
/* Keys by numbers; key_metrics.h holds the contract. */
#include "service/access/key_metrics.h"

#include <pthread.h>
#include <stdio.h>

#include "schemas/metrics.h"

enum { SLOTS = 4 * METRICS_KEYS_MOST, HASH_FACTOR = 31 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of all below; holders remember, so it is seldom taken */
static unsigned keys_most, keys_count;
static char ids[METRICS_KEYS_MOST][API_KEY_ID + 1];
static uint16_t slots[SLOTS]; /* by hashes of ids: a number and one; 0 = free */

void key_metrics_setup(unsigned most)
{
	pthread_mutex_lock(&lock);
	for (unsigned i = 0; i < keys_count; i++)
		metrics_name_key(i, NULL);
	keys_most = most > METRICS_KEYS_MOST ? METRICS_KEYS_MOST : most;
	keys_count = 0;
	memset(slots, 0, sizeof(slots));
	pthread_mutex_unlock(&lock);
}

static uint32_t find_or_add(const char *id)
{
	uint32_t at = 0;
	for (const char *c = id; *c != '\0'; c++)
		at = at * HASH_FACTOR + (unsigned char)*c;
	for (at %= SLOTS; slots[at] != 0; at = (at + 1) % SLOTS)
		if (strcmp(ids[slots[at] - 1], id) == 0)
			return slots[at] - 1U;
	if (keys_count >= keys_most)
		return METRICS_KEYS_OTHER;
	snprintf(ids[keys_count], sizeof(ids[0]), "%s", id);
	metrics_name_key(keys_count, ids[keys_count]);
	slots[at] = (uint16_t)++keys_count;
	return keys_count - 1;
}

key_metrics_number key_metrics_of(struct holder *holder)
{
	if (holder == NULL || holder->metrics_number != 0)
		return holder == NULL ? 0 : holder->metrics_number;
	pthread_mutex_lock(&lock);
	if (keys_most > 0)
		holder->metrics_number = 1 + (holder->key->hash == NULL ? METRICS_KEYS_TOKEN : find_or_add(holder->id));
	pthread_mutex_unlock(&lock);
	return holder->metrics_number;
}

void key_metrics_count(struct metrics_cells *cells, key_metrics_number number, enum error_code code)
{
	if (number != 0)
		metrics_count(cells, METRIC_KEY_REQUESTS, number - 1, code);
}

void key_metrics_count_tokens(struct metrics_cells *cells, key_metrics_number number, int64_t prompt,
			      int64_t completion)
{
	if (number != 0 && prompt > 0)
		metrics_add(cells, prompt, METRIC_KEY_TOKENS, number - 1, METRICS_TOKENS_PROMPT);
	if (number != 0 && completion > 0)
		metrics_add(cells, completion, METRIC_KEY_TOKENS, number - 1, METRICS_TOKENS_COMPLETION);
}
