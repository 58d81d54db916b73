/* SPDX-License-Identifier: MIT */
/* Field values from days; deprecation.h holds the contract. */
#include "service/deprecation.h"

#include <stdio.h>

struct deprecation deprecation_of(const char *deprecated, const char *sunset)
{
	struct deprecation notice = {.deprecation = ""};
	int64_t seconds = 0;
	if (deprecated != NULL && http_date_of_day(deprecated, &seconds))
		snprintf(notice.deprecation, sizeof(notice.deprecation), "@%lld", (long long)seconds);
	if (sunset != NULL && http_date_of_day(sunset, &seconds))
		http_date_write(seconds, notice.sunset);
	return notice;
}
