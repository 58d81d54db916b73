/* SPDX-License-Identifier: MIT */
/*
 * HTTP/1.1 requests on any bytes, heads and chunked bodies, compared with a
 * second reader that was written from the grammar of RFC 9112 and shares nothing
 * with ours: both accept the same, with the same meaning, however the bytes are
 * split into reads. The first byte chooses what is read and how it is split.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "service/http/h1_chunks.h"
#include "service/http/h1_head.h"
#include "tests/fuzz/h1_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SIZE_MOST = 4096 /* within all limits of ours */ };

/* ---- ours ---- */

static void check_chunked(const char *text, size_t size, size_t step)
{
	char *want = malloc(size + 1);
	size_t want_len = 0, used = 0;
	struct cursor cursor = {(const unsigned char *)text, (const unsigned char *)text + size, false};
	struct h1_chunks chunks = {.state = H1_CHUNKS_ST_SIZE};
	struct buf body;
	enum error_code error = ERROR_NONE;
	buf_init(&body, size + 1);
	chunked(&cursor, want, &want_len);
	for (size_t have = 0; have < size && error == ERROR_NONE && chunks.state != H1_CHUNKS_ST_DONE;) {
		size_t taken;
		have = have + step < size ? have + step : size;
		error = h1_chunks_decode(&chunks, (struct span){text + used, have - used}, size, &body, &taken);
		used += taken;
	}
	bool accepted = error == ERROR_NONE && chunks.state == H1_CHUNKS_ST_DONE;
	assert(accepted == !cursor.failed);
	if (accepted) {
		assert(used == (size_t)((const char *)cursor.at - text));
		assert(span_equal(buf_span(&body), (struct span){want, want_len}));
	}
	buf_fini(&body);
	free(want);
}

static void check_head(const char *text, size_t size, size_t step)
{
	static struct h1_head head;
	struct meaning meaning = {.hosts = 0};
	struct cursor cursor = {(const unsigned char *)text, (const unsigned char *)text + size, false};
	size_t scanned = 0, len = 0;
	enum error_code error = ERROR_NONE;
	whole_head(&cursor, &meaning);
	for (size_t have = 0; have < size && error == ERROR_NONE && len == 0;) {
		have = have + step < size ? have + step : size;
		len = h1_head_end((struct span){text, have}, &scanned, &error);
	}
	char *copy = malloc(len + 1);
	memcpy(copy, text, len);
	if (error == ERROR_NONE && len > 0)
		error = h1_head_parse(copy, len, &head);
	bool accepted = len > 0 && (error == ERROR_NONE || error == ERROR_EXPECTATION_FAILED);
	if (error != ERROR_HEADERS_TOO_LARGE)
		assert(accepted == !cursor.failed);
	if (accepted) {
		assert(len == (size_t)((const char *)cursor.at - text));
		assert(span_equal(head.method, meaning.method) && span_equal(head.target, meaning.target));
		assert(head.minor == meaning.minor && head.chunked == (meaning.codings == 1));
		assert((head.content_length >= 0) == (meaning.lengths == 1));
		assert((error == ERROR_EXPECTATION_FAILED) == meaning.odd_expectation);
	}
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2 || size > SIZE_MOST)
		return 0;
	size_t step = (size_t)(data[0] >> 1) % 100 + 1;
	if ((data[0] & 1) == 0)
		check_head((const char *)data + 1, size - 1, step);
	else
		check_chunked((const char *)data + 1, size - 1, step);
	return 0;
}
