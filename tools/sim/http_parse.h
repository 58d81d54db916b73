/* SPDX-License-Identifier: MIT */
/*
 * Reading HTTP/1.1 requests (RFC 9112) out of a byte buffer. Pure: nothing is
 * copied, every span points into the caller's bytes.
 */
#ifndef SLUICE_TOOLS_SIM_HTTP_PARSE_H
#define SLUICE_TOOLS_SIM_HTTP_PARSE_H

#include <stdint.h>

#include "lib/span.h"

enum { HTTP_HEADERS_MOST = 128, HTTP_HEAD_BYTES_MOST = 128 * 1024 };

struct http_header {
	struct span name, value;
};

struct http_request {
	struct span method, target;
	struct span path, query; /* of target, split at the first `?` */
	struct span head;        /* the whole head, blank line included */
	struct http_header headers[HTTP_HEADERS_MOST];
	size_t header_count;
	uint64_t content_length; /* 0 without one */
	unsigned framings;       /* Content-Length and Transfer-Encoding headers; more than one is refused */
	bool chunked;
	bool keep_alive;
	bool expect_continue;
};

enum http_result { HTTP_OK, HTTP_MORE, HTTP_BAD, HTTP_TOO_LARGE };

/* Parses a head at the front of bytes. HTTP_MORE: it is not complete yet. */
enum http_result http_head_parse(struct http_request *request, struct span bytes);

/* The value of the first header of a lower-case name; {NULL,0} when absent. */
struct span http_header(const struct http_request *request, const char *name);

/* True when name equals the lower-case text, ignoring case. */
bool http_name_is(struct span name, const char *lower);

/* Where the decoding of a chunked body stands; zero-initialised to begin. Offsets are from the start of the body. */
struct http_chunks {
	size_t raw;     /* bytes read, framing included */
	size_t decoded; /* bytes of payload, moved to the front */
	uint64_t left;  /* of the present chunk */
	uint8_t state;  /* the decoder's own */
};

/*
 * Decodes in place as far as the len bytes at body go: payload is moved to the front. HTTP_OK: the last chunk and the
 * trailer were read. HTTP_BAD: broken framing.
 */
enum http_result http_chunks_decode(struct http_chunks *chunks, char *body, size_t len);

#endif
