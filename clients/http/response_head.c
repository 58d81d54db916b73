/* SPDX-License-Identifier: MIT */
/*
 * Parsing of response heads, strictly: of two Content-Length values that differ,
 * or of one beside Transfer-Encoding, none is believed. Refusing such a response
 * closes its connection. A line may end in a bare LF (RFC 9112, section 2.2).
 */
#include "clients/http/response_head.h"

#include "lib/http_text.h"

#define HEAD_TOO_LARGE "the response head is too large"

static const char *const field_names[HEAD_FIELD_COUNT] = {
    [HEAD_CONTENT_TYPE] = "content-type",     [HEAD_CONTENT_ENCODING] = "content-encoding",
    [HEAD_RETRY_AFTER] = "retry-after",       [HEAD_RETRY_AFTER_MS] = "retry-after-ms",
    [HEAD_X_SHOULD_RETRY] = "x-should-retry", [HEAD_REQUEST_ID] = "x-request-id",
    [HEAD_CACHE_CONTROL] = "cache-control",
};

void head_init(struct head *head)
{
	*head = (struct head){.content_length = -1};
	buf_init(&head->line, HEAD_MAX_LINE);
	buf_init(&head->values, HEAD_MAX_BYTES);
}

void head_fini(struct head *head)
{
	buf_fini(&head->line);
	buf_fini(&head->values);
}

static void head_forget_fields(struct head *head)
{
	head->content_length = -1;
	head->chunked = false;
	memset(head->fields, 0, sizeof(head->fields));
	buf_reset(&head->values);
}

void head_reset(struct head *head)
{
	buf_fini(&head->values);
	buf_fini(&head->line);
	head_forget_fields(head);
	head->state = HEAD_ST_STATUS;
	head->status = 0;
	head->informational = 0;
	head->bytes = 0;
	head->why = NULL;
}

