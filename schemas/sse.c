/* SPDX-License-Identifier: MIT */
/*
 * The parser of server-sent events; sse.h holds the contract.
 *
 * A block ends with the first byte of its closing blank line's end: behind a
 * CR nothing waits to see whether a LF follows. When it does, it is one more
 * blank line between blocks. That makes every split give the same events.
 */
#include "schemas/sse.h"

#include <endian.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif
#include <stdint.h>

#define EACH_BYTE(b) (UINT64_C(0x0101010101010101) * (b))

enum { KEPT_IDLE_CAPACITY = 65536 }; /* more than this is given back between blocks */

static const struct span bom = {"\xEF\xBB\xBF", 3};

void sse_init(struct sse_parser *parser, size_t cap)
{
	*parser = (struct sse_parser){.cap = cap};
	/* The cap is checked here, not by the buffers; a byte order mark must fit even below a tiny cap. */
	buf_init(&parser->kept, cap < bom.len ? bom.len : cap + 1);
	buf_init(&parser->joined, cap == 0 ? 1 : cap);
	buf_init(&parser->between, cap + 1 + SSE_BETWEEN_MOST);
}

void sse_charge(struct sse_parser *parser, uint32_t party)
{
	buf_charge(&parser->kept, party);
	buf_charge(&parser->joined, party);
	buf_charge(&parser->between, party);
}

void sse_fini(struct sse_parser *parser)
{
	buf_fini(&parser->kept);
	buf_fini(&parser->joined);
	buf_fini(&parser->between);
}

/*
 * The first LF or CR, or end. One pass whatever the input: two memchr() calls
 * would make a stream of nothing but CR quadratic. Where the processor can,
 * 16 bytes at a time; else eight, of which those below 0x0E are looked at one by
 * one.
 */
static const char *line_end(const char *at, const char *end)
{
#ifdef __SSE2__
	const __m128i lf = _mm_set1_epi8('\n'), cr = _mm_set1_epi8('\r');
	for (; end - at >= 16; at += 16) {
		__m128i block;
		memcpy(&block, at, sizeof(block));
		__m128i ends = _mm_or_si128(_mm_cmpeq_epi8(block, lf), _mm_cmpeq_epi8(block, cr));
		unsigned mask = (unsigned)_mm_movemask_epi8(ends);
		if (mask != 0)
			return at + __builtin_ctz(mask);
	}
#endif
	while (at < end) {
		while (end - at >= 8) {
			uint64_t word;
			memcpy(&word, at, sizeof(word));
			word = htole64(word);
			uint64_t low = (word - EACH_BYTE(0x0E)) & ~word & EACH_BYTE(0x80);
			if (low != 0) {
				at += __builtin_ctzll(low) / 8;
				break;
			}
			at += 8;
		}
		if (at < end && (*at == '\n' || *at == '\r'))
			return at;
		at += at < end;
	}
	return end;
}

/* Behind the line end at at: LF, CR or CRLF. */
static const char *skip_line_end(const char *at, const char *end)
{
	return at + (*at == '\r' && end - at > 1 && at[1] == '\n' ? 2 : 1);
}

/*
 * Behind the first byte of the blank line's end that closes the block, or NULL
 * when it is not there. line_start: at is where a line of the block begins.
 */
static const char *block_end(const char *at, const char *end, bool line_start)
{
	for (;; line_start = false) {
		if (!line_start) {
			at = line_end(at, end);
			if (at == end)
				return NULL;
			at = skip_line_end(at, end);
		}
		if (at == end)
			return NULL;
		if (*at == '\n' || *at == '\r')
			return at + 1;
	}
}

static bool starts_with(struct span text, struct span prefix)
{
	return text.len >= prefix.len && memcmp(text.at, prefix.at, prefix.len) == 0;
}

/* The value behind a field's name and colon, without the one space that may lead it. */
static struct span field_value(struct span line, size_t name_len)
{
	size_t skip = name_len;
	if (skip < line.len)
		skip++;
	if (skip < line.len && line.at[skip] == ' ')
		skip++;
	return (struct span){line.at + skip, line.len - skip};
}

static bool join_data(struct sse_parser *parser, struct sse_event *event, size_t lines, struct span value)
{
	if (lines == 0) {
		event->data = value;
		return true;
	}
	if (lines == 1)
		buf_append(&parser->joined, event->data);
	buf_append(&parser->joined, SPAN("\n"));
	return buf_append(&parser->joined, value);
}

