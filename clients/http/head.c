/* SPDX-License-Identifier: MIT */
/*
 * Parsing of response heads. libcurl parses them as well, but more kindly than
 * a gateway may: it takes the last of two Content-Length values and lets
 * Transfer-Encoding win over both. Refusing such a response here fails the
 * transfer, which closes its connection.
 */
#include "clients/http/head.h"

#include <strings.h>

enum { HEAD_KEEP_CAPACITY = 2048 };

static const char *const field_names[HEAD_FIELD_COUNT] = {
    [HEAD_CONTENT_TYPE] = "content-type",     [HEAD_CONTENT_ENCODING] = "content-encoding",
    [HEAD_RETRY_AFTER] = "retry-after",       [HEAD_RETRY_AFTER_MS] = "retry-after-ms",
    [HEAD_X_SHOULD_RETRY] = "x-should-retry", [HEAD_REQUEST_ID] = "x-request-id",
};

void head_init(struct head *head)
{
	*head = (struct head){.content_length = -1};
	buf_init(&head->values, HEAD_MAX_BYTES);
}

void head_fini(struct head *head)
{
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
	if (head->values.capacity > HEAD_KEEP_CAPACITY)
		buf_fini(&head->values);
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

static bool name_is(struct span name, const char *lower)
{
	return strlen(lower) == name.len && strncasecmp(name.at, lower, name.len) == 0;
}

static void head_transfer_encoding(struct head *head, struct span value)
{
	/* We send no TE: anything but one "chunked" was not asked for. */
	if (head->chunked || !name_is(value, "chunked"))
		head_refuse(head, "a transfer coding other than chunked");
	head->chunked = true;
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
	if (name_is(name, "content-length")) {
		head_content_length(head, value);
		return;
	}
	if (name_is(name, "transfer-encoding")) {
		head_transfer_encoding(head, value);
		return;
	}
	for (int i = 0; i < HEAD_FIELD_COUNT; i++)
		if (name_is(name, field_names[i]))
			head_keep(head, (enum head_field)i, value);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
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
	struct span value = {colon + 1, line.len - name.len - 1};
	while (value.len > 0 && is_blank(value.at[0]))
		value = (struct span){value.at + 1, value.len - 1};
	while (value.len > 0 && is_blank(value.at[value.len - 1]))
		value.len--;
	head_field(head, name, value);
}

static void head_end(struct head *head)
{
	if (head->state == HEAD_ST_INFORMATIONAL) {
		head_forget_fields(head);
		head->state = HEAD_ST_STATUS;
	} else if (head->chunked && head->content_length >= 0) {
		head_refuse(head, "both Content-Length and Transfer-Encoding");
	} else {
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

enum head_state head_line(struct head *head, struct span line)
{
	head->bytes += line.len;
	if (head->state == HEAD_ST_REFUSED)
		return head->state;
	if (line.len > HEAD_MAX_LINE || head->bytes > HEAD_MAX_BYTES) {
		head_refuse(head, "the response head is too large");
		return head->state;
	}
	line = without_line_end(line);
	if (head->state == HEAD_ST_COMPLETE)
		return head->state; /* a trailer: counted, not used */
	if (head->state == HEAD_ST_STATUS)
		head_status_line(head, line);
	else if (line.len == 0)
		head_end(head);
	else
		head_field_line(head, line);
	return head->state;
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
	    .content_length = head->content_length,
	};
}