static void head_refuse(struct head *head, const char *why)
{
	head->state = HEAD_ST_REFUSED;
	head->why = why;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "HTTP/1.x NNN" and then a space or the end (RFC 9112, section 4). */
static void head_status_line(struct head *head, struct span line)
{
	if (line.len < 12 || memcmp(line.at, "HTTP/1.", 7) != 0 || !is_digit(line.at[7]) || line.at[8] != ' ' ||
	    !is_digit(line.at[9]) || !is_digit(line.at[10]) || !is_digit(line.at[11]) ||
	    (line.len > 12 && line.at[12] != ' ')) {
		head_refuse(head, "the status line is malformed");
		return;
	}
	head->http_1_0 = line.at[7] == '0';
	head->closes = head->keeps_alive = false;
	head->status = (line.at[9] - '0') * 100 + (line.at[10] - '0') * 10 + (line.at[11] - '0');
	if (head->status >= 200 && head->status < 600)
		head->state = HEAD_ST_FIELDS;
	else if (head->status == 101 || head->status < 100 || head->status >= 600)
		head_refuse(head, "the status is not one that was asked for");
	else if (++head->informational > HEAD_MAX_INFORMATIONAL)
		head_refuse(head, "too many 1xx responses");
	else
		head->state = HEAD_ST_INFORMATIONAL;
}

/* Digits only: lists, signs and numbers past 2^63 have no meaning that both sides must share. */
static int64_t parse_length(struct span value)
{
	int64_t length = 0;
	if (value.len == 0)
		return -1;
	for (size_t i = 0; i < value.len; i++) {
		if (!is_digit(value.at[i]) || length > (INT64_MAX - 9) / 10)
			return -1;
		length = length * 10 + (value.at[i] - '0');
	}
	return length;
}

static void head_content_length(struct head *head, struct span value)
{
	int64_t length = parse_length(value);
	if (length < 0)
		head_refuse(head, "Content-Length is not a number");
	else if (head->content_length >= 0 && head->content_length != length)
		head_refuse(head, "conflicting Content-Length values");
	else
		head->content_length = length;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static void head_transfer_encoding(struct head *head, struct span value)
{
	/* We send no TE: anything but one "chunked" was not asked for. */
	if (head->chunked || !http_is_word(value, "chunked"))
		head_refuse(head, "a transfer coding other than chunked");
	head->chunked = true;
}

/* Options of the connection: a list, of which two are known. */
static void head_connection(struct head *head, struct span value)
{
	while (value.at != NULL) {
		struct span option = http_take(&value, ',');
		if (http_is_word(option, "close"))
			head->closes = true;
		else if (http_is_word(option, "keep-alive"))
			head->keeps_alive = true;
	}
}

static void head_keep(struct head *head, enum head_field field, struct span value)
{
	if (head->fields[field].len != 0)
		return; /* the first one counts */
	head->fields[field].at = buf_len(&head->values);
	if (buf_append(&head->values, value))
		head->fields[field].len = value.len;
}

static void head_field(struct head *head, struct span name, struct span value)
{
	if (http_is_word(name, "content-length")) {
		head_content_length(head, value);
		return;
	}
	if (http_is_word(name, "transfer-encoding")) {
		head_transfer_encoding(head, value);
		return;
	}
	if (http_is_word(name, "connection")) {
		head_connection(head, value);
		return;
	}
	for (int i = 0; i < HEAD_FIELD_COUNT; i++)
		if (http_is_word(name, field_names[i]))
			head_keep(head, (enum head_field)i, value);
}

/* RFC 9112, section 5: no folding, no space before the colon. */
static void head_field_line(struct head *head, struct span line)
{
	const char *colon = memchr(line.at, ':', line.len);
	if (colon == NULL || colon == line.at || is_blank(line.at[0]) || is_blank(colon[-1]) ||
	    memchr(line.at, '\0', line.len) != NULL || memchr(line.at, '\r', line.len) != NULL) {
		head_refuse(head, "a header line is malformed");
		return;
	}
	struct span name = {line.at, (size_t)(colon - line.at)};
	head_field(head, name, http_trim((struct span){colon + 1, line.len - name.len - 1}));
}

static void head_end(struct head *head)
{
	if (head->state == HEAD_ST_INFORMATIONAL) {
		head_forget_fields(head);
		head->state = HEAD_ST_STATUS;
	} else if (head->chunked && head->content_length >= 0) {
		head_refuse(head, "both Content-Length and Transfer-Encoding");
	} else {
		/* of an HTTP/1.0 peer chunks are not to be trusted (RFC 9112, section 6.1) */
		head->persistent = !head->closes && (!head->http_1_0 || (head->keeps_alive && !head->chunked));
		head->state = HEAD_ST_COMPLETE;
	}
}

static struct span without_line_end(struct span line)
{
	if (line.len > 0 && line.at[line.len - 1] == '\n')
		line.len--;
	if (line.len > 0 && line.at[line.len - 1] == '\r')
		line.len--;
	return line;
}

/* One line with its end. */
static void head_line(struct head *head, struct span line)
{
	line = without_line_end(line);
	if (head->state == HEAD_ST_STATUS)
		head_status_line(head, line);
	else if (line.len == 0)
		head_end(head);
	else
		head_field_line(head, line);
}

static void head_line_of_parts(struct head *head, struct span end)
{
	if (buf_append(&head->line, end))
		head_line(head, buf_span(&head->line));
	else
		head_refuse(head, HEAD_TOO_LARGE);
	buf_fini(&head->line);
}

/* The first line among the bytes, or their all if it has no end. Returns how many bytes it took. */
static size_t head_next_line(struct head *head, struct span bytes)
{
	const char *end = memchr(bytes.at, '\n', bytes.len);
	struct span line = {bytes.at, end == NULL ? bytes.len : (size_t)(end - bytes.at) + 1};
	head->bytes += line.len;
	if (line.len > HEAD_MAX_LINE || head->bytes > HEAD_MAX_BYTES || (end == NULL && !buf_append(&head->line, line)))
		head_refuse(head, HEAD_TOO_LARGE);
	else if (end != NULL && buf_len(&head->line) > 0)
		head_line_of_parts(head, line);
	else if (end != NULL)
		head_line(head, line);
	return line.len;
}

size_t head_take(struct head *head, struct span bytes)
{
	size_t taken = 0;
	while (taken < bytes.len && head->state != HEAD_ST_COMPLETE && head->state != HEAD_ST_REFUSED)
		taken += head_next_line(head, (struct span){bytes.at + taken, bytes.len - taken});
	return taken;
}

void head_view(const struct head *head, struct http_head *view)
{
	struct span bytes = buf_span(&head->values);
	struct span spans[HEAD_FIELD_COUNT];
	for (int i = 0; i < HEAD_FIELD_COUNT; i++)
		spans[i] = (struct span){bytes.at + head->fields[i].at, head->fields[i].len};
	*view = (struct http_head){
	    .status = head->status,
	    .content_type = spans[HEAD_CONTENT_TYPE],
	    .content_encoding = spans[HEAD_CONTENT_ENCODING],
	    .retry_after = spans[HEAD_RETRY_AFTER],
	    .retry_after_ms = spans[HEAD_RETRY_AFTER_MS],
	    .x_should_retry = spans[HEAD_X_SHOULD_RETRY],
	    .request_id = spans[HEAD_REQUEST_ID],
	    .cache_control = spans[HEAD_CACHE_CONTROL],
	    .content_length = head->content_length,
	};
}

struct buf head_take_values(struct head *head)
{
	struct buf values = head->values;
	buf_init(&head->values, values.ceiling);
	memset(head->fields, 0, sizeof(head->fields));
	return values;
}