/* Reads a whole block line by line. SSE_MORE: it has no data, so it is no event. */
static enum sse_result read_lines(struct sse_parser *parser, struct span block, struct sse_event *event)
{
	size_t lines = 0;
	const char *at = block.at, *end = block.at + block.len;
	buf_reset(&parser->joined);
	for (;;) {
		const char *stop = line_end(at, end);
		struct span line = {at, (size_t)(stop - at)};
		if (line.len == 0)
			break;
		const char *colon = memchr(line.at, ':', line.len);
		struct span name = {line.at, colon == NULL ? line.len : (size_t)(colon - line.at)};
		if (span_equal(name, SPAN("data"))) {
			if (!join_data(parser, event, lines++, field_value(line, name.len)))
				return SSE_NO_MEMORY;
		} else if (span_equal(name, SPAN("event"))) {
			event->name = field_value(line, name.len);
		}
		at = skip_line_end(stop, end);
	}
	if (lines > 1)
		event->data = buf_span(&parser->joined);
	return lines == 0 ? SSE_MORE : SSE_EVENT;
}

static enum sse_result read_block(struct sse_parser *parser, struct span block, struct sse_event *event)
{
	*event = (struct sse_event){.name = {"", 0}};
	/* "data:…\n\n": nothing to join. */
	if (starts_with(block, SPAN("data:")) && block.at[block.len - 1] == '\n' && block.at[block.len - 2] == '\n') {
		struct span line = {block.at, block.len - 2};
		if (line_end(line.at, line.at + line.len) == line.at + line.len) {
			event->data = field_value(line, 4);
			return SSE_EVENT;
		}
	}
	return read_lines(parser, block, event);
}

static enum sse_result too_large(struct sse_parser *parser)
{
	sse_fini(parser);
	parser->cap = 0;
	return SSE_TOO_LARGE;
}

static void input_skip(struct span *input, size_t size)
{
	input->at += size;
	input->len -= size;
}

/* Moves size bytes of the input to the kept ones; of these, free bytes do not count for the cap. */
static enum sse_result keep(struct sse_parser *parser, struct span *input, size_t size, size_t free)
{
	if (buf_len(&parser->kept) + size - free > parser->cap)
		return too_large(parser);
	if (!buf_append(&parser->kept, (struct span){input->at, size}))
		return SSE_NO_MEMORY;
	input_skip(input, size);
	return SSE_MORE;
}

/* Keeps bytes that belong to no event. SSE_MORE, or SSE_NO_MEMORY. */
static enum sse_result keep_between(struct sse_parser *parser, struct span bytes)
{
	if (bytes.len == 0)
		return SSE_MORE;
	if (buf_len(&parser->between) + bytes.len > SSE_BETWEEN_MOST)
		buf_reset(&parser->between);
	if (bytes.len > SSE_BETWEEN_MOST)
		return SSE_MORE;
	return buf_append(&parser->between, bytes) ? SSE_MORE : SSE_NO_MEMORY;
}

/*
 * Reads a block and gives it its raw bytes: those that are kept, the between ones that stand directly before the block,
 * and the block. SSE_MORE: it is no event, and its bytes are kept.
 */
static enum sse_result finish_event(struct sse_parser *parser, struct span block, size_t between,
				    struct sse_event *event)
{
	if (between > SSE_BETWEEN_MOST)
		between = 0;
	if (buf_len(&parser->between) + between > SSE_BETWEEN_MOST)
		buf_reset(&parser->between);
	struct span whole = {block.at - between, block.len + between};
	enum sse_result result = read_block(parser, block, event);
	if (result == SSE_MORE)
		return keep_between(parser, whole);
	event->between = buf_len(&parser->between) + between;
	event->raw = whole;
	if (result != SSE_EVENT || buf_len(&parser->between) == 0)
		return result;
	if (!buf_append(&parser->between, whole))
		return SSE_NO_MEMORY;
	event->raw = buf_span(&parser->between); /* until the next call */
	parser->told = true;
	return SSE_EVENT;
}

/* Returns where a block ends whose last byte is before behind: a LF goes with its CR when it is there. */
static const char *with_line_feed(const char *behind, const char *end)
{
	return behind + (behind < end && behind[-1] == '\r' && *behind == '\n');
}

/* Drops a byte order mark at the start of the stream. False when more input must come to tell. */
static bool skip_bom(struct sse_parser *parser, struct span *input)
{
	while (!parser->started && input->len > 0) {
		size_t seen = buf_len(&parser->kept);
		if (seen == bom.len || *input->at != bom.at[seen]) {
			parser->started = true;
			break;
		}
		if (!buf_append(&parser->kept, (struct span){input->at, 1}))
			return false;
		input_skip(input, 1);
		if (seen + 1 == bom.len) {
			buf_reset(&parser->kept);
			parser->started = true;
		}
	}
	return parser->started;
}

/*
 * Steps over blank lines and whole comment lines between blocks. SSE_EVENT: a block begins, or a comment is unfinished.
 */
