/* SPDX-License-Identifier: MIT */
/* Parsers of rates and money; quota_values.h says what they take. */
#include "config/quota_values.h"

#include <string.h>

#include "config/values.h"

static const uint64_t rate_most = 1000000000000000, money_most = 1000000; /* numbers, dollars */

static bool read_window(struct span text, enum quota_window *window)
{
	for (int i = 0; i < QUOTA_WINDOWS; i++) {
		if (!span_is(text, quota_window_name((enum quota_window)i)))
			continue;
		*window = (enum quota_window)i;
		return true;
	}
	return false;
}

/* Reads the window after the slash, and shortens the text to the number before it. */
static bool split_rate(struct span *text, enum quota_window *window)
{
	const char *slash = text->len == 0 ? NULL : memchr(text->at, '/', text->len);
	if (slash == NULL)
		return false;
	size_t before = (size_t)(slash - text->at);
	struct span behind = {slash + 1, text->len - before - 1};
	text->len = before;
	return read_window(behind, window);
}

static bool make_rate(struct arena *arena, uint64_t limit, enum quota_window window, const void **made)
{
	struct config_rate *rate = arena_zalloc(arena, 1, sizeof(*rate));
	if (rate == NULL)
		return false;
	*rate = (struct config_rate){limit, window};
	*made = rate;
	return limit > 0;
}

bool quota_value_rate(struct arena *arena, struct span text, const void **made)
{
	enum quota_window window;
	uint64_t limit = 0;
	return split_rate(&text, &window) && value_parse_unsigned(text, &limit) && limit <= rate_most &&
	       make_rate(arena, limit, window, made);
}

bool quota_value_spending(struct arena *arena, struct span text, const void **made)
{
	enum quota_window window;
	uint64_t limit = 0;
	return split_rate(&text, &window) && quota_value_money(text, &limit) && make_rate(arena, limit, window, made);
}

bool quota_value_money(struct span text, uint64_t *parts)
{
	const char *point = text.len == 0 ? NULL : memchr(text.at, '.', text.len);
	struct span whole = {text.at, point == NULL ? text.len : (size_t)(point - text.at)};
	uint64_t dollars = 0, scale = QUOTA_MONEY;
	if (!value_parse_unsigned(whole, &dollars) || dollars > money_most)
		return false;
	*parts = dollars * QUOTA_MONEY;
	for (size_t i = whole.len + 1; point != NULL && i < text.len; i++) {
		scale /= 10;
		if (text.at[i] < '0' || text.at[i] > '9' || scale == 0)
			return false;
		*parts += (uint64_t)(text.at[i] - '0') * scale;
	}
	return point == NULL || text.len > whole.len + 1;
}
