/* SPDX-License-Identifier: MIT */
/* Strings are skipped by what ends them; the rest is looked at byte by byte. */
#include "lib/json_scan.h"

static void scan_tell(struct json_scan *scan, enum json_scan_token token)
{
	if (scan->on_token != NULL)
		scan->on_token(scan, token);
}

static bool in_object(const struct json_scan *scan)
{
	unsigned level = scan->depth - 1;
	return scan->depth > 0 && (scan->objects[level / 64] >> (level % 64) & 1) != 0;
}

/* Keeps how a string begins. */
static void keep_text(struct json_scan *scan, struct span piece)
{
	for (size_t i = 0; i < piece.len && scan->text_len + i < JSON_SCAN_STRING; i++)
		scan->text[scan->text_len + i] = piece.at[i];
	scan->text_len += piece.len;
}

static void end_string(struct json_scan *scan)
{
	bool name = !scan->value && in_object(scan);
	scan->string = false;
	scan->value = false;
	scan_tell(scan, name ? JSON_SCAN_NAME : JSON_SCAN_TEXT);
}

/* Returns the offset after the string's part in piece; the string may go on in the next one. */
static size_t skip_string(struct json_scan *scan, struct span piece, size_t at)
{
	size_t start = at;
	for (; at < piece.len; at++) {
		if (scan->escaped) {
			scan->escaped = false;
		} else if (piece.at[at] == '\\') {
			scan->escaped = true;
		} else if (piece.at[at] == '"') {
			keep_text(scan, (struct span){piece.at + start, at - start});
			end_string(scan);
			return at + 1;
		}
	}
	keep_text(scan, (struct span){piece.at + start, at - start});
	return at;
}

static void open_level(struct json_scan *scan, bool object)
{
	if (scan->depth == JSON_SCAN_DEPTH) {
		scan->broken = true;
		return;
	}
	scan_tell(scan, object ? JSON_SCAN_OPEN_OBJECT : JSON_SCAN_OPEN_ARRAY);
	uint64_t bit = UINT64_C(1) << (scan->depth % 64);
	uint64_t *word = &scan->objects[scan->depth / 64];
	*word = object ? *word | bit : *word & ~bit;
	scan->depth++;
	scan->begun = true;
	scan->value = false;
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
	scan->value = false;
	scan_tell(scan, JSON_SCAN_CLOSE);
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
		scan->text_len = 0;
		break;
	case ':':
		scan->value = true;
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
		if (!scan->value)
			break;
		scan->value = false;
		scan->first = byte;
		scan_tell(scan, JSON_SCAN_OTHER);
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
