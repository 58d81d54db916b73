/* SPDX-License-Identifier: MIT */
/* Retry-After, clamped; see retry_after.h. */
#include "schemas/retry_after.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>

static int64_t clamp(double seconds)
{
	if (!(seconds > 0))
		return 0;
	return seconds > RETRY_AFTER_MAX ? RETRY_AFTER_MAX : (int64_t)ceil(seconds);
}

int64_t retry_after_seconds(struct span value, time_t now)
{
	char text[64];
	char *end = NULL;
	if (value.len == 0 || value.len >= sizeof(text))
		return -1;
	memcpy(text, value.at, value.len);
	text[value.len] = '\0';
	if (isdigit((unsigned char)text[0]) || text[0] == '-') {
		double seconds = strtod(text, &end);
		return *end == '\0' ? clamp(seconds) : -1;
	}
	struct tm tm = {0};
	end = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm);
	return end != NULL && *end == '\0' ? clamp(difftime(timegm(&tm), now)) : -1;
}

struct span retry_after_clamp(struct span value, time_t now, struct arena *arena)
{
	int64_t seconds = retry_after_seconds(value, now);
	return seconds < 0 ? SPAN("") : arena_printf(arena, "%lld", (long long)seconds);
}
