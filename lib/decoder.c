/* SPDX-License-Identifier: MIT */
/* Each coding is a step: from input to output, as far as both suffice. The loop and the bounds are common to all. */
#include "lib/decoder.h"

#define ZLIB_CONST /* it only reads its input */
#include <brotli/decode.h>
#include <stdint.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include "lib/http_text.h"

enum { DECODER_PIECE = 16384 };

/* How far a step came. */
enum step_result {
	STEP_MORE, /* wants more input, or has more output */
	STEP_DONE, /* the stream ended */
	STEP_BAD,
	STEP_NO_MEMORY,
};

struct coding {
	const char *name;
	bool (*begin)(struct decoder *decoder);
	void (*end)(struct decoder *decoder);
	enum step_result (*step)(struct decoder *decoder, struct span *input, char *output, size_t *output_len);
	bool (*restart)(struct decoder *decoder, unsigned char first); /* NULL: one stream is all a body can hold */
};

struct decoder {
	const struct coding *coding;
	union {
		z_stream zlib;
		BrotliDecoderState *brotli;
		ZSTD_DStream *zstd;
	};
	uint64_t in, out; /* bytes so far */
	bool done;        /* the input so far is complete */
	bool trailing;    /* bytes that belong to no stream followed the end */
	char piece[DECODER_PIECE];
};

/* ---- gzip and deflate ---- */

static bool zlib_begin(struct decoder *decoder)
{
	return inflateInit2(&decoder->zlib, 15 + 32) == Z_OK; /* it sees by itself which of both it is */
}

static void zlib_end(struct decoder *decoder)
{
	inflateEnd(&decoder->zlib);
}

static enum step_result zlib_step(struct decoder *decoder, struct span *input, char *output, size_t *output_len)
{
	z_stream *stream = &decoder->zlib;
	stream->next_in = (const Bytef *)input->at;
	stream->avail_in = (uInt)input->len;
	stream->next_out = (Bytef *)output;
	stream->avail_out = DECODER_PIECE;
	int result = inflate(stream, Z_SYNC_FLUSH);
	*input = (struct span){input->at + (input->len - stream->avail_in), stream->avail_in};
	*output_len = DECODER_PIECE - stream->avail_out;
	if (result == Z_STREAM_END)
		return STEP_DONE;
	if (result == Z_MEM_ERROR)
		return STEP_NO_MEMORY;
	return result == Z_OK || result == Z_BUF_ERROR ? STEP_MORE : STEP_BAD;
}

/* Starts the next member of a gzip body (RFC 1952, section 2.2) at its first byte. False: no member begins so. */
static bool gzip_restart(struct decoder *decoder, unsigned char first)
{
	return first == 0x1f && inflateReset(&decoder->zlib) == Z_OK;
}

/* ---- br ---- */

static bool brotli_begin(struct decoder *decoder)
{
	decoder->brotli = BrotliDecoderCreateInstance(NULL, NULL, NULL);
	return decoder->brotli != NULL;
}

static void brotli_end(struct decoder *decoder)
{
	BrotliDecoderDestroyInstance(decoder->brotli);
}

static enum step_result brotli_step(struct decoder *decoder, struct span *input, char *output, size_t *output_len)
{
	const uint8_t *next_in = (const uint8_t *)input->at;
	size_t in = input->len, left = DECODER_PIECE;
	uint8_t *next_out = (uint8_t *)output;
	BrotliDecoderResult result =
	    BrotliDecoderDecompressStream(decoder->brotli, &in, &next_in, &left, &next_out, NULL);
	*input = (struct span){(const char *)next_in, in};
	*output_len = DECODER_PIECE - left;
	if (result == BROTLI_DECODER_RESULT_SUCCESS)
		return STEP_DONE;
	return result == BROTLI_DECODER_RESULT_ERROR ? STEP_BAD : STEP_MORE;
}

/* ---- zstd ---- */

static bool zstd_begin(struct decoder *decoder)
{
	enum { WINDOW_LOG_MOST = 23 }; /* what every decoder should support (RFC 8878, section 3.1.1.1.2) */
	decoder->zstd = ZSTD_createDStream();
	return decoder->zstd != NULL &&
	       !ZSTD_isError(ZSTD_DCtx_setParameter(decoder->zstd, ZSTD_d_windowLogMax, WINDOW_LOG_MOST));
}

static void zstd_end(struct decoder *decoder)
{
	ZSTD_freeDStream(decoder->zstd);
}

