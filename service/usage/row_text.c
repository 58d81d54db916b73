/* SPDX-License-Identifier: MIT */
/* Rows of use as texts; row_text.h holds the contract. */
#include "service/usage/row_text.h"

#include "lib/decimal.h"

enum { RADIX = 10 };

#define NUMBER_MOST (UINT64_C(1) << 63)

static void skip(struct span *input, size_t bytes)
{
	*input = (struct span){input->at + bytes, input->len - bytes};
}

bool usage_number_take(struct span *input, uint64_t *number)
{
	size_t digits = 0;
	*number = 0;
	for (; digits < input->len && input->at[digits] >= '0' && input->at[digits] <= '9'; digits++) {
		if (*number > NUMBER_MOST / RADIX - 1)
			return false;
		*number = *number * RADIX + (uint64_t)(input->at[digits] - '0');
	}
	skip(input, digits);
	return digits > 0;
}

void usage_text_append(struct buf *out, struct span text)
{
	decimal_append(out, text.len);
	buf_append(out, SPAN(":"));
	buf_append(out, text);
}

bool usage_text_take(struct span *input, struct span *text)
{
	uint64_t len;
	if (!usage_number_take(input, &len) || input->len == 0 || input->at[0] != ':' || input->len - 1 < len)
		return false;
	*text = (struct span){input->at + 1, (size_t)len};
	skip(input, 1 + (size_t)len);
	return true;
}

void usage_counts_append(struct buf *out, const struct usage_counts *counts)
{
	for (size_t i = 0; i < USAGE_UNITS; i++) {
		if (i > 0)
			buf_append(out, SPAN(" "));
		decimal_append(out, counts->of[i]);
	}
}

bool usage_counts_read(struct span text, struct usage_counts *counts)
{
	for (size_t i = 0; i < USAGE_UNITS; i++) {
		if (i > 0 && (text.len == 0 || text.at[0] != ' '))
			return false;
		if (i > 0)
			skip(&text, 1);
		if (!usage_number_take(&text, &counts->of[i]))
			return false;
	}
	return text.len == 0;
}
