/* SPDX-License-Identifier: MIT */
/*
 * A reader of HTTP/1.1 that was written from the grammar of RFC 9112 and shares nothing with ours: strict, slow, and on
 * whole texts only. What it reads is what ours must read.
 */
#ifndef SLUICE_TESTS_FUZZ_H1_READER_H
#define SLUICE_TESTS_FUZZ_H1_READER_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/span.h"

/* A cursor that fails once and for good. */
struct cursor {
	const unsigned char *at, *end;
	bool failed;
};

static int peek(const struct cursor *c)
{
	return c->failed || c->at == c->end ? -1 : *c->at;
}

static bool take(struct cursor *c, int want)
{
	if (peek(c) != want)
		return false;
	c->at++;
	return true;
}

static void need(struct cursor *c, bool condition)
{
	c->failed = c->failed || !condition;
}

static void need_line_end(struct cursor *c)
{
	need(c, take(c, '\r'));
	need(c, take(c, '\n'));
}

static bool is_tchar(int c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c > 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_text(int c) /* HTAB / SP / VCHAR / obs-text */
{
	return c == '\t' || (c >= 0x20 && c != 0x7f);
}

static struct span token(struct cursor *c)
{
	const char *from = (const char *)c->at;
	while (is_tchar(peek(c)))
		c->at++;
	struct span found = {from, (size_t)((const char *)c->at - from)};
	need(c, found.len > 0);
	return found;
}

static void blanks(struct cursor *c)
{
	while (take(c, ' ') || take(c, '\t'))
		continue;
}

static void quoted(struct cursor *c)
{
	need(c, take(c, '"'));
	while (!c->failed && !take(c, '"')) {
		take(c, '\\');
		need(c, is_text(peek(c)));
		if (!c->failed)
			c->at++;
	}
}

static void extensions(struct cursor *c)
{
	while (!c->failed && peek(c) != '\r') {
		blanks(c);
		need(c, take(c, ';'));
		blanks(c);
		token(c);
		struct cursor before = *c;
		blanks(c);
		if (!take(c, '=')) {
			*c = before;
			continue;
		}
		blanks(c);
		if (peek(c) == '"')
			quoted(c);
		else
			token(c);
	}
}

static struct span value(struct cursor *c)
{
	blanks(c);
	const char *from = (const char *)c->at;
	size_t len = 0;
	for (; is_text(peek(c)); c->at++)
		if (peek(c) != ' ' && peek(c) != '\t')
			len = (size_t)((const char *)c->at - from) + 1;
	return (struct span){from, len};
}

static bool is_named(struct span s, const char *name)
{
	return s.len == strlen(name) && strncasecmp(s.at, name, s.len) == 0;
}

static void trailers(struct cursor *c)
{
	while (!c->failed && peek(c) != '\r') {
		struct span name = token(c);
		need(c, take(c, ':') && !is_named(name, "host") && !is_named(name, "trailer") &&
			    !is_named(name, "content-length") && !is_named(name, "transfer-encoding"));
		value(c);
		need_line_end(c);
	}
	need_line_end(c);
}

/* A whole chunked body, into body. */
static inline void chunked(struct cursor *c, char *body, size_t *len)
{
	for (;;) {
		uint64_t size = 0;
		int digits = 0;
		for (; strchr("0123456789abcdefABCDEF", peek(c) > 0 ? peek(c) : 'x') != NULL; digits++, c->at++)
			size = size * 16 + strtoul((char[]){(char)*c->at, '\0'}, NULL, 16);
		need(c, digits > 0 && digits <= 8);
		extensions(c);
		need_line_end(c);
		need(c, size <= (size_t)(c->end - c->at));
		if (c->failed || size == 0)
			break;
		memcpy(body + *len, c->at, size);
		*len += size;
		c->at += size;
		need_line_end(c);
	}
	trailers(c);
}

struct meaning {
	struct span method, target;
	size_t length;
	bool close, keep_alive; /* Connection says so */
	unsigned hosts, lengths, codings;
	int minor;
	bool odd_expectation;
};

/* Whether a list that is separated by commas has that word. */
static bool lists(struct span list, const char *word)
{
	for (size_t at = 0, end; at <= list.len; at = end + 1) {
		for (end = at; end < list.len && list.at[end] != ',';)
			end++;
		struct cursor part = {(const unsigned char *)list.at + at, (const unsigned char *)list.at + end, false};
		if (is_named(value(&part), word))
			return true;
	}
	return false;
}

static void field(struct cursor *c, struct meaning *meaning)
{
	struct span name = token(c);
	need(c, take(c, ':'));
	struct span text = value(c);
	if (is_named(name, "host")) {
		meaning->hosts++;
		for (size_t i = 0; i < text.len; i++)
			need(c,
			     text.at[i] > 0x20 && text.at[i] < 0x7f && strchr("/\\@?#,<>\"{}|^`", text.at[i]) == NULL);
	}
	if (is_named(name, "content-length")) {
		meaning->lengths++;
		need(c, text.len > 0 && text.len <= 18);
		for (size_t i = 0; i < text.len; i++)
			need(c, text.at[i] >= '0' && text.at[i] <= '9');
		for (size_t i = 0; i < text.len && !c->failed; i++)
			meaning->length = meaning->length * 10 + (size_t)(text.at[i] - '0');
	}
	if (is_named(name, "connection")) {
		meaning->close = meaning->close || lists(text, "close");
		meaning->keep_alive = meaning->keep_alive || lists(text, "keep-alive");
	}
	if (is_named(name, "transfer-encoding")) {
		meaning->codings++;
		need(c, is_named(text, "chunked"));
	}
	if (is_named(name, "expect") && !is_named(text, "100-continue"))
		meaning->odd_expectation = true;
	need_line_end(c);
}

static inline void whole_head(struct cursor *c, struct meaning *meaning)
{
	if (peek(c) == '\r')
		need_line_end(c);
	meaning->method = token(c);
	need(c, take(c, ' '));
	meaning->target.at = (const char *)c->at;
	while (peek(c) > 0x20 && peek(c) != 0x7f)
		c->at++;
	meaning->target.len = (size_t)((const char *)c->at - meaning->target.at);
	need(c, meaning->target.len > 0 && take(c, ' '));
	for (const char *version = "HTTP/1."; *version != '\0'; version++)
		need(c, take(c, *version));
	meaning->minor = peek(c) - '0';
	need(c, meaning->minor >= 0 && meaning->minor <= 9);
	if (!c->failed)
		c->at++;
	need_line_end(c);
	while (!c->failed && peek(c) != '\r')
		field(c, meaning);
	need_line_end(c);
	need(c, meaning->lengths <= 1 && meaning->codings <= 1 && meaning->hosts <= 1);
	need(c, meaning->hosts == 1 || meaning->minor == 0);
	need(c, meaning->codings == 0 || (meaning->lengths == 0 && meaning->minor > 0));
}

#endif
