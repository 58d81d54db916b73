/* SPDX-License-Identifier: MIT */
/* One field of an HTTP head (RFC 9110, section 5), whoever sends it. */
#ifndef SLUICE_LIB_HTTP_FIELD_H
#define SLUICE_LIB_HTTP_FIELD_H

#include "lib/span.h"

struct http_field {
	struct span name; /* lower case where we read or write it */
	struct span value;
};

#endif
