/* SPDX-License-Identifier: MIT */
/*
 * The SSE parser, one-shot against split: the first byte chooses a cap, the
 * second seeds where the rest is cut; both ways must give the same events and
 * the same end.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "schemas/sse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct buf raws; /* the raw bytes of the events, if anything was left out of none */

/* Lengths before texts, so that no two different events look the same. */
static void record(struct buf *out, const struct sse_event *event)
{
	assert(event->data.at != NULL && event->name.at != NULL);
	assert(event->raw.at != NULL && event->between < event->raw.len);
	buf_printf(out, "%zu %zu ", event->name.len, event->data.len);
	buf_append(out, event->name);
	buf_append(out, event->data);
	buf_append(&raws, event->raw);
}

/* What came of the stream, and what is still kept, is the stream, but for a byte order mark. */
static void check_every_byte(const struct sse_parser *parser, const uint8_t *data, size_t size)
{
	buf_append(&raws, buf_span(&parser->between));
	buf_append(&raws, buf_span(&parser->kept));
	size_t mark = size >= 3 && memcmp(data, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
	assert(buf_len(&raws) == size - mark);
	assert(size == mark || memcmp(buf_span(&raws).at, data + mark, size - mark) == 0);
}

/* Each piece lies in memory of its own, so that a sanitizer sees every byte read too far or too late. */
static enum sse_result feed(struct sse_parser *parser, const uint8_t *data, size_t size, struct buf *out)
{
	char *piece = malloc(size == 0 ? 1 : size);
	if (size != 0)
		memcpy(piece, data, size);
	struct span input = {piece, size};
	struct sse_event event;
	enum sse_result result;
	while ((result = sse_next(parser, &input, &event)) == SSE_EVENT)
		record(out, &event);
	free(piece);
	return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	size_t cap = data[0] == 0 ? 1 << 20 : data[0];
	uint32_t cuts = data[1] * 2654435761u + 1;
	struct sse_parser whole, split;
	struct buf whole_out, split_out;
	data += 2;
	size -= 2;
	sse_init(&whole, cap);
	sse_init(&split, cap);
	buf_init(&whole_out, size * 64 + 64);
	buf_init(&split_out, size * 64 + 64);
	buf_init(&raws, size + 1);
	enum sse_result whole_end = feed(&whole, data, size, &whole_out), split_end = SSE_MORE;
	if (whole_end == SSE_MORE && size < SSE_BETWEEN_MOST)
		check_every_byte(&whole, data, size);
	buf_reset(&raws);
	for (size_t at = 0, piece; at < size && split_end == SSE_MORE; at += piece) {
		cuts = cuts * 1664525 + 1013904223;
		piece = (cuts >> 16) % (cuts >> 29 != 0 ? 9 : 64);
		if (piece > size - at)
			piece = size - at;
		split_end = feed(&split, data + at, piece, &split_out);
		assert(buf_len(&split.kept) <= (cap < 3 ? 3 : cap + 1));
	}
	assert(!buf_failed(&whole_out) && whole_end == split_end);
	assert(span_equal(buf_span(&whole_out), buf_span(&split_out)));
	if (split_end == SSE_MORE && size < SSE_BETWEEN_MOST)
		check_every_byte(&split, data, size);
	buf_fini(&raws);
	sse_fini(&whole);
	sse_fini(&split);
	buf_fini(&whole_out);
	buf_fini(&split_out);
	return 0;
}
