/* SPDX-License-Identifier: MIT */
/* HTTP/1.1 request heads, line by line; h1_head.h holds the contract. */
#include "service/http/h1_head.h"

#include "lib/http_text.h"
#include "service/http/h1_line.h"

enum { LENGTH_DIGITS_MAX = 18 };

/* What must not be there twice. */
struct seen {
	unsigned hosts;
	unsigned lengths;
	unsigned codings;
};

size_t h1_head_end(struct span input, size_t *scanned, enum error_code *error)
{
	while (*scanned < input.len) {
		const char *lf = memchr(input.at + *scanned, '\n', input.len - *scanned);
		if (lf == NULL) {
			*scanned = input.len;
			return 0;
		}
		size_t at = (size_t)(lf - input.at);
		if (at == 0 || input.at[at - 1] != '\r') {
			*error = ERROR_MALFORMED_HTTP;
			return 0;
		}
		*scanned = at + 1;
		/* an empty line before the request is no end of it */
		if (at >= 3 && input.at[at - 2] == '\n')
			return at + 1;
	}
	return 0;
}

/* Returns the number, or -1 for anything but plain digits. */
static int64_t read_length(struct span s)
{
	int64_t number = 0;
	if (s.len == 0 || s.len > LENGTH_DIGITS_MAX)
		return -1;
	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] < '0' || s.at[i] > '9')
			return -1;
		number = number * 10 + (s.at[i] - '0');
	}
	return number;
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

/* method SP request-target SP HTTP/1.DIGIT */
static bool read_request_line(struct h1_head *head, struct span line)
{
	const char *first = line.len == 0 ? NULL : memchr(line.at, ' ', line.len);
	if (first == NULL)
		return false;
	head->method = (struct span){line.at, (size_t)(first - line.at)};
	struct span rest = {first + 1, line.len - head->method.len - 1};
	const char *second = rest.len == 0 ? NULL : memchr(rest.at, ' ', rest.len);
	if (!http_is_token(head->method) || second == NULL)
		return false;
	struct span target = {rest.at, (size_t)(second - rest.at)};
	if (!is_target(target))
		return false;
	head->target = target;
	struct span version = {second + 1, rest.len - target.len - 1};
	if (version.len != 8 || memcmp(version.at, "HTTP/1.", 7) != 0 || version.at[7] < '0' || version.at[7] > '9')
		return false;
	head->minor = version.at[7] - '0';
	head->keep_alive = head->minor > 0;
	return true;
}

/* Wherever `close` stands, it counts (RFC 9112, section 9.3). */
static void read_connection(struct h1_head *head, struct span value)
{
	while (value.at != NULL) {
		struct span option = http_take(&value, ',');
		if (http_is_word(option, "close"))
			head->closes = true;
		else if (head->minor == 0 && http_is_word(option, "keep-alive"))
			head->keep_alive = true;
	}
	head->keep_alive = head->keep_alive && !head->closes;
}

static void to_lower(char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] >= 'A' && text[i] <= 'Z')
			text[i] = (char)(text[i] + ('a' - 'A'));
}

static enum error_code keep_field(struct h1_head *head, struct span name, struct span value)
{
	if (head->field_count == H1_FIELDS_MAX)
		return ERROR_HEADERS_TOO_LARGE;
	head->fields[head->field_count++] = (struct http_field){name, value};
	return ERROR_NONE;
}

/* name: in lower case. */
static enum error_code read_field(struct h1_head *head, struct seen *seen, struct span name, struct span value)
{
	if (span_is(name, "host")) {
		head->host = value;
		return ++seen->hosts == 1 && is_host(value) ? ERROR_NONE : ERROR_MALFORMED_HTTP;
	}
	if (span_is(name, "content-length")) {
		head->content_length = read_length(value);
		return ++seen->lengths == 1 && head->content_length >= 0 ? ERROR_NONE : ERROR_MALFORMED_HTTP;
	}
	if (span_is(name, "transfer-encoding")) {
		head->chunked = http_is_word(value, "chunked");
		return ++seen->codings == 1 && head->chunked ? ERROR_NONE : ERROR_MALFORMED_HTTP;
	}
	if (span_is(name, "connection"))
		read_connection(head, value);
	if (span_is(name, "expect")) {
		head->expects_continue = http_is_word(value, "100-continue");
		if (!head->expects_continue)
			return ERROR_EXPECTATION_FAILED;
	}
	return keep_field(head, name, value);
}

/* Malformed is what counts; of the rest, the first. */
static enum error_code worse(enum error_code a, enum error_code b)
{
	if (a == ERROR_MALFORMED_HTTP || b == ERROR_MALFORMED_HTTP)
		return ERROR_MALFORMED_HTTP;
	return a == ERROR_NONE ? b : a;
}

static enum error_code read_line(struct h1_head *head, struct seen *seen, struct span line, char *text)
{
	struct span name, value;
	if (!h1_line_split(line, &name, &value))
		return ERROR_MALFORMED_HTTP;
	to_lower(text, name.len);
	return read_field(head, seen, name, value);
}

/* Goes on behind what is broken, as far as lines can be told: how the client reads errors may stand there. */
static enum error_code read_fields(struct h1_head *head, struct span rest, char *text)
{
	struct seen seen = {0};
	enum error_code error = ERROR_NONE;
	const char *start = rest.at;
	for (struct span line;;) {
		if (h1_line_take(&rest, &line) != H1_LINE_FOUND)
			return ERROR_MALFORMED_HTTP;
		if (line.len == 0)
			break;
		error = worse(error, read_line(head, &seen, line, text + (line.at - start)));
	}
	if (seen.codings > 0 && (seen.lengths > 0 || head->minor == 0))
		return ERROR_MALFORMED_HTTP;
	return seen.hosts == 1 || head->minor == 0 ? error : ERROR_MALFORMED_HTTP;
}

enum error_code h1_head_parse(char *text, size_t len, struct h1_head *head)
{
	struct span rest = {text, len};
	struct span line;
	head->method = head->target = head->host = (struct span){NULL, 0};
	head->minor = 1;
	head->chunked = head->keep_alive = head->closes = head->expects_continue = false;
	head->content_length = -1;
	head->field_count = 0;
	/* one empty line before the request is forgiven, as RFC 9112 section 2.2 asks */
	if (h1_line_take(&rest, &line) != H1_LINE_FOUND ||
	    (line.len == 0 && h1_line_take(&rest, &line) != H1_LINE_FOUND))
		return ERROR_MALFORMED_HTTP;
	enum error_code error = read_request_line(head, line) ? ERROR_NONE : ERROR_MALFORMED_HTTP;
	return worse(error, read_fields(head, rest, text + (rest.at - text)));
}
