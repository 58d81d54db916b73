/* SPDX-License-Identifier: MIT */
/* Bodies in every coding, in pieces of every size, cut, garbled and absurdly dense. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <brotli/encode.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include "lib/buf.h"
#include "lib/decoder.h"

enum { PLAIN = 100000, PACKED = 2 * PLAIN + 1024 };

static char plain[PLAIN];
static char packed[PACKED];

static size_t pack_zlib(const char *from, size_t len, int window)
{
	z_stream stream = {.next_in = (Bytef *)(uintptr_t)from,
			   .avail_in = (uInt)len,
			   .next_out = (Bytef *)packed,
			   .avail_out = PACKED};
	assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
	deflateEnd(&stream);
	return PACKED - stream.avail_out;
}

static size_t pack(const char *coding, const char *from, size_t len)
{
	size_t size = PACKED;
	if (strcmp(coding, "br") == 0) {
		assert_true(BrotliEncoderCompress(5, 22, BROTLI_MODE_TEXT, len, (const uint8_t *)from, &size,
						  (uint8_t *)packed));
		return size;
	}
	if (strcmp(coding, "zstd") == 0)
		return ZSTD_compress(packed, PACKED, from, len, 3);
	return pack_zlib(from, len, strcmp(coding, "deflate") == 0 ? 15 : 31);
}

static bool keep(void *context, struct span output)
{
	return buf_append(context, output);
}

static enum decoder_result feed(struct decoder *decoder, size_t len, size_t piece, struct buf *out)
{
	enum decoder_result result = DECODER_OK;
	for (size_t at = 0; at < len && result == DECODER_OK; at += piece)
		result =
		    decoder_feed(decoder, (struct span){packed + at, len - at < piece ? len - at : piece}, keep, out);
	return result;
}

static const char *const codings[] = {"gzip", "x-gzip", "GZIP", "deflate", "br", "zstd"};
enum { CODINGS = sizeof(codings) / sizeof(codings[0]) };

static int setup(void **state)
{
	(void)state;
	for (size_t i = 0; i < PLAIN; i++)
		plain[i] = (char)('a' + (i * i / 7 + i / 11) % 23);
	return 0;
}

static void every_coding_gives_the_text_back_in_pieces_of_any_size(void **state)
{
	static const size_t pieces[] = {1, 7, 1000, PACKED};
	(void)state;
	for (size_t i = 0; i < CODINGS; i++) {
		size_t len = pack(codings[i], plain, PLAIN);
		for (size_t p = 0; p < sizeof(pieces) / sizeof(pieces[0]); p++) {
			struct decoder *decoder = decoder_create(span_of(codings[i]));
			struct buf out;
			buf_init(&out, PLAIN);
			assert_int_equal(feed(decoder, len, pieces[p], &out), DECODER_OK);
			assert_true(decoder_is_done(decoder));
			assert_int_equal(buf_len(&out), PLAIN);
			assert_memory_equal(buf_span(&out).at, plain, PLAIN);
			buf_fini(&out);
			decoder_destroy(decoder);
		}
	}
}

/* Packs the text as two streams, one after the other. *len: of both. */
static void pack_two(const char *coding, size_t *len)
{
	static char second[PACKED / 2];
	size_t second_len = pack(coding, plain + PLAIN / 2, PLAIN / 2);
	assert_true(second_len <= sizeof(second));
	memcpy(second, packed, second_len);
	size_t first_len = pack(coding, plain, PLAIN / 2);
	memcpy(packed + first_len, second, second_len);
	*len = first_len + second_len;
}

static void members_of_gzip_and_frames_of_zstd_are_decoded_one_after_the_other(void **state)
{
	static const char *const joinable[] = {"gzip", "zstd"};
	static const size_t pieces[] = {1, 7, 1000, PACKED};
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		size_t len = 0;
		pack_two(joinable[i], &len);
		for (size_t p = 0; p < sizeof(pieces) / sizeof(pieces[0]); p++) {
			struct decoder *decoder = decoder_create(span_of(joinable[i]));
			struct buf out;
			buf_init(&out, PLAIN);
			assert_int_equal(feed(decoder, len - 1, pieces[p], &out), DECODER_OK);
			assert_false(decoder_is_done(decoder));
			assert_int_equal(decoder_feed(decoder, (struct span){packed + len - 1, 1}, keep, &out),
					 DECODER_OK);
			assert_true(decoder_is_done(decoder));
			assert_int_equal(buf_len(&out), PLAIN);
			assert_memory_equal(buf_span(&out).at, plain, PLAIN);
			buf_fini(&out);
			decoder_destroy(decoder);
		}
	}
}

