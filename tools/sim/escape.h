/* SPDX-License-Identifier: MIT */
/* The inside of JSON strings, in the two forms a reader must treat alike: raw UTF-8 and \u escapes. */
#ifndef SLUICE_TOOLS_SIM_ESCAPE_H
#define SLUICE_TOOLS_SIM_ESCAPE_H

#include "lib/buf.h"

/* Appends text escaped, without quotes. ascii: everything beyond ASCII as \uXXXX (text must then be UTF-8). */
void escape_json(struct buf *out, struct span text, bool ascii);

#endif
