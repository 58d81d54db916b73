/* SPDX-License-Identifier: MIT */
/* Media types in header fields (RFC 9110, sections 8.3.1 and 12.5.1). */
#ifndef SLUICE_LIB_MEDIA_TYPE_H
#define SLUICE_LIB_MEDIA_TYPE_H

#include "lib/span.h"

/* True when a Content-Type value names that type ("application/json"), whatever its parameters and its case. */
bool media_type_is(struct span value, const char *type);

/* True when an Accept value names that very type, not by a wildcard, with a weight above 0. */
bool media_type_accepted(struct span accept, const char *type);

#endif
