/* SPDX-License-Identifier: MIT */
/* Reading back what the HTTP/1.1 client has sent. */
#include "tests/scenario/harness/h1_request.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void h1_request_free(struct h1_request *request)
{
	bytes_free(&request->method);
	bytes_free(&request->path);
	bytes_free(&request->head);
	bytes_free(&request->body);
}

/* "METHOD path HTTP/1.1" */
static bool read_request_line(struct h1_request *request, const char *line, size_t len)
{
	const char *method_end = memchr(line, ' ', len);
	const char *path_end = memrchr(line, ' ', len);
	size_t version_len = path_end == NULL ? 0 : (size_t)(line + len - path_end - 1);
	if (method_end == line || method_end == path_end || version_len != 8 || memcmp(path_end, " HTTP/1.", 8) != 0)
		return false;
	bytes_append(&request->method, line, (size_t)(method_end - line));
	bytes_append(&request->path, method_end + 1, (size_t)(path_end - method_end - 1));
	return strchr(bytes_text(&request->path), ' ') == NULL;
}

static bool read_field(struct h1_request *request, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len);
	if (colon == NULL || colon == line || isspace((unsigned char)colon[-1]) || isspace((unsigned char)*line))
		return false;
	const char *value = colon + 1;
	while (value < line + len && (*value == ' ' || *value == '\t'))
		value++;
	for (const char *at = line; at < colon; at++)
		bytes_printf(&request->head, "%c", tolower((unsigned char)*at));
	bytes_printf(&request->head, ": %.*s\n", (int)(line + len - value), value);
	return true;
}

/* The value of a field, NULL when it is absent; points into head. */
static const char *find_field(const struct h1_request *request, const char *name)
{
	size_t len = strlen(name);
	for (const char *line = bytes_text(&request->head), *end; (end = strchr(line, '\n')) != NULL; line = end + 1)
		if (strncmp(line, name, len) == 0 && line[len] == ':')
			return line + len + 2;
	return NULL;
}

/* Where the head ends; 0 when it does not or is not well-formed. */
static size_t read_head(struct h1_request *request, const struct bytes *sent)
{
	const char *text = bytes_text(sent);
	const char *end = memmem(text, sent->len, "\r\n\r\n", 4);
	if (end == NULL || strlen(text) < (size_t)(end - text))
		return 0;
	for (const char *line = text, *stop; line <= end; line = stop + 2) {
		stop = strstr(line, "\r\n");
		size_t len = (size_t)(stop - line);
		if (!(line == text ? read_request_line(request, line, len) : read_field(request, line, len)))
			return 0;
	}
	return (size_t)(end + 4 - text);
}

/* Reads chunks up to and with the last one; where they end, 0 when they don't. */
static size_t read_chunks(struct h1_request *request, const struct bytes *sent, size_t at)
{
	for (;;) {
		const char *text = bytes_text(sent) + at;
		char *size_end;
		size_t size = strtoul(text, &size_end, 16);
		const char *line_end = strstr(text, "\r\n");
		if (size_end == text || line_end == NULL)
			return 0;
		size_t data = (size_t)(line_end + 2 - bytes_text(sent));
		if (size > sent->len || data + size + 2 > sent->len)
			return 0;
		bytes_append(&request->body, bytes_text(sent) + data, size);
		at = data + size + 2;
		if (size == 0)
			return at;
	}
}

static size_t read_body(struct h1_request *request, const struct bytes *sent, size_t at)
{
	const char *length = find_field(request, "content-length");
	const char *coding = find_field(request, "transfer-encoding");
	if (coding != NULL && strncasecmp(coding, "chunked", 7) == 0) {
		size_t end = read_chunks(request, sent, at);
		request->whole = end != 0;
		return end == 0 ? sent->len : end;
	}
	size_t want = length == NULL ? 0 : strtoul(length, NULL, 10);
	size_t left = sent->len - at;
	request->whole = left >= want;
	bytes_append(&request->body, bytes_text(sent) + at, left < want ? left : want);
	return at + (left < want ? left : want);
}

void h1_request_take(struct bytes *sent, struct h1_request *request)
{
	*request = (struct h1_request){0};
	size_t end = read_head(request, sent);
	if (end != 0) {
		end = read_body(request, sent, end);
	} else {
		h1_request_free(request);
		*request = (struct h1_request){.malformed = true};
		bytes_append(&request->body, sent->at, sent->len);
		end = sent->len;
	}
	bytes_drop(sent, end);
}
