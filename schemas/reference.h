/* SPDX-License-Identifier: MIT */
/* The reference of all operations as Markdown, made from the tables of operations, fields and errors. */
#ifndef SLUICE_SCHEMAS_REFERENCE_H
#define SLUICE_SCHEMAS_REFERENCE_H

#include "lib/buf.h"

/* Appends the page (sluice --describe api). */
void reference_write(struct buf *out);

#endif
