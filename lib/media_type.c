/* SPDX-License-Identifier: MIT */
/* Comparing media types; media_type.h holds the contract. */
#include "lib/media_type.h"

#include <strings.h>

#include "lib/http_text.h"

bool media_type_is(struct span value, const char *type)
{
	struct span named = http_take(&value, ';');
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
		struct span range = http_take(&accept, ',');
		if (!media_type_is(range, type))
			continue;
		bool wanted = true;
		while (range.at != NULL)
			wanted = !is_zero_weight(http_take(&range, ';')) && wanted;
		return wanted;
	}
	return false;
}
