/* SPDX-License-Identifier: MIT */
/*
 * What backends send, on any bytes: lines of the input are chunks of one stream
 * and whole answers. Repairs, lanes, merges, joints and answers put together must
 * give JSON again, and a repaired chunk must need no second repair.
 */
#include <assert.h>
#include <stdint.h>

#include "schemas/assembly.h"
#include "schemas/openai/answer_merge.h"
#include "schemas/openai/answer_read.h"
#include "schemas/openai/chunk_deltas.h"
#include "schemas/openai/chunk_rejoin.h"
#include "schemas/openai/answer_write.h"
#include "service/answer/joint.h"
#include "service/answer/text.h"

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
	struct answer_reading chunk, again;
	struct answer_lane lane = {SPAN("i"), SPAN("m"), SPAN("t"), 3};
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

/* What uses deltas: the first half of the lines is one answer, the other half another one. */
struct heard {
	struct assembly assembly;
	struct answer_text text;
	struct joint joint;
	struct answer_identity identity;
};

static void check_joint(struct heard *heard, const struct json *json, const struct deltas *deltas, bool second,
			struct arena *arena)
{
	size_t *before = arena_zalloc(arena, deltas->count + 1, sizeof(*before));
	struct span data = {NULL, 0};
	if (second && joint_is_open(&heard->joint) && !heard->joint.joined) {
		if (joint_hear(&heard->joint, deltas, before) == JOINT_JOINED)
			data = openai_chunk_rejoin(json, deltas, before, &heard->identity, arena);
	} else {
		joint_said(&heard->joint, deltas);
		data = openai_chunk_rejoin(json, deltas, NULL, &heard->identity, arena);
	}
	assert(data.at == NULL || is_json(data, arena));
}

static void check_deltas(const struct span *lines, size_t count, size_t size, struct arena *arena)
{
	struct heard heard = {.identity = {.id = SPAN("i"), .model = SPAN("m"), .created = 1}};
	struct buf out;
	assembly_init(&heard.assembly, size + 1);
	answer_text_init(&heard.text, size * 8 + 1);
	joint_init(&heard.joint, arena, false);
	buf_init(&out, size * 60 + 10000);
	for (size_t i = 0; i < count; i++) {
		struct json json;
		struct deltas deltas;
		if (!event_parse(lines[i], arena, &json) || !openai_deltas_read(&json, arena, &deltas))
			continue;
		assembly_add(&heard.assembly, &deltas);
		answer_text_add(&heard.text, &deltas);
		if (i == count / 2)
			joint_again(&heard.joint);
		check_joint(&heard, &json, &deltas, i >= count / 2, arena);
	}
	if (openai_answer_write(&heard.assembly, ENDPOINT_CHAT, &heard.identity, &USAGE_UNKNOWN, &out))
		assert(buf_failed(&out) || is_json(buf_span(&out), arena));
	buf_reset(&out);
	answer_text_write_key(&heard.text, true, arena, &out);
	buf_fini(&out);
	joint_fini(&heard.joint);
	answer_text_fini(&heard.text);
	assembly_fini(&heard.assembly);
}

static void check_merge(const struct span *lines, size_t count, size_t size, struct arena *arena)
{
	struct answer_lane lanes[LINES];
	struct answer_reading answer;
	struct buf out;
	for (size_t i = 0; i < count; i++)
		lanes[i] = (struct answer_lane){SPAN("i"), SPAN("m"), SPAN("t"), 0};
	buf_init(&out, size * 60 + 1000);
	if (openai_answers_merge(lines, lanes, count, arena, &out)) {
		assert(!buf_failed(&out));
		assert(openai_answer_read(ENDPOINT_CHAT, buf_span(&out), arena, &answer));
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
	struct openai_stream stream = {.endpoint = (enum endpoint)(data[0] % 3)};
	struct answer_reading answer;
	struct backend_error error;
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
	check_deltas(lines, count, size, &arena);
	arena_fini(&arena);
	return 0;
}
