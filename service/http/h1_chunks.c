/* SPDX-License-Identifier: MIT */
/*
 * A chunked body, line by line. What a strict proxy in front may read in another
 * way is refused: bare LF, blanks around the size, control characters, junk in
 * extensions and trailers, sizes of absurd length.
 */
#include "service/http/h1_chunks.h"

#include "lib/hex.h"
#include "lib/http_text.h"
#include "service/http/body_limit.h"
#include "service/http/h1_line.h"

static size_t skip_blanks(struct span s, size_t at)
{
	while (at < s.len && (s.at[at] == ' ' || s.at[at] == '\t'))
		at++;
	return at;
}

/* Returns the end of the token at at, or at itself when there is none. */
static size_t skip_token(struct span s, size_t at)
{
	size_t end = at;
	while (end < s.len && http_is_token((struct span){s.at + end, 1}))
		end++;
	return end;
}

/* Returns the end of the quoted-string that begins at at, or 0 when it is none (RFC 9110 section 5.6.4). */
static size_t skip_quoted(struct span s, size_t at)
{
	for (at++; at < s.len; at++) {
		unsigned char c = (unsigned char)s.at[at];
		if (c == '"')
			return at + 1;
		if (c == '\\' && ++at == s.len)
			return 0;
		c = (unsigned char)s.at[at];
		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return 0;
	}
	return 0;
}

/* BWS "=" BWS ( token / quoted-string ), or nothing at all. Returns its end, 0 when it is broken. */
static size_t skip_extension_value(struct span s, size_t at)
{
	size_t equals = skip_blanks(s, at);
	if (equals == s.len || s.at[equals] != '=')
		return at;
	size_t value = skip_blanks(s, equals + 1);
	if (value < s.len && s.at[value] == '"')
		return skip_quoted(s, value);
	size_t end = skip_token(s, value);
	return end == value ? 0 : end;
}

/* *( BWS ";" BWS name [ value ] ) up to the end of the line (RFC 9112 section 7.1.1). */
static bool are_extensions(struct span s)
{
	for (size_t at = 0; at < s.len;) {
		at = skip_blanks(s, at);
		if (at == s.len || s.at[at] != ';')
			return false;
		size_t name = skip_blanks(s, at + 1);
		at = skip_token(s, name);
		if (at == name || (at = skip_extension_value(s, at)) == 0)
			return false;
	}
	return true;
}

static bool read_size(struct h1_chunks *chunks, struct span line)
{
	size_t digits = 0;
	chunks->left = 0;
	for (int digit; digits < line.len && (digit = hex_value(line.at[digits])) >= 0; digits++) {
		if (digits == H1_CHUNKS_DIGITS_MAX)
			return false;
		chunks->left = chunks->left << 4 | (unsigned)digit;
	}
	chunks->overhead += line.len - digits;
	return digits > 0 && are_extensions((struct span){line.at + digits, line.len - digits});
}

/* Framing and routing must not come behind the body (RFC 9110 section 6.5.1). */
static bool is_trailer(struct span line)
{
	static const char *const forbidden[] = {"content-length", "transfer-encoding", "host", "trailer"};
	struct span name, value;
	if (!h1_line_split(line, &name, &value))
		return false;
	for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++)
		if (http_is_word(name, forbidden[i]))
			return false;
	return true;
}

static bool on_line(struct h1_chunks *chunks, struct span line)
{
	if (chunks->state == H1_CHUNKS_ST_SIZE) {
		chunks->state = H1_CHUNKS_ST_DATA;
		if (!read_size(chunks, line))
			return false;
		if (chunks->left == 0)
			chunks->state = H1_CHUNKS_ST_TRAILERS;
	} else if (chunks->state == H1_CHUNKS_ST_DATA_END) {
		chunks->state = H1_CHUNKS_ST_SIZE;
		return line.len == 0;
	} else if (line.len == 0) {
		chunks->state = H1_CHUNKS_ST_DONE;
	} else {
		chunks->overhead += line.len;
		return is_trailer(line) && chunks->overhead <= H1_CHUNKS_OVERHEAD_MAX;
	}
	return chunks->overhead <= H1_CHUNKS_OVERHEAD_MAX;
}

/* A part of a line that no end can mend. */
static bool is_hopeless(const struct h1_chunks *chunks, struct span rest)
{
	if (chunks->state == H1_CHUNKS_ST_DATA_END)
		return rest.len > 1 || (rest.len == 1 && rest.at[0] != '\r');
	if (chunks->state == H1_CHUNKS_ST_SIZE && rest.len > 0 && hex_value(rest.at[0]) < 0)
		return true;
	return rest.len > H1_CHUNKS_LINE_MAX;
}

static enum error_code take_data(struct h1_chunks *chunks, struct span *rest, size_t limit, struct buf *body)
{
	size_t have = buf_len(body);
	enum error_code error = body_limit_check(limit, have, chunks->left);
	if (error != ERROR_NONE)
		return error;
	size_t part = rest->len < chunks->left ? rest->len : (size_t)chunks->left;
	if (!buf_append(body, (struct span){rest->at, part}))
		return ERROR_OVERLOADED;
	*rest = (struct span){rest->at + part, rest->len - part};
	chunks->left -= part;
	if (chunks->left == 0)
		chunks->state = H1_CHUNKS_ST_DATA_END;
	return ERROR_NONE;
}

static enum error_code take_line(struct h1_chunks *chunks, struct span *rest)
{
	struct span line;
	enum h1_line found = h1_line_take(rest, &line);
	if (found == H1_LINE_PARTIAL)
		return is_hopeless(chunks, *rest) ? ERROR_MALFORMED_HTTP : ERROR_NONE;
	return found == H1_LINE_FOUND && line.len <= H1_CHUNKS_LINE_MAX && on_line(chunks, line) ? ERROR_NONE
												 : ERROR_MALFORMED_HTTP;
}

enum error_code h1_chunks_decode(struct h1_chunks *chunks, struct span input, size_t limit, struct buf *body,
				 size_t *taken)
{
	struct span rest = input;
	enum error_code error = ERROR_NONE;
	for (size_t before = rest.len + 1; error == ERROR_NONE && chunks->state != H1_CHUNKS_ST_DONE;) {
		if (rest.len == before) /* nothing was taken: more must come */
			break;
		before = rest.len;
		error = chunks->state == H1_CHUNKS_ST_DATA ? take_data(chunks, &rest, limit, body)
							   : take_line(chunks, &rest);
	}
	*taken = input.len - rest.len;
	return error;
}
