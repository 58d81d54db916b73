/* SPDX-License-Identifier: MIT */
/* What looks like a credential or names an account goes, and the rest stays byte for byte. */
#include "lib/redact.h"

#include <strings.h>

enum { REDACT_LEAST = 8 /* bytes of a key behind its prefix, or of an account's name */ };

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

/* Returns how many bytes at that offset are the secret, as it is or as JSON may escape it ("\\/"); 0 = none. */
static size_t secret_length(struct span text, size_t at, const char *secret)
{
	size_t end = at;
	for (; *secret != '\0'; secret++, end++) {
		if (end + 1 < text.len && text.at[end] == '\\' && text.at[end + 1] == *secret)
			end++;
		if (end >= text.len || strncasecmp(text.at + end, secret, 1) != 0)
			return 0;
	}
	return end - at;
}

/* Names that services give are no words: they have digits or capitals. */
static bool is_given_name(struct span text, size_t at, size_t len)
{
	bool odd = false;
	for (size_t i = at; i < at + len && i < text.len; i++)
		odd |= (text.at[i] >= '0' && text.at[i] <= '9') || (text.at[i] >= 'A' && text.at[i] <= 'Z');
	return odd && len >= REDACT_LEAST;
}

/* Returns how many bytes at that offset name the account; *kept of them stay in front. */
static size_t account(struct span text, size_t at, size_t *kept)
{
	static const char *const prefixes[] = {"org-", "org_", "proj_", "acct_", "user_", "ak-"};
	static const char *const labels[] = {
	    "organization ", "organization's ", "org: ", "project ", "team ", "account "};
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		size_t len = begins(text, at, prefixes[i]) ? token_length(text, at) : 0;
		if (len > 0 && is_given_name(text, at + strlen(prefixes[i]), len - strlen(prefixes[i])))
			return len;
	}
	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
		if (!begins(text, at, labels[i]))
			continue;
		*kept = strlen(labels[i]);
		while (at + *kept < text.len && text.at[at + *kept] != '\0' &&
		       strchr("(`'", text.at[at + *kept]) != NULL)
			++*kept;
		size_t len = token_length(text, at + *kept);
		if (is_given_name(text, at + *kept, len))
			return *kept + len;
	}
	*kept = 0;
	return 0;
}

/* Returns how many bytes at that offset are a credential; *kept of them stay in front. */
static size_t credential(struct span text, size_t at, const char *secret, size_t *kept)
{
	static const char *const prefixes[] = {"sk-", "sk_", "gsk_", "pk-", "xai-", "AIza", "hf_", "nvapi-", "r8_"};
	static const char bearer[] = "Bearer ";
	size_t found = secret == NULL ? 0 : secret_length(text, at, secret);
	*kept = 0;
	if (found != 0)
		return found;
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
	return account(text, at, kept);
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
