/* SPDX-License-Identifier: MIT */
/* What looks like a credential goes, and the rest stays byte for byte. */
#include "lib/redact.h"

#include <strings.h>

enum { REDACT_LEAST = 8 /* bytes behind a prefix that make it a key */ };

static const char replacement[] = "[redacted]";

/* Bytes that keys and tokens are made of (RFC 6750, section 2.1), and the stars that services mask them with. */
static bool is_token(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("-._~+/=*", c) != NULL);
}

static bool begins(struct span text, size_t at, const char *with)
{
	size_t len = strlen(with);
	return text.len - at >= len && strncasecmp(text.at + at, with, len) == 0;
}

static size_t token_length(struct span text, size_t at)
{
	size_t end = at;
	while (end < text.len && is_token(text.at[end]))
		end++;
	return end - at;
}

/* Returns how many bytes at that offset are a credential; *kept of them stay in front. */
static size_t credential(struct span text, size_t at, const char *secret, size_t *kept)
{
	static const char *const prefixes[] = {"sk-", "sk_", "gsk_", "pk-", "xai-", "AIza", "hf_", "nvapi-", "r8_"};
	static const char bearer[] = "Bearer ";
	*kept = 0;
	if (secret != NULL && *secret != '\0' && begins(text, at, secret))
		return strlen(secret);
	if (begins(text, at, bearer)) {
		size_t len = token_length(text, at + sizeof(bearer) - 1);
		*kept = sizeof(bearer) - 1;
		return len == 0 ? 0 : *kept + len;
	}
	if (at > 0 && is_token(text.at[at - 1]))
		return 0;
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		size_t len = begins(text, at, prefixes[i]) ? token_length(text, at) : 0;
		if (len >= strlen(prefixes[i]) + REDACT_LEAST)
			return len;
	}
	return 0;
}

/* Writes the text without credentials to out, which may be NULL; returns its length. */
static size_t write_redacted(struct span text, const char *secret, char *out, bool *any)
{
	size_t len = 0;
	for (size_t at = 0; at < text.len;) {
		size_t kept = 0;
		size_t found = credential(text, at, secret, &kept);
		size_t copied = found == 0 ? 1 : kept;
		if (out != NULL)
			memcpy(out + len, text.at + at, copied);
		len += copied;
		if (found != 0) {
			if (out != NULL)
				memcpy(out + len, replacement, sizeof(replacement) - 1);
			len += sizeof(replacement) - 1;
			*any = true;
		}
		at += found == 0 ? 1 : found;
	}
	return len;
}

struct span redact(struct span text, const char *secret, struct arena *arena)
{
	bool any = false;
	size_t len = write_redacted(text, secret, NULL, &any);
	if (!any)
		return text;
	char *out = arena_alloc(arena, len);
	if (out == NULL)
		return (struct span){NULL, 0};
	write_redacted(text, secret, out, &any);
	return (struct span){out, len};
}
