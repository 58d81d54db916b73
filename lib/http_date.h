/* SPDX-License-Identifier: MIT */
/* Days as our tables write them, and dates as header fields write them. */
#ifndef SLUICE_LIB_HTTP_DATE_H
#define SLUICE_LIB_HTTP_DATE_H

#include <stdbool.h>
#include <stdint.h>

enum { HTTP_DATE_SIZE = 30 }; /* bytes of "Mon, 23 Nov 2026 00:00:00 GMT", NUL included */

/* The first second of a day such as "2026-11-23", in UTC, since 1970. False when it is none. */
bool http_date_of_day(const char *day, int64_t *seconds);

/* As an IMF-fixdate (RFC 9110, section 5.6.7), for the years 0 to 9999; empty beyond. */
void http_date_write(int64_t seconds, char date[HTTP_DATE_SIZE]);

#endif
