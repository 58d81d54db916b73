/* SPDX-License-Identifier: MIT */
/*
 * Scans an HTTP/1.1 head line by line. Everything that two implementations are
 * known to read differently is refused: bare LF, folded lines, blanks before
 * the colon, a repeated or odd Content-Length, Content-Length beside
 * Transfer-Encoding, any coding but one "chunked", not exactly one Host.
 */
#include "service/http/h1_guard.h"

#include <strings.h>

#include "lib/http_text.h"

enum { LENGTH_DIGITS_MAX = 18 };

struct head {
	struct span rest; /* not yet scanned */
	int minor;        /* of HTTP/1.minor */
	unsigned hosts;
	unsigned lengths;
	unsigned codings;
	enum error_code error;
};

static bool all_digits(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.at[i] < '0' || s.at[i] > '9')
			return false;
	return s.len > 0;
}

/* No control characters but tabs; bytes above 127 are opaque and allowed (RFC 9110 section 5.5). */
static bool is_field_value(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.at[i];
		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

/* uri-host [":" port], loosely: no character that could start a path, a user part or a list. */
static bool is_host(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.at[i];
		if (c <= 0x20 || c >= 0x7f || strchr("/\\@?#,<>\"{}|^`", c) != NULL)
			return false;
	}
	return true;
}

static bool is_target(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.at[i] <= 0x20 || (unsigned char)s.at[i] == 0x7f)
			return false;
	return s.len > 0;
}

static bool is_name(struct span s, const char *name)
{
	return s.len == strlen(name) && strncasecmp(s.at, name, s.len) == 0;
}

/* The next line without its CRLF. False when it ends in a bare LF or not at all. */
static bool next_line(struct head *head, struct span *line)
{
	const char *lf = head->rest.len == 0 ? NULL : memchr(head->rest.at, '\n', head->rest.len);
	if (lf == NULL || lf == head->rest.at || lf[-1] != '\r')
		return false;
	*line = (struct span){head->rest.at, (size_t)(lf - 1 - head->rest.at)};
	size_t taken = line->len + 2;
	head->rest = (struct span){head->rest.at + taken, head->rest.len - taken};
	return line->len == 0 || memchr(line->at, '\r', line->len) == NULL;
}

/* method SP request-target SP HTTP/1.DIGIT */
static bool scan_request_line(struct head *head, struct span line)
{
	const char *first = line.len == 0 ? NULL : memchr(line.at, ' ', line.len);
	if (first == NULL || !http_is_token((struct span){line.at, (size_t)(first - line.at)}))
		return false;
	struct span rest = {first + 1, line.len - (size_t)(first + 1 - line.at)};
	const char *second = rest.len == 0 ? NULL : memchr(rest.at, ' ', rest.len);
	if (second == NULL || !is_target((struct span){rest.at, (size_t)(second - rest.at)}))
		return false;
	struct span version = {second + 1, rest.len - (size_t)(second + 1 - rest.at)};
	if (version.len != 8 || memcmp(version.at, "HTTP/1.", 7) != 0 || version.at[7] < '0' || version.at[7] > '9')
		return false;
	head->minor = version.at[7] - '0';
	return true;
}

static bool scan_field(struct head *head, struct span line)
{
	const char *colon = memchr(line.at, ':', line.len);
	if (colon == NULL)
		return false;
	struct span name = {line.at, (size_t)(colon - line.at)};
	struct span value = http_trim((struct span){colon + 1, line.len - name.len - 1});
	/* a folded line begins with a blank, which no name does */
	if (!http_is_token(name) || !is_field_value(value))
		return false;
	if (is_name(name, "host"))
		return ++head->hosts == 1 && is_host(value);
	if (is_name(name, "content-length"))
		return ++head->lengths == 1 && all_digits(value) && value.len <= LENGTH_DIGITS_MAX;
	if (is_name(name, "transfer-encoding"))
		return ++head->codings == 1 && is_name(value, "chunked");
	if (is_name(name, "expect") && !is_name(value, "100-continue"))
		head->error = ERROR_EXPECTATION_FAILED;
	return true;
}

static bool scan(struct head *head)
{
	struct span line;
	if (!next_line(head, &line))
		return false;
	/* one empty line before the request is forgiven, as RFC 9112 section 2.2 asks */
	if (line.len == 0 && !next_line(head, &line))
		return false;
	if (!scan_request_line(head, line))
		return false;
	for (;;) {
		if (!next_line(head, &line))
			return false;
		if (line.len == 0)
			break;
		if (!scan_field(head, line))
			return false;
	}
	if (head->codings > 0 && (head->lengths > 0 || head->minor == 0))
		return false;
	return head->hosts == 1 || head->minor == 0;
}

enum error_code h1_guard_check(struct span input, size_t limit)
{
	struct head head = {.rest = input};
	if (!scan(&head))
		return ERROR_MALFORMED_HTTP;
	if (input.len - head.rest.len > limit)
		return ERROR_HEADERS_TOO_LARGE;
	return head.error;
}
