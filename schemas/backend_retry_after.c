/* SPDX-License-Identifier: MIT */
/* Retry-After, clamped; see backend_retry_after.h. */
#include "schemas/backend_retry_after.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>

static int64_t clamp(double seconds)
{
	if (!(seconds > 0))
		return 0;
	return seconds > RETRY_AFTER_MAX ? RETRY_AFTER_MAX : (int64_t)ceil(seconds);
}

/* A number of units per second; false when it is none. */
static bool read_number(const char *text, double units, int64_t *seconds)
{
	char *end = NULL;
	if (!isdigit((unsigned char)text[0]) && text[0] != '-')
		return false;
	*seconds = clamp(strtod(text, &end) / units);
	return *end == '\0';
}

static bool as_string(struct span value, char text[64])
{
	if (value.len == 0 || value.len >= 64)
		return false;
	memcpy(text, value.at, value.len);
	text[value.len] = '\0';
	return true;
}

int64_t backend_retry_after_seconds(struct span value, time_t now)
{
	char text[64];
	int64_t seconds = -1;
	if (!as_string(value, text))
		return -1;
	if (isdigit((unsigned char)text[0]) || text[0] == '-')
		return read_number(text, 1, &seconds) ? seconds : -1;
	struct tm tm = {0};
	const char *end = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm);
	return end != NULL && *end == '\0' ? clamp(difftime(timegm(&tm), now)) : -1;
}

struct span backend_retry_after_clamp(struct span value, time_t now, struct arena *arena)
{
	int64_t seconds = backend_retry_after_seconds(value, now);
	return seconds < 0 ? SPAN("") : arena_printf(arena, "%lld", (long long)seconds);
}

struct span backend_retry_after_read(struct span milliseconds, struct span value, time_t now, struct arena *arena)
{
	char text[64];
	int64_t seconds = 0;
	if (as_string(milliseconds, text) && read_number(text, 1000, &seconds))
		return arena_printf(arena, "%lld", (long long)seconds);
	return backend_retry_after_clamp(value, now, arena);
}
