/* SPDX-License-Identifier: MIT */
/* Rows of use as texts. A text is written as its length in decimal digits, a colon, and its bytes. */
#ifndef SLUICE_SERVICE_USAGE_ROW_TEXT_H
#define SLUICE_SERVICE_USAGE_ROW_TEXT_H

#include "lib/buf.h"
#include "service/usage/table.h"

void usage_text_append(struct buf *out, struct span text);

/* Takes a text from the front of input, whose bytes it borrows. False: there is none. */
bool usage_text_take(struct span *input, struct span *text);

/* Counts, by spaces. */
void usage_counts_append(struct buf *out, const struct usage_counts *counts);
/* False: the text has another form, or a count above 2^63. */
bool usage_counts_read(struct span text, struct usage_counts *counts);

/* Reads a number of decimal digits, at most 2^63, from the front of input. False: there is none. */
bool usage_number_take(struct span *input, uint64_t *number);

#endif
