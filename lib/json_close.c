/* SPDX-License-Identifier: MIT */
/* Follows brackets and strings; json_close.h holds the contract. */
#include "lib/json_close.h"

#include "lib/json_scan.h"

/* Where a value was complete last, and what was open there. */
struct closing {
	char open[JSON_SCAN_DEPTH]; /* the brackets that close it */
	size_t depth;
	size_t kept;       /* bytes up to there; 0 = there was none */
	size_t kept_depth; /* open there */
};

/* Returns the offset after the string that begins at text.at[at]. */
static size_t skip_string(struct span text, size_t at)
{
	for (at++; at < text.len && text.at[at] != '"'; at++)
		at += text.at[at] == '\\';
	return at < text.len ? at + 1 : text.len;
}

static void keep(struct closing *closing, size_t len)
{
	closing->kept = len;
	closing->kept_depth = closing->depth;
}

/* Takes the byte at an offset, which is in no string. False: no document goes on like this. */
static bool take_byte(struct closing *closing, char byte, size_t at)
{
	switch (byte) {
	case '{':
	case '[':
		if (closing->depth == JSON_SCAN_DEPTH)
			return false;
		closing->open[closing->depth++] = byte == '{' ? '}' : ']';
		return true;
	case '}':
	case ']':
		if (closing->depth == 0 || closing->open[closing->depth - 1] != byte)
			return false;
		closing->depth--;
		keep(closing, at + 1);
		return true;
	case ',':
		keep(closing, at);
		return closing->depth > 0;
	default:
		return true;
	}
}

bool json_close(struct buf *document)
{
	struct span text = buf_span(document);
	struct closing closing = {.depth = 0};
	for (size_t at = 0; at < text.len;) {
		if (text.at[at] == '"')
			at = skip_string(text, at);
		else if (!take_byte(&closing, text.at[at], at))
			return false;
		else
			at++;
	}
	if (closing.kept == 0)
		return false;
	/* what was opened behind it does not matter: brackets of less depth are as they were there */
	buf_truncate(document, closing.kept);
	while (closing.kept_depth > 0)
		buf_append(document, (struct span){&closing.open[--closing.kept_depth], 1});
	return !buf_failed(document);
}
