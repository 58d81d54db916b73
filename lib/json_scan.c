/* SPDX-License-Identifier: MIT */
/* Strings are skipped by what ends them; the rest is looked at byte by byte. */
#include "lib/json_scan.h"

/* Returns the offset behind the string's part in piece; the string may go on in the next one. */
static size_t skip_string(struct json_scan *scan, struct span piece, size_t at)
{
	for (; at < piece.len; at++) {
		if (scan->escaped) {
			scan->escaped = false;
		} else if (piece.at[at] == '\\') {
			scan->escaped = true;
		} else if (piece.at[at] == '"') {
			scan->string = false;
			return at + 1;
		}
	}
	return at;
}

static void open_level(struct json_scan *scan, bool object)
{
	if (scan->depth == JSON_SCAN_DEPTH) {
		scan->broken = true;
		return;
	}
	uint64_t bit = UINT64_C(1) << (scan->depth % 64);
	uint64_t *word = &scan->objects[scan->depth / 64];
	*word = object ? *word | bit : *word & ~bit;
	scan->depth++;
	scan->begun = true;
}

static void close_level(struct json_scan *scan, bool object)
{
	if (scan->depth == 0) {
		scan->broken = true;
		return;
	}
	scan->depth--;
	bool opened = (scan->objects[scan->depth / 64] >> (scan->depth % 64) & 1) != 0;
	scan->broken |= opened != object;
	scan->ended = scan->depth == 0;
}

static void take_byte(struct json_scan *scan, char byte)
{
	bool space = byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
	if (space)
		return;
	scan->broken |= scan->ended || (!scan->begun && byte != '{' && byte != '[');
	switch (byte) {
	case '"':
		scan->string = true;
		break;
	case '{':
	case '[':
		open_level(scan, byte == '{');
		break;
	case '}':
	case ']':
		close_level(scan, byte == '}');
		break;
	default:
		break;
	}
}

bool json_scan_add(struct json_scan *scan, struct span piece)
{
	for (size_t at = 0; at < piece.len && !scan->broken;) {
		if (scan->string)
			at = skip_string(scan, piece, at);
		else
			take_byte(scan, piece.at[at++]);
	}
	return !scan->broken;
}

bool json_scan_is_whole(const struct json_scan *scan)
{
	return scan->ended && !scan->broken;
}
