/* SPDX-License-Identifier: MIT */
/* Percent-encoding of URIs (RFC 3986, section 2.1). */
#ifndef SLUICE_LIB_PERCENT_H
#define SLUICE_LIB_PERCENT_H

#include "lib/span.h"

/*
 * Decodes in into out, which has room for in.len bytes and may be in's own; the result is in out. A '%' without
 * two hexadecimal digits stands for itself. form: '+' is a space, as in application/x-www-form-urlencoded.
 */
struct span percent_decode(struct span in, bool form, char *out);

#endif
