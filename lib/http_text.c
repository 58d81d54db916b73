/* SPDX-License-Identifier: MIT */
/* Tokens and lists; http_text.h holds the contract. */
#include "lib/http_text.h"

#include <stdint.h>

struct span http_trim(struct span text)
{
	while (text.len > 0 && (text.at[0] == ' ' || text.at[0] == '\t')) {
		text.at++;
		text.len--;
	}
	while (text.len > 0 && (text.at[text.len - 1] == ' ' || text.at[text.len - 1] == '\t'))
		text.len--;
	return text;
}

struct span http_take(struct span *rest, char separator)
{
	const char *end = rest->len == 0 ? NULL : memchr(rest->at, separator, rest->len);
	struct span part = *rest;
	if (end == NULL) {
		*rest = (struct span){NULL, 0};
		return http_trim(part);
	}
	part.len = (size_t)(end - rest->at);
	*rest = (struct span){end + 1, rest->len - part.len - 1};
	return http_trim(part);
}

/* Digits, letters and !#$%&'*+-.^_`|~ (RFC 9110, section 5.6.2), as one bit each of the first 128 bytes. */
static bool is_token(char c)
{
	static const uint64_t bits[2] = {UINT64_C(0x3ff6cfa00000000), UINT64_C(0x57ffffffc7fffffe)};
	unsigned byte = (unsigned char)c;
	return byte < 128 && (bits[byte / 64] >> byte % 64 & 1) != 0;
}

bool http_is_token(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!is_token(text.at[i]))
			return false;
	return text.len > 0;
}

static bool is_value_byte(char c)
{
	unsigned char byte = (unsigned char)c;
	return (byte >= 0x20 || byte == '\t') && byte != 0x7f;
}

static bool are_value_bytes(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!is_value_byte(text.at[i]))
			return false;
	return true;
}

/* Returns 0 when all eight bytes are from 0x20 to 0x7e. */
static uint64_t unusual_in(const char *at)
{
	uint64_t word;
	memcpy(&word, at, sizeof(word));
	return ((word - 0x2020202020202020) | (word + 0x0101010101010101) | word) & 0x8080808080808080;
}

bool http_is_field_value(struct span text)
{
	enum { WORD = sizeof(uint64_t) };
	if (text.len < WORD)
		return are_value_bytes(text);
	uint64_t unusual = unusual_in(text.at + text.len - WORD); /* may overlap the one before */
	for (size_t i = 0; i + WORD < text.len; i += WORD)
		unusual |= unusual_in(text.at + i);
	return unusual == 0 || are_value_bytes(text);
}

bool http_is_word_of_length(struct span text, const char *word)
{
	for (size_t i = 0; i < text.len; i++) {
		char byte = text.at[i];
		char lower = (char)(byte >= 'A' && byte <= 'Z' ? byte - 'A' + 'a' : byte);
		if (lower != word[i])
			return false;
	}
	return true;
}
