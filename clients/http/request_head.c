/* SPDX-License-Identifier: MIT */
/*
 * A head is the opening of its path, the call's own fields, the origin's lines
 * and the length of the body; all but the second and the last were written
 * when they were first needed.
 */
#include "clients/http/request_head.h"

#include "lib/decimal.h"

enum { REQUEST_MAX_FIELD = 8192 };

static bool has_control(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.at[i] < ' ' && text.at[i] != '\t')
			return true;
	return false;
}

static bool is_sendable(const struct http_field *field)
{
	return field->name.len > 0 && field->name.len + field->value.len < REQUEST_MAX_FIELD &&
	       !has_control(field->name) && !has_control(field->value) &&
	       memchr(field->name.at, ':', field->name.len) == NULL;
}

static void write_field(struct buf *to, const struct http_field *field)
{
	buf_append(to, field->name);
	buf_append(to, field->value.len == 0 ? SPAN(":") : SPAN(": "));
	if (field->value.len > 0)
		buf_append(to, field->value);
	buf_append(to, SPAN("\r\n"));
}

bool request_write_head(struct http_origin *origin, const struct http_call_request *request, struct buf *to)
{
	const struct http_path *path = origin_path(origin, request->path);
	if (path == NULL)
		return false;
	buf_append(to, path->opening[request->get]);
	for (size_t i = 0; i < request->extra_count; i++)
		if (is_sendable(&request->extra[i]))
			write_field(to, &request->extra[i]);
	buf_append(to, origin_lines(origin, request->get, request->stream));
	if (!request->get) {
		buf_append(to, SPAN("Content-Length: "));
		decimal_append(to, request->body.len + request->tail.len);
		buf_append(to, SPAN("\r\n"));
	}
	buf_append(to, SPAN("\r\n"));
	return !buf_failed(to);
}
