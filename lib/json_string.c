/* SPDX-License-Identifier: MIT */
/*
 * Strings of the JSON reader: scanning them in the text, and reading them
 * decoded. Scanning proves every escape and every UTF-8 sequence, so decoding
 * may trust its input.
 */
#include "lib/json_internal.h"

#include "lib/hex.h"
#include "lib/json_plain.h"
#include "lib/utf8.h"

/* The four digits of \uXXXX at at; -1 when they are not four hexadecimal digits. */
static int hex_four(const unsigned char *at, const unsigned char *end)
{
	if (end - at < 4)
		return -1;
	int value = 0;
	for (int i = 0; i < 4; i++) {
		int digit = hex_value((char)at[i]);
		if (digit < 0)
			return -1;
		value = value << 4 | digit;
	}
	return value;
}

static bool is_high(int unit)
{
	return unit >= 0xD800 && unit <= 0xDBFF;
}

static bool is_low(int unit)
{
	return unit >= 0xDC00 && unit <= 0xDFFF;
}

/* The low surrogate written as an escape at at, or -1. */
static int low_half(const unsigned char *at, const unsigned char *end)
{
	if (end - at < 6 || at[0] != '\\' || at[1] != 'u')
		return -1;
	int unit = hex_four(at + 2, end);
	return is_low(unit) ? unit : -1;
}

static const unsigned char *fault_at(struct json_fault *fault, const unsigned char *at, const char *what)
{
	*fault = (struct json_fault){what, at};
	return NULL;
}

/* Scans \uXXXX; at points at the backslash. */
static const unsigned char *scan_unicode(const unsigned char *at, const unsigned char *end, bool relaxed,
					 struct json_fault *fault)
{
	int unit = hex_four(at + 2, end);
	if (unit < 0)
		return fault_at(fault, at, "\\u needs four hexadecimal digits");
	if (unit == 0 && !relaxed)
		return fault_at(fault, at, "NUL character");
	if (is_high(unit) && low_half(at + 6, end) >= 0)
		return at + 12;
	if ((is_high(unit) || is_low(unit)) && !relaxed)
		return fault_at(fault, at, "lone surrogate");
	return at + 6;
}

/* What may follow a backslash, and means this byte; but for \u. */
static const unsigned char simple_escapes[256] = {
    ['"'] = '"', ['\\'] = '\\', ['/'] = '/', ['b'] = '\b', ['f'] = '\f', ['n'] = '\n', ['r'] = '\r', ['t'] = '\t'};

/* Scans one escape; at points at the backslash. */
static const unsigned char *scan_escape(const unsigned char *at, const unsigned char *end, bool relaxed,
					struct json_fault *fault)
{
	if (end - at < 2)
		return fault_at(fault, end, "unterminated string");
	if (at[1] == 'u')
		return scan_unicode(at, end, relaxed, fault);
	return simple_escapes[at[1]] != 0 ? at + 2 : fault_at(fault, at, "invalid escape");
}

/* Scans what is not plain at at, an escape or a character of several bytes. Returns where it ends. */
static inline const unsigned char *scan_special(const unsigned char *at, const unsigned char *end, bool relaxed,
						bool *escaped, struct json_fault *fault)
{
	if (*at == '\\') {
		*escaped = true;
		bool simple = end - at >= 2 && simple_escapes[at[1]] != 0;
		return simple ? at + 2 : scan_escape(at, end, relaxed, fault);
	}
	if (*at < 0x20)
		return fault_at(fault, at, *at == 0 ? "NUL character" : "control character in a string");
	size_t length = utf8_length(at, (size_t)(end - at));
	return length == 0 ? fault_at(fault, at, "invalid UTF-8") : at + length;
}

#ifdef __SSE2__
/*
 * Scans block by block. Where text is dense with escapes, the cost is in branches
 * that cannot be foretold; here there is one for a block, where its special bytes
 * end. Returns the closing quote, or where less than a block is left.
 */
static const unsigned char *scan_blocks(const unsigned char *at, const unsigned char *end, bool relaxed, bool *escaped,
					struct json_fault *fault)
{
	while (end - at >= JSON_BLOCK) {
		const unsigned char *block = at;
		uint64_t mask = json_mask_block(block);
		at = block + JSON_BLOCK;
		while (mask != 0) {
			uint64_t bit = mask & -mask;
			const unsigned char *special = block + __builtin_ctzll(mask);
			if (*special == '\\' && special + 1 < at && simple_escapes[special[1]] != 0) {
				*escaped = true;
				mask &= ~(bit | bit << 1);
				continue;
			}
			if (*special == '"')
				return special;
			const unsigned char *behind = scan_special(special, end, relaxed, escaped, fault);
			if (behind == NULL)
				return NULL;
			if (behind >= at) {
				at = behind;
				break;
			}
			mask &= UINT64_MAX << (behind - block);
		}
	}
	return at;
}
#else
static const unsigned char *scan_blocks(const unsigned char *at, const unsigned char *end, bool relaxed, bool *escaped,
					struct json_fault *fault)
{
	(void)end, (void)relaxed, (void)escaped, (void)fault;
	return at;
}
#endif

