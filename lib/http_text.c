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

bool http_is_word(struct span text, const char *word)
{
	size_t at = 0;
	for (; at < text.len && word[at] != '\0'; at++) {
		char byte = text.at[at];
		char lower = (char)(byte >= 'A' && byte <= 'Z' ? byte - 'A' + 'a' : byte);
		if (lower != word[at])
			return false;
	}
	return at == text.len && word[at] == '\0';
}
