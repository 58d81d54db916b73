/* SPDX-License-Identifier: MIT */
/* Inside of service/http: HTTP/1.1 request heads, read strictly. */
#ifndef SLUICE_SERVICE_HTTP_H1_HEAD_H
#define SLUICE_SERVICE_HTTP_H1_HEAD_H

#include <stdint.h>

#include "lib/errors.h"
#include "lib/http_field.h"

enum { H1_FIELDS_MAX = 256 /* fields of a head; more is answered by 431 */ };

struct h1_head {
	struct span method;
	struct span target;
	struct span host; /* {NULL,0} = absent */
	int minor;        /* of HTTP/1.minor */
	bool chunked;
	bool keep_alive;        /* the client would like the connection to stay open */
	bool closes;            /* the client says that the connection ends, whatever else it says of it */
	bool expects_continue;  /* the client waits for 100 (RFC 9110 section 10.1.1) */
	int64_t content_length; /* bytes; -1 = the field is absent */
	/* all fields but those of the framing and Host; names in lower case */
	struct http_field fields[H1_FIELDS_MAX];
	size_t field_count;
};

/*
 * Finds the end of the head at the front of input. scanned: bytes that earlier calls have looked at, 0 at first; it is
 * moved on. Returns the length of the head with its last CRLF, or 0 while the end is not there. *error is
 * MALFORMED_HTTP for a bare LF.
 */
size_t h1_head_end(struct span input, size_t *scanned, enum error_code *error);

/*
 * Reads the head in text, of len bytes; names of fields become lower case there. Whatever two implementations are known
 * to read differently is refused: bare LF, folded lines, blanks before the colon, a repeated or odd Content-Length,
 * Content-Length beside Transfer-Encoding, any coding but one "chunked", not exactly one Host (RFC 9112
 * sections 2.2, 3.2, 5.1, 5.2, 6.3). Returns ERROR_NONE, MALFORMED_HTTP, HEADERS_TOO_LARGE for too many fields or
 * EXPECTATION_FAILED; head then holds what was read before.
 */
enum error_code h1_head_parse(char *text, size_t len, struct h1_head *head);

#endif
