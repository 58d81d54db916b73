/* SPDX-License-Identifier: MIT */
/* Escaping for JSON output; json_write.h holds the contract. */
#include "lib/json_write.h"

#include "lib/json_plain.h"
#include "lib/utf8.h"

/* The letter behind the backslash for controls that have a short form. */
static char short_escape(unsigned char c)
{
	switch (c) {
	case '\b':
		return 'b';
	case '\f':
		return 'f';
	case '\n':
		return 'n';
	case '\r':
		return 'r';
	case '\t':
		return 't';
	case '"':
	case '\\':
		return (char)c;
	default:
		return 0;
	}
}

static void write_escape(struct buf *out, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	char letter = short_escape(c);
	if (letter != 0)
		buf_append(out, (struct span){(char[]){'\\', letter}, 2});
	else
		buf_append(out, (struct span){(char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6});
}

/* The length of the run at at that may be written as it is. */
static size_t plain_run(const unsigned char *at, size_t left)
{
	const unsigned char *end = at + left, *behind = json_skip_plain(at, end);
	while (behind < end && *behind >= 0x80) {
		size_t length = utf8_length(behind, (size_t)(end - behind));
		if (length == 0)
			break;
		behind = json_skip_plain(behind + length, end);
	}
	return (size_t)(behind - at);
}

void json_write_string(struct buf *out, struct span text)
{
	const unsigned char *at = (const unsigned char *)text.at;
	size_t left = text.len;
	buf_append(out, SPAN("\""));
	while (left > 0) {
		size_t run = plain_run(at, left);
		buf_append(out, (struct span){(const char *)at, run});
		at += run;
		left -= run;
		if (left == 0)
			break;
		if (*at < 0x80)
			write_escape(out, *at);
		else
			buf_append(out, SPAN("\xEF\xBF\xBD"));
		at++;
		left--;
	}
	buf_append(out, SPAN("\""));
}

void json_write_string_or_null(struct buf *out, struct span text)
{
	if (text.at == NULL)
		buf_append(out, SPAN("null"));
	else
		json_write_string(out, text);
}
