/* SPDX-License-Identifier: MIT */
/* The reference of what a cache goes by, as Markdown, made from the field tables of requests. */
#ifndef SLUICE_SCHEMAS_CACHING_REFERENCE_H
#define SLUICE_SCHEMAS_CACHING_REFERENCE_H

#include "lib/buf.h"

/* Appends the page (sluice --describe cache). */
void caching_reference_write(struct buf *out);

#endif