const unsigned char *json_scan_string(const unsigned char *at, const unsigned char *end, bool relaxed, bool *escaped,
				      struct json_fault *fault)
{
	*escaped = false;
	at = scan_blocks(at, end, relaxed, escaped, fault);
	while (at != NULL) {
		at = json_skip_plain(at, end);
		if (at == end)
			return fault_at(fault, end, "unterminated string");
		if (*at == '"')
			return at + 1;
		at = scan_special(at, end, relaxed, escaped, fault);
	}
	return NULL;
}

static unsigned char encode_utf8(unsigned char out[4], uint32_t c)
{
	if (c < 0x80) {
		out[0] = (unsigned char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (unsigned char)(0xC0 | c >> 6);
		out[1] = (unsigned char)(0x80 | (c & 0x3F));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (unsigned char)(0xE0 | c >> 12);
		out[1] = (unsigned char)(0x80 | (c >> 6 & 0x3F));
		out[2] = (unsigned char)(0x80 | (c & 0x3F));
		return 3;
	}
	out[0] = (unsigned char)(0xF0 | c >> 18);
	out[1] = (unsigned char)(0x80 | (c >> 12 & 0x3F));
	out[2] = (unsigned char)(0x80 | (c >> 6 & 0x3F));
	out[3] = (unsigned char)(0x80 | (c & 0x3F));
	return 4;
}

/* The code point of the \u escape at at, which moves behind it. A lone half becomes U+FFFD. */
static uint32_t decode_unicode(const unsigned char **at, const unsigned char *end)
{
	int unit = hex_four(*at + 2, end);
	*at += 6;
	if (!is_high(unit))
		return is_low(unit) ? 0xFFFD : (uint32_t)unit;
	int low = low_half(*at, end);
	if (low < 0)
		return 0xFFFD;
	*at += 6;
	return 0x10000 + (((uint32_t)unit - 0xD800) << 10) + ((uint32_t)low - 0xDC00);
}

struct json_bytes json_bytes_of(const struct json *json, uint32_t node)
{
	const struct json_node *n = &json->nodes[node];
	const unsigned char *text = (const unsigned char *)json->text.at;
	return (struct json_bytes){.at = text + n->start + 1, .end = text + n->end - 1};
}

int json_bytes_next(struct json_bytes *bytes)
{
	if (bytes->used < bytes->have)
		return bytes->pending[bytes->used++];
	if (bytes->at == bytes->end)
		return -1;
	if (*bytes->at != '\\')
		return *bytes->at++;
	if (bytes->at[1] != 'u') {
		bytes->at += 2;
		return simple_escapes[bytes->at[-1]];
	}
	bytes->have = encode_utf8(bytes->pending, decode_unicode(&bytes->at, bytes->end));
	bytes->used = 1;
	return bytes->pending[0];
}

struct span json_string(const struct json *json, uint32_t node, struct arena *arena)
{
	struct span raw = json_raw(json, node);
	if (!json->nodes[node].escaped)
		return (struct span){raw.at + 1, raw.len - 2};
	char *copy = arena_alloc(arena, raw.len); /* decoded is never longer than escaped */
	if (copy == NULL)
		return (struct span){NULL, 0};
	struct json_bytes bytes = json_bytes_of(json, node);
	size_t len = 0;
	for (;;) {
		const unsigned char *escape = memchr(bytes.at, '\\', (size_t)(bytes.end - bytes.at));
		size_t run = (size_t)((escape == NULL ? bytes.end : escape) - bytes.at);
		memcpy(copy + len, bytes.at, run);
		len += run;
		bytes.at += run;
		if (escape == NULL)
			return (struct span){copy, len};
		do
			copy[len++] = (char)json_bytes_next(&bytes);
		while (bytes.used < bytes.have);
	}
}

bool json_escaped_is(const struct json *json, uint32_t node, struct span text)
{
	struct json_bytes bytes = json_bytes_of(json, node);
	for (size_t i = 0; i < text.len; i++)
		if (json_bytes_next(&bytes) != (unsigned char)text.at[i])
			return false;
	return json_bytes_next(&bytes) < 0;
}