static enum step_result zstd_step(struct decoder *decoder, struct span *input, char *output, size_t *output_len)
{
	ZSTD_inBuffer in = {input->at, input->len, 0};
	ZSTD_outBuffer out = {output, DECODER_PIECE, 0};
	size_t result = ZSTD_decompressStream(decoder->zstd, &out, &in);
	*input = (struct span){input->at + in.pos, input->len - in.pos};
	*output_len = out.pos;
	if (ZSTD_isError(result))
		return STEP_BAD;
	return result == 0 ? STEP_DONE : STEP_MORE;
}

/* Starts the next frame, data or skippable (RFC 8878, section 3.1), by its first byte. False: no frame begins so. */
static bool zstd_restart(struct decoder *decoder, unsigned char first)
{
	return (first == 0x28 || (first & 0xf0) == 0x50) &&
	       !ZSTD_isError(ZSTD_DCtx_reset(decoder->zstd, ZSTD_reset_session_only));
}

/* ---- all of them ---- */

static const struct coding codings[] = {
    {"gzip", zlib_begin, zlib_end, zlib_step, gzip_restart}, {"x-gzip", zlib_begin, zlib_end, zlib_step, gzip_restart},
    {"deflate", zlib_begin, zlib_end, zlib_step, NULL},      {"br", brotli_begin, brotli_end, brotli_step, NULL},
    {"zstd", zstd_begin, zstd_end, zstd_step, zstd_restart},
};

static const struct coding *find_coding(struct span name)
{
	for (size_t i = 0; i < sizeof(codings) / sizeof(codings[0]); i++)
		if (http_is_word(name, codings[i].name))
			return &codings[i];
	return NULL;
}

bool decoder_knows(struct span coding)
{
	return find_coding(coding) != NULL;
}

const char *decoder_codings(void)
{
	return "gzip, deflate, br, zstd";
}

struct decoder *decoder_create(struct span coding)
{
	const struct coding *found = find_coding(coding);
	struct decoder *decoder = found == NULL ? NULL : calloc(1, sizeof(*decoder));
	if (decoder == NULL)
		return NULL;
	decoder->coding = found;
	if (found->begin(decoder))
		return decoder;
	decoder_destroy(decoder); /* a coding that has begun in part, too */
	return NULL;
}

void decoder_destroy(struct decoder *decoder)
{
	if (decoder == NULL)
		return;
	decoder->coding->end(decoder);
	free(decoder);
}

bool decoder_is_done(const struct decoder *decoder)
{
	return decoder->done;
}

static bool is_bomb(const struct decoder *decoder)
{
	return decoder->out > DECODER_FREE && decoder->out / DECODER_FACTOR > decoder->in;
}

/* A step, and what the loop needs to know of it. */
static enum decoder_result feed_step(struct decoder *decoder, struct span *input, size_t *len)
{
	size_t before = input->len;
	enum step_result result = decoder->coding->step(decoder, input, decoder->piece, len);
	decoder->in += before - input->len;
	decoder->out += *len;
	decoder->done = result == STEP_DONE;
	if (result == STEP_BAD)
		return DECODER_BAD;
	if (result == STEP_NO_MEMORY)
		return DECODER_NO_MEMORY;
	return is_bomb(decoder) ? DECODER_TOO_LARGE : DECODER_OK;
}

/* Returns whether a stream goes on with the first byte of the input. Bytes that start none are ignored from then on. */
static bool goes_on(struct decoder *decoder, struct span input)
{
	if (!decoder->done)
		return true;
	if (input.len == 0 || decoder->trailing)
		return false;
	const struct coding *coding = decoder->coding;
	decoder->trailing = coding->restart == NULL || !coding->restart(decoder, (unsigned char)input.at[0]);
	decoder->done = decoder->trailing;
	return !decoder->done;
}

enum decoder_result decoder_feed(struct decoder *decoder, struct span input,
				 bool (*take)(void *context, struct span output), void *context)
{
	size_t len = DECODER_PIECE;
	while (goes_on(decoder, input) && (input.len > 0 || len == DECODER_PIECE)) {
		size_t before = input.len;
		enum decoder_result result = feed_step(decoder, &input, &len);
		if (result != DECODER_OK)
			return result;
		if (len > 0 && !take(context, (struct span){decoder->piece, len}))
			return DECODER_STOPPED;
		if (len == 0 && input.len == before)
			break;
	}
	return DECODER_OK;
}
