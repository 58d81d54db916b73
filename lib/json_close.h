/* SPDX-License-Identifier: MIT */
/* Ends a JSON document of which only the beginning is there. */
#ifndef SLUICE_LIB_JSON_CLOSE_H
#define SLUICE_LIB_JSON_CLOSE_H

#include "lib/buf.h"

/*
 * Cuts the document behind its last complete value inside of an object or a list, and appends the brackets that close
 * what is open there. A document that is whole stays. Does not validate. False when there is no such value, brackets do
 * not pair or are nested too deep, or the buffer does not take them.
 */
bool json_close(struct buf *document);

#endif
