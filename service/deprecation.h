/* SPDX-License-Identifier: MIT */
/* What the answers of an ageing operation say about its end. */
#ifndef SLUICE_SERVICE_DEPRECATION_H
#define SLUICE_SERVICE_DEPRECATION_H

#include "lib/http_date.h"

struct deprecation {
	char deprecation[24];        /* "@1795392000" (RFC 9745); "" = not deprecated */
	char sunset[HTTP_DATE_SIZE]; /* an IMF-fixdate (RFC 8594); "" = not known */
};

/* Days as in struct operation_row; NULL, or what is no day, gives "". */
struct deprecation deprecation_of(const char *deprecated, const char *sunset);

#endif
