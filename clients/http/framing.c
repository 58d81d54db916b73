/* SPDX-License-Identifier: MIT */
/*
 * Stricter than RFC 9112 asks of a recipient: lines of chunks end in CR LF, and
 * only blanks stand between a size and its extension. What two parties could read
 * differently is broken.
 */
#include "clients/http/framing.h"

#include <string.h>

#include "clients/http/response_head.h"
#include "lib/hex.h"

enum {
	FRAMING_MAX_DIGITS = 15,        /* so that left cannot overflow */
	FRAMING_MAX_EXTENSION = 1024,   /* bytes of one chunk's */
	FRAMING_MAX_TRAILER = 16 * 1024 /* bytes of all lines */
};

void framing_init(struct framing *framing, const struct head *head)
{
	*framing = (struct framing){0};
	if (head->status == 204 || head->status == 304)
		framing->state = FRAMING_ST_END;
	else if (head->chunked)
		framing->state = FRAMING_ST_SIZE;
	else if (head->content_length < 0)
		framing->state = FRAMING_ST_UNTIL_CLOSE;
	else
		framing->state = head->content_length == 0 ? FRAMING_ST_END : FRAMING_ST_LENGTH;
	framing->left = head->content_length > 0 ? (uint64_t)head->content_length : 0;
}

static void framing_break(struct framing *framing, const char *why)
{
	framing->state = FRAMING_ST_BROKEN;
	framing->why = why;
}

static void framing_size(struct framing *framing, char c)
{
	int value = hex_value(c);
	if (value >= 0 && framing->digits < FRAMING_MAX_DIGITS) {
		framing->left = framing->left * 16 + (unsigned)value;
		framing->digits++;
	} else if (framing->digits > 0 && c == '\r') {
		framing->state = FRAMING_ST_SIZE_LF;
	} else if (framing->digits > 0 && (c == ';' || c == ' ' || c == '\t')) {
		framing->state = c == ';' ? FRAMING_ST_EXTENSION : FRAMING_ST_BLANK;
		framing->line = 0;
	} else {
		framing_break(framing, "the size of a chunk is malformed");
	}
}

/* Some pad sizes. */
static void framing_blank(struct framing *framing, char c)
{
	if (c == ';')
		framing->state = FRAMING_ST_EXTENSION;
	else if (c == '\r')
		framing->state = FRAMING_ST_SIZE_LF;
	else if ((c != ' ' && c != '\t') || ++framing->line > FRAMING_MAX_EXTENSION)
		framing_break(framing, "the size of a chunk is malformed");
}

static void framing_extension(struct framing *framing, char c)
{
	if (c == '\r')
		framing->state = FRAMING_ST_SIZE_LF;
	else if (c == '\n' || ++framing->line > FRAMING_MAX_EXTENSION)
		framing_break(framing, "the extension of a chunk is malformed");
}

static void framing_trailer(struct framing *framing, char c)
{
	bool bare = framing->cr && c != '\n'; /* the CR before was none of a line's end */
	framing->cr = c == '\r';
	if (++framing->trailer > FRAMING_MAX_TRAILER || bare)
		framing_break(framing, bare ? "a trailer is malformed" : "the trailers are too large");
	else if (c == '\n' && framing->line == 0)
		framing->state = FRAMING_ST_END;
	else if (c == '\n')
		framing->line = 0;
	else if (c != '\r')
		framing->line++;
}

static void framing_expect(struct framing *framing, char c, char expected, enum framing_state next)
{
	if (c == expected)
		framing->state = next;
	else
		framing_break(framing, "a chunk does not end where it should");
}

/* One byte that is not body. */
static void framing_step(struct framing *framing, char c)
{
	switch (framing->state) {
	case FRAMING_ST_SIZE:
		framing_size(framing, c);
		break;
	case FRAMING_ST_BLANK:
		framing_blank(framing, c);
		break;
	case FRAMING_ST_EXTENSION:
		framing_extension(framing, c);
		break;
	case FRAMING_ST_SIZE_LF:
		framing_expect(framing, c, '\n', framing->left == 0 ? FRAMING_ST_TRAILER : FRAMING_ST_DATA);
		framing->digits = framing->line = 0;
		break;
	case FRAMING_ST_DATA_CR:
		framing_expect(framing, c, '\r', FRAMING_ST_DATA_LF);
		break;
	case FRAMING_ST_DATA_LF:
		framing_expect(framing, c, '\n', FRAMING_ST_SIZE);
		break;
	default:
		framing_trailer(framing, c);
	}
}

/* Body bytes among the first len. */
static size_t framing_run(struct framing *framing, size_t len)
{
	if (framing->state == FRAMING_ST_UNTIL_CLOSE)
		return len;
	if (framing->state != FRAMING_ST_LENGTH && framing->state != FRAMING_ST_DATA)
		return 0;
	size_t run = len < framing->left ? len : (size_t)framing->left;
	framing->left -= run;
	if (framing->left == 0)
		framing->state = framing->state == FRAMING_ST_LENGTH ? FRAMING_ST_END : FRAMING_ST_DATA_CR;
	return run;
}

size_t framing_decode(struct framing *framing, char *bytes, size_t len, size_t *rest)
{
	size_t body = 0, at = 0;
	while (at < len && framing->state != FRAMING_ST_END && framing->state != FRAMING_ST_BROKEN) {
		size_t run = framing_run(framing, len - at);
		if (run == 0) {
			framing_step(framing, bytes[at++]);
			continue;
		}
		if (body != at)
			memmove(bytes + body, bytes + at, run);
		body += run;
		at += run;
	}
	*rest = len - at;
	return body;
}