static void other_bytes_after_the_end_are_ignored(void **state)
{
	(void)state;
	for (size_t i = 0; i < CODINGS; i++) {
		size_t len = pack(codings[i], plain, PLAIN);
		memset(packed + len, 0, 100);
		packed[len + 1] = 0x1f; /* what would begin a member at the right place */
		struct decoder *decoder = decoder_create(span_of(codings[i]));
		struct buf out;
		buf_init(&out, PLAIN);
		assert_int_equal(feed(decoder, len + 100, 1, &out), DECODER_OK);
		assert_true(decoder_is_done(decoder));
		assert_int_equal(buf_len(&out), PLAIN);
		buf_fini(&out);
		decoder_destroy(decoder);
	}
}

static void a_cut_body_is_not_done(void **state)
{
	(void)state;
	for (size_t i = 0; i < CODINGS; i++) {
		size_t len = pack(codings[i], plain, PLAIN);
		struct decoder *decoder = decoder_create(span_of(codings[i]));
		struct buf out;
		buf_init(&out, PLAIN);
		assert_int_equal(feed(decoder, len - 1, 1000, &out), DECODER_OK);
		assert_false(decoder_is_done(decoder));
		buf_fini(&out);
		decoder_destroy(decoder);
	}
}

static void garbage_is_found_out(void **state)
{
	(void)state;
	for (size_t i = 0; i < CODINGS; i++) {
		struct decoder *decoder = decoder_create(span_of(codings[i]));
		struct buf out;
		buf_init(&out, PLAIN);
		memset(packed, 0xff, 4000);
		assert_int_equal(feed(decoder, 4000, 100, &out), DECODER_BAD);
		buf_fini(&out);
		decoder_destroy(decoder);
	}
}

static bool count(void *context, struct span output)
{
	*(size_t *)context += output.len;
	return true;
}

static void a_bomb_is_stopped_soon(void **state)
{
	static char zeros[1 << 24];
	(void)state;
	for (size_t i = 0; i < CODINGS; i++) {
		size_t len = pack(codings[i], zeros, sizeof(zeros));
		size_t out = 0;
		struct decoder *decoder = decoder_create(span_of(codings[i]));
		assert_int_equal(decoder_feed(decoder, (struct span){packed, len}, count, &out), DECODER_TOO_LARGE);
		assert_true(out <= DECODER_FREE + len * DECODER_FACTOR);
		decoder_destroy(decoder);
	}
}

static bool stop(void *context, struct span output)
{
	(void)output;
	++*(unsigned *)context;
	return false;
}

static void who_takes_the_output_may_stop(void **state)
{
	unsigned calls = 0;
	(void)state;
	size_t len = pack("gzip", plain, PLAIN);
	struct decoder *decoder = decoder_create(SPAN("gzip"));
	assert_int_equal(decoder_feed(decoder, (struct span){packed, len}, stop, &calls), DECODER_STOPPED);
	assert_int_equal(calls, 1);
	decoder_destroy(decoder);
}

static void unknown_codings_have_no_decoder(void **state)
{
	static const char *const unknown[] = {"", "identity", "compress", "gzip, br", "gzi", "*"};
	(void)state;
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		assert_false(decoder_knows(span_of(unknown[i])));
		assert_null(decoder_create(span_of(unknown[i])));
	}
	decoder_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_coding_gives_the_text_back_in_pieces_of_any_size),
	    cmocka_unit_test(members_of_gzip_and_frames_of_zstd_are_decoded_one_after_the_other),
	    cmocka_unit_test(other_bytes_after_the_end_are_ignored),
	    cmocka_unit_test(a_cut_body_is_not_done),
	    cmocka_unit_test(garbage_is_found_out),
	    cmocka_unit_test(a_bomb_is_stopped_soon),
	    cmocka_unit_test(who_takes_the_output_may_stop),
	    cmocka_unit_test(unknown_codings_have_no_decoder),
	};
	return cmocka_run_group_tests(tests, setup, NULL);
}
