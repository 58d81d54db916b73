/* SPDX-License-Identifier: MIT */
/*
 * What backends send, on any bytes: lines of the input are chunks of one stream
 * and whole answers. Repairs, lanes and merges must give JSON again, and a
 * repaired chunk must need no second repair.
 */
#include <assert.h>
#include <stdint.h>

#include "schemas/openai/answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LINES = 8 };

static bool is_json(struct span text, struct arena *arena)
{
	struct json json;
	struct json_error error;
	return json_parse_relaxed(&json, arena, text, &JSON_DEPTH(64), &error);
}

static void check_chunk(struct openai_stream *stream, struct span line, struct arena *arena)
{
	struct openai_stream before = *stream;
	struct openai_chunk chunk, again;
	struct openai_lane lane = {SPAN("i"), SPAN("m"), SPAN("t"), 3};
	struct buf out;
	if (openai_chunk_read(stream, line, arena, &chunk) && chunk.repaired.at != NULL) {
		assert(openai_chunk_read(&before, chunk.repaired, arena, &again));
		assert(again.repaired.at == NULL);
		assert((again.carries | CARRIES_ROLE) == (chunk.carries | CARRIES_ROLE));
	}
	openai_stream_is_finished(stream);
	buf_init(&out, line.len * 60 + 100);
	if (openai_chunk_write_lane(line, &lane, arena, &out))
		assert(!buf_failed(&out) && is_json(buf_span(&out), arena));
	else
		assert(buf_len(&out) == 0);
	buf_fini(&out);
}

static void check_merge(const struct span *lines, size_t count, size_t size, struct arena *arena)
{
	struct openai_lane lanes[LINES];
	struct openai_answer answer;
	struct buf out;
	for (size_t i = 0; i < count; i++)
		lanes[i] = (struct openai_lane){SPAN("i"), SPAN("m"), SPAN("t"), 0};
	buf_init(&out, size * 60 + 1000);
	if (openai_answers_merge(lines, lanes, count, arena, &out)) {
		assert(!buf_failed(&out));
		assert(openai_answer_read(OPENAI_CHAT, buf_span(&out), arena, &answer));
		assert((answer.carries & CARRIES_NO_CHOICE) == 0);
	} else {
		assert(buf_len(&out) == 0);
	}
	buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	struct openai_stream stream = {.endpoint = (enum openai_endpoint)(data[0] % 3)};
	struct openai_answer answer;
	struct openai_error error;
	struct span lines[LINES];
	struct arena arena;
	size_t count = 0;
	arena_init(&arena, 0);
	const char *at = (const char *)data + 1, *end = (const char *)data + size;
	while (count < LINES && at <= end) {
		const char *stop = at == end ? NULL : memchr(at, '\n', (size_t)(end - at));
		if (stop == NULL)
			stop = end;
		lines[count++] = (struct span){at, (size_t)(stop - at)};
		at = stop + 1;
	}
	for (size_t i = 0; i < count; i++) {
		check_chunk(&stream, lines[i], &arena);
		openai_answer_read(stream.endpoint, lines[i], &arena, &answer);
		openai_error_read(lines[i], &arena, &error);
	}
	check_merge(lines, count, size, &arena);
	arena_fini(&arena);
	return 0;
}
