/* SPDX-License-Identifier: MIT */
/* Framing of server-sent events; see sse_write.h. */
#include "schemas/sse_write.h"

/* Appends data without LF: a CR would end a line for readers, too. */
static void write_lines(struct buf *out, struct span data)
{
	const char *line_end = NULL;
	buf_append(out, SPAN("data: "));
	while ((line_end = memchr(data.at, '\r', data.len)) != NULL) {
		size_t len = (size_t)(line_end - data.at);
		buf_append(out, (struct span){data.at, len});
		data = (struct span){data.at + len + 1, data.len - len - 1};
		if (data.len > 0)
			buf_append(out, SPAN("\ndata: "));
	}
	buf_append(out, data);
}

void sse_write_event(struct buf *out, struct span data)
{
	const char *line_end = NULL;
	while ((line_end = memchr(data.at, '\n', data.len)) != NULL) {
		size_t len = (size_t)(line_end - data.at);
		write_lines(out, (struct span){data.at, len});
		buf_append(out, SPAN("\n"));
		data = (struct span){data.at + len + 1, data.len - len - 1};
	}
	write_lines(out, data);
	buf_append(out, SPAN("\n\n"));
}

void sse_write_named(struct buf *out, const char *name, struct span data)
{
	buf_printf(out, "event: %s\n", name);
	sse_write_event(out, data);
}
