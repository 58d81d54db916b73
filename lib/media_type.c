/* SPDX-License-Identifier: MIT */
/* Comparing media types; media_type.h holds the contract. */
#include "lib/media_type.h"

#include <strings.h>

static struct span trim(struct span text)
{
	while (text.len > 0 && (text.at[0] == ' ' || text.at[0] == '\t')) {
		text.at++;
		text.len--;
	}
	while (text.len > 0 && (text.at[text.len - 1] == ' ' || text.at[text.len - 1] == '\t'))
		text.len--;
	return text;
}

/* Takes what is in front of the next separator, trimmed, off *rest; *rest is {NULL,0} behind the last. */
static struct span take(struct span *rest, char separator)
{
	const char *end = rest->len == 0 ? NULL : memchr(rest->at, separator, rest->len);
	struct span part = *rest;
	if (end == NULL) {
		*rest = (struct span){NULL, 0};
		return trim(part);
	}
	part.len = (size_t)(end - rest->at);
	*rest = (struct span){end + 1, rest->len - part.len - 1};
	return trim(part);
}

bool media_type_is(struct span value, const char *type)
{
	struct span named = take(&value, ';');
	return named.len == strlen(type) && strncasecmp(named.at, type, named.len) == 0;
}

/* q=0, q=0.0, …: not wanted at all. */
static bool is_zero_weight(struct span parameter)
{
	if (parameter.len < 3 || strncasecmp(parameter.at, "q=", 2) != 0)
		return false;
	for (size_t i = 2; i < parameter.len; i++)
		if (parameter.at[i] != '0' && parameter.at[i] != '.')
			return false;
	return true;
}

bool media_type_accepted(struct span accept, const char *type)
{
	while (accept.at != NULL) {
		struct span range = take(&accept, ',');
		if (!media_type_is(range, type))
			continue;
		bool wanted = true;
		while (range.at != NULL)
			wanted = !is_zero_weight(take(&range, ';')) && wanted;
		return wanted;
	}
	return false;
}
