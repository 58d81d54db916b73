/* SPDX-License-Identifier: MIT */
/* Inside of service/http: lines of HTTP/1.1 messages, read strictly. */
#ifndef SLUICE_SERVICE_HTTP_H1_LINE_H
#define SLUICE_SERVICE_HTTP_H1_LINE_H

#include "lib/span.h"

enum h1_line {
	H1_LINE_FOUND,
	H1_LINE_PARTIAL, /* the input ends before the line does */
	H1_LINE_BROKEN   /* a bare LF, or a bare CR */
};

/*
 * Takes the next line off the front of rest, without its CRLF. A line ends with CRLF only; a bare CR or LF breaks it
 * (RFC 9112 section 2.2). Nothing is taken unless the line is found.
 */
enum h1_line h1_line_take(struct span *rest, struct span *line);

/*
 * Splits a field line into its name and its value without the blanks around it. Returns false for a line that RFC 9112
 * section 5 does not allow: no colon, no token for a name, a folded line, control characters.
 */
bool h1_line_split(struct span line, struct span *name, struct span *value);

#endif
