/* SPDX-License-Identifier: MIT */
/*
 * The numbers that keys have in metrics (the label `key`). The first so many keys that are used have one of their own,
 * by their ids; all others share that of `other`, and all tokens that of `token`, whoever shows them: so the number of
 * series is bounded, whatever keys there are. Of the process, for all workers.
 */
#ifndef SLUICE_SERVICE_ACCESS_KEY_METRICS_H
#define SLUICE_SERVICE_ACCESS_KEY_METRICS_H

#include "lib/errors.h"
#include "service/access/holder.h"

struct metrics_cells;

/* Forgets all keys; most: how many may have a number, up to METRICS_KEYS_MOST; 0 = nothing is counted by keys. Before
 * threads. */
void key_metrics_setup(unsigned most);

/* What counts by a key need to know: its number and one, as 0 stands for no key. */
typedef uint32_t key_metrics_number;

/* Returns the number of the holder's key; 0 when there is none. The holder remembers it. */
key_metrics_number key_metrics_of(struct holder *holder);

/* Counts a request that was answered, or refused with a code. */
void key_metrics_count(struct metrics_cells *cells, key_metrics_number number, enum error_code code);
/* Counts tokens as the backend told them; less than 0 = it did not. */
void key_metrics_count_tokens(struct metrics_cells *cells, key_metrics_number number, int64_t prompt,
			      int64_t completion);

#endif
