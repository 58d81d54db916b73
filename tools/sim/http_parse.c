/* SPDX-License-Identifier: MIT */
/*
 * The request head and the chunked coding. Strict where a mistake would cost
 * synchronisation (lengths), lenient otherwise; must never read past its bytes.
 */
#include "tools/sim/http_parse.h"

#include <strings.h>

bool http_name_is(struct span name, const char *lower)
{
	return name.len == strlen(lower) && strncasecmp(name.at, lower, name.len) == 0;
}

struct span http_header(const struct http_request *request, const char *name)
{
	for (size_t i = 0; i < request->header_count; i++)
		if (http_name_is(request->headers[i].name, name))
			return request->headers[i].value;
	return (struct span){NULL, 0};
}

/* The next line of text without its CRLF or LF; advances text behind it. False at the end. */
static bool line_take(struct span *text, struct span *line)
{
	const char *end = memchr(text->at, '\n', text->len);
	if (end == NULL)
		return false;
	size_t len = (size_t)(end - text->at);
	*line = (struct span){text->at, len > 0 && end[-1] == '\r' ? len - 1 : len};
	*text = (struct span){end + 1, text->len - len - 1};
	return true;
}

static bool request_line_parse(struct http_request *request, struct span line)
{
	const char *first = memchr(line.at, ' ', line.len);
	const char *last = memrchr(line.at, ' ', line.len);
	if (first == NULL || last == first || first == line.at)
		return false;
	struct span version = {last + 1, line.len - (size_t)(last + 1 - line.at)};
	if (!span_is(version, "HTTP/1.1") && !span_is(version, "HTTP/1.0"))
		return false;
	request->method = (struct span){line.at, (size_t)(first - line.at)};
	request->target = (struct span){first + 1, (size_t)(last - first - 1)};
	request->keep_alive = span_is(version, "HTTP/1.1");
	const char *query = memchr(request->target.at, '?', request->target.len);
	request->path = request->target;
	request->query = SPAN("");
	if (query != NULL) {
		request->path.len = (size_t)(query - request->target.at);
		request->query = (struct span){query + 1, request->target.len - request->path.len - 1};
	}
	return true;
}

static bool length_parse(struct span value, uint64_t *length)
{
	uint64_t sum = 0;
	if (value.len == 0 || value.len > 18)
		return false;
	for (size_t i = 0; i < value.len; i++) {
		if (value.at[i] < '0' || value.at[i] > '9')
			return false;
		sum = sum * 10 + (uint64_t)(value.at[i] - '0');
	}
	*length = sum;
	return true;
}

static bool header_parse(struct http_request *request, struct span line)
{
	const char *colon = memchr(line.at, ':', line.len);
	if (colon == NULL || colon == line.at || request->header_count == HTTP_HEADERS_MOST)
		return false;
	struct span name = {line.at, (size_t)(colon - line.at)};
	struct span value = {colon + 1, line.len - name.len - 1};
	while (value.len > 0 && (value.at[0] == ' ' || value.at[0] == '\t'))
		value = (struct span){value.at + 1, value.len - 1};
	while (value.len > 0 && (value.at[value.len - 1] == ' ' || value.at[value.len - 1] == '\t'))
		value.len--;
	request->headers[request->header_count++] = (struct http_header){name, value};
	if (http_name_is(name, "content-length"))
		return request->framings++ == 0 && length_parse(value, &request->content_length);
	if (http_name_is(name, "transfer-encoding"))
		return request->framings++ == 0 && (request->chunked = http_name_is(value, "chunked"));
	if (http_name_is(name, "connection") && http_name_is(value, "close"))
		request->keep_alive = false;
	if (http_name_is(name, "connection") && http_name_is(value, "keep-alive"))
		request->keep_alive = true;
	if (http_name_is(name, "expect") && http_name_is(value, "100-continue"))
		request->expect_continue = true;
	return true;
}

/* Length of the head with its blank line; 0 when the blank line is not there yet. */
static size_t head_length(struct span bytes)
{
	for (const char *at = bytes.at; (at = memchr(at, '\n', bytes.len - (size_t)(at - bytes.at))) != NULL; at++) {
		size_t behind = bytes.len - (size_t)(at + 1 - bytes.at);
		if (behind >= 1 && at[1] == '\n')
			return (size_t)(at + 2 - bytes.at);
		if (behind >= 2 && at[1] == '\r' && at[2] == '\n')
			return (size_t)(at + 3 - bytes.at);
	}
	return 0;
}

enum http_result http_head_parse(struct http_request *request, struct span bytes)
{
	size_t len = head_length(bytes);
	if ((len == 0 ? bytes.len : len) > HTTP_HEAD_BYTES_MOST)
		return HTTP_TOO_LARGE;
	if (len == 0)
		return HTTP_MORE;
	request->head = (struct span){bytes.at, len};
	request->header_count = request->framings = 0;
	request->content_length = 0;
	request->chunked = request->expect_continue = false;
	struct span text = request->head, line;
	if (!line_take(&text, &line) || !request_line_parse(request, line))
		return HTTP_BAD;
	while (line_take(&text, &line) && line.len > 0)
		if (!header_parse(request, line))
			return HTTP_BAD;
	return HTTP_OK;
}

enum { CHUNKS_SIZE, CHUNKS_EXTENSION, CHUNKS_DATA, CHUNKS_DATA_END, CHUNKS_TRAILER, CHUNKS_TRAILER_LINE, CHUNKS_DONE };

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One byte of framing: sizes, line ends, trailers. */
static bool chunks_framing(struct http_chunks *chunks, char c)
{
	switch (chunks->state) {
	case CHUNKS_SIZE:
		if (hex_digit(c) >= 0) {
			chunks->left = chunks->left * 16 + (uint64_t)hex_digit(c);
			return chunks->left < UINT64_C(1) << 40;
		}
		if (c != '\r' && c != '\n' && c != ';' && c != ' ')
			return false;
		chunks->state = CHUNKS_EXTENSION;
		/* fall through */
	case CHUNKS_EXTENSION:
		if (c == '\n')
			chunks->state = chunks->left > 0 ? CHUNKS_DATA : CHUNKS_TRAILER;
		return true;
	case CHUNKS_DATA_END:
		if (c == '\n')
			chunks->state = CHUNKS_SIZE;
		return c == '\n' || c == '\r';
	case CHUNKS_TRAILER:
		if (c == '\n')
			chunks->state = CHUNKS_DONE;
		else if (c != '\r')
			chunks->state = CHUNKS_TRAILER_LINE;
		return true;
	default: /* CHUNKS_TRAILER_LINE */
		if (c == '\n')
			chunks->state = CHUNKS_TRAILER;
		return true;
	}
}

enum http_result http_chunks_decode(struct http_chunks *chunks, char *body, size_t len)
{
	while (chunks->raw < len && chunks->state != CHUNKS_DONE) {
		if (chunks->state != CHUNKS_DATA) {
			if (!chunks_framing(chunks, body[chunks->raw++]))
				return HTTP_BAD;
			continue;
		}
		size_t take = len - chunks->raw;
		if (take > chunks->left)
			take = (size_t)chunks->left;
		memmove(body + chunks->decoded, body + chunks->raw, take);
		chunks->decoded += take;
		chunks->raw += take;
		chunks->left -= take;
		if (chunks->left == 0)
			chunks->state = CHUNKS_DATA_END;
	}
	return chunks->state == CHUNKS_DONE ? HTTP_OK : HTTP_MORE;
}