static enum sse_result skip_between(struct sse_parser *parser, struct span *input)
{
	while (input->len > 0) {
		char first = *input->at;
		if (first == '\n' || first == '\r') {
			input_skip(input, 1);
			continue;
		}
		if (first != ':')
			return SSE_EVENT;
		const char *stop = line_end(input->at, input->at + input->len);
		size_t size = (size_t)(stop - input->at) + 1;
		if (size > input->len)
			return SSE_EVENT;
		if (size > parser->cap)
			return too_large(parser);
		parser->commented = true;
		input_skip(input, size);
	}
	return SSE_MORE;
}

/* Goes on with the comment line that is kept. SSE_EVENT: it is finished. */
static enum sse_result finish_comment(struct sse_parser *parser, struct span *input)
{
	const char *end = input->at + input->len;
	const char *stop = line_end(input->at, end);
	enum sse_result result = keep(parser, input, (size_t)(stop - input->at) + (stop < end), 0);
	if (result != SSE_MORE || stop == end)
		return result;
	parser->commented = true;
	result = keep_between(parser, buf_span(&parser->kept));
	buf_reset(&parser->kept);
	return result == SSE_MORE ? SSE_EVENT : result;
}

/* Goes on with the block that is kept. SSE_MORE with an empty kept: the block was no event. */
static enum sse_result finish_block(struct sse_parser *parser, struct span *input, struct sse_event *event)
{
	struct span kept = buf_span(&parser->kept);
	const char *at = input->at, *end = input->at + input->len;
	char last = kept.at[kept.len - 1];
	if (last == '\r' && *at == '\n')
		at++; /* a CRLF that was cut in two */
	const char *behind = block_end(at, end, last == '\r' || last == '\n');
	const char *all = behind == NULL ? end : with_line_feed(behind, end);
	enum sse_result result =
	    keep(parser, input, (size_t)(all - input->at), behind == NULL ? 0 : (size_t)(all - behind));
	if (result != SSE_MORE || behind == NULL)
		return result;
	kept = buf_span(&parser->kept);
	buf_reset(&parser->kept); /* its memory stays, and with it the event's spans, until the next call */
	return finish_event(parser, kept, 0, event);
}

/* Reads a block that begins with the input. between: bytes that stand directly before it, and belong to no event. */
static enum sse_result take_block(struct sse_parser *parser, struct span *input, size_t between,
				  struct sse_event *event)
{
	const char *behind = NULL, *end = input->at + input->len;
	if (*input->at != ':')
		behind = block_end(input->at, end, false);
	if (behind == NULL) {
		enum sse_result result = keep_between(parser, (struct span){input->at - between, between});
		return result == SSE_MORE ? keep(parser, input, input->len, 0) : result;
	}
	if ((size_t)(behind - input->at) > parser->cap)
		return too_large(parser);
	struct span block = {input->at, (size_t)(with_line_feed(behind, end) - input->at)};
	input_skip(input, block.len);
	return finish_event(parser, block, between, event);
}

/* Steps over what stands between blocks, and reads the next one. */
static enum sse_result take_next(struct sse_parser *parser, struct span *input, struct sse_event *event)
{
	const char *since = input->at;
	enum sse_result result = skip_between(parser, input);
	size_t between = (size_t)(input->at - since);
	if (result == SSE_EVENT)
		return take_block(parser, input, between, event);
	return result == SSE_MORE ? keep_between(parser, (struct span){since, between}) : result;
}

/* Gives the memory of an unusually large block back before the next one. */
static void shrink(struct sse_parser *parser)
{
	if (buf_len(&parser->kept) == 0 && parser->kept.capacity > KEPT_IDLE_CAPACITY)
		buf_fini(&parser->kept);
	if (parser->joined.capacity > KEPT_IDLE_CAPACITY)
		buf_fini(&parser->joined);
	if (parser->told)
		buf_reset(&parser->between);
	parser->told = false;
	if (buf_len(&parser->between) == 0 && parser->between.capacity > KEPT_IDLE_CAPACITY)
		buf_fini(&parser->between);
}

enum sse_result sse_next(struct sse_parser *parser, struct span *input, struct sse_event *event)
{
	if (parser->cap == 0)
		return SSE_TOO_LARGE;
	shrink(parser);
	if (!skip_bom(parser, input))
		return buf_failed(&parser->kept) ? SSE_NO_MEMORY : SSE_MORE;
	while (input->len > 0) {
		struct span kept = buf_span(&parser->kept);
		enum sse_result result;
		if (kept.len == 0) {
			result = take_next(parser, input, event);
		} else if (*kept.at == ':') {
			result = finish_comment(parser, input);
			if (result == SSE_EVENT)
				continue;
		} else {
			result = finish_block(parser, input, event);
		}
		if (result != SSE_MORE)
			return result;
	}
	return SSE_MORE;
}
