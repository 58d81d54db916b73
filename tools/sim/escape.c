/* SPDX-License-Identifier: MIT */
/* JSON escaping without quotes; the \u form is written here, the rest is lib/json_write. */
#include "tools/sim/escape.h"

#include <stdint.h>

#include "lib/json_write.h"

static void escape_plain(struct buf *out, struct span text)
{
	size_t before = buf_len(out);
	json_write_string(out, text);
	if (buf_failed(out))
		return;
	char *quoted = out->bytes + out->start + before;
	size_t inside = buf_len(out) - before - 2;
	memmove(quoted, quoted + 1, inside);
	out->end -= 2;
}

/* One code point of valid UTF-8; advances *at. */
static uint32_t code_point(struct span text, size_t *at)
{
	const unsigned char *byte = (const unsigned char *)text.at + *at;
	size_t more = *byte < 0x80 ? 0 : *byte < 0xe0 ? 1 : *byte < 0xf0 ? 2 : 3;
	uint32_t point = more == 0 ? *byte : *byte & (0x3fu >> more);
	size_t taken = 1;
	for (; taken <= more && *at + taken < text.len; taken++)
		point = point << 6 | (byte[taken] & 0x3fu);
	*at += taken;
	return point;
}

static void escape_ascii(struct buf *out, struct span text)
{
	for (size_t at = 0; at < text.len;) {
		size_t start = at;
		uint32_t point = code_point(text, &at);
		if (point < 0x80)
			escape_plain(out, (struct span){text.at + start, 1});
		else if (point < 0x10000)
			buf_printf(out, "\\u%04x", point);
		else
			buf_printf(out, "\\u%04x\\u%04x", 0xd800 + ((point - 0x10000) >> 10),
				   0xdc00 + ((point - 0x10000) & 0x3ff));
	}
}

void escape_json(struct buf *out, struct span text, bool ascii)
{
	if (ascii)
		escape_ascii(out, text);
	else
		escape_plain(out, text);
}
