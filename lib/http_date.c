/* SPDX-License-Identifier: MIT */
/* Days and dates; http_date.h holds the contract. Names of days and months are those of the C locale. */
#include "lib/http_date.h"

#include <string.h>
#include <time.h>

bool http_date_of_day(const char *day, int64_t *seconds)
{
	struct tm tm = {0};
	const char *end = strlen(day) == sizeof("2026-11-23") - 1 ? strptime(day, "%Y-%m-%d", &tm) : NULL;
	if (end == NULL || *end != '\0')
		return false;
	int wanted = tm.tm_mday;
	*seconds = timegm(&tm);
	return tm.tm_mday == wanted; /* 30 February became a day of March */
}

void http_date_write(int64_t seconds, char date[HTTP_DATE_SIZE])
{
	struct tm tm;
	time_t time = (time_t)seconds;
	if (gmtime_r(&time, &tm) == NULL || strftime(date, HTTP_DATE_SIZE, "%a, %d %b %Y %H:%M:%S GMT", &tm) == 0)
		date[0] = '\0';
}
