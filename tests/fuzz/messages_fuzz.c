/* SPDX-License-Identifier: MIT */
/*
 * Backends that speak Messages, on any bytes. Lines of the input are events of one stream, and each is a whole message
 * too: the chunks and the chat completions that are written of them are JSON. The rest of the input is a request of
 * either dialect: what the backend is asked is JSON, with the name of the model, and holds how the answer began.
 */
#include <assert.h>
#include <stdint.h>

#include "schemas/anthropic/dialect.h"
#include "schemas/anthropic/from_chat.h"
#include "schemas/anthropic/message_read.h"
#include "schemas/anthropic/request_translate.h"
#include "schemas/assembly.h"
#include "schemas/openai/answer_write.h"
#include "schemas/openai/chunk_deltas.h"
#include "schemas/openai/chunk_write.h"
#include "schemas/sse.h"
#include "schemas/translation.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { DEPTH = 256, GROWTH = 65536, MODEL_MOST = 16 };

static void check_json(const struct buf *out, struct arena *arena)
{
	struct json json;
	struct json_error error;
	assert(!buf_failed(out) && json_parse_relaxed(&json, arena, buf_span(out), &JSON_DEPTH(DEPTH), &error));
	assert(json_type(&json, 0) == JSON_OBJECT);
}

static void check_texts(const struct deltas *deltas)
{
	size_t content = 0;
	for (size_t i = 0; i < deltas->count; i++)
		content += deltas->list[i].text.len;
	assert(deltas->count > 0 && content < SIZE_MAX / 2);
}

/* ---- answers ---- */

static void check_event(struct anthropic_reader *reader, struct span line, struct arena *arena, struct buf *out)
{
	const struct sse_event sse = {.data = line};
	struct answer_reading reading;
	do {
		enum stream_step step = anthropic_reader_read(reader, &sse, arena, &reading);
		assert(reader->tools.calls >= 0);
		assert(step == STREAM_EVENT || !reading.more);
		if (step != STREAM_EVENT || (reading.carries & CARRIES_ERROR) != 0)
			return;
		struct deltas deltas;
		struct json json;
		buf_reset(out);
		if (reading.told->deltas.choices == 0) {
			assert((reading.carries & CARRIES_USAGE) != 0);
			continue;
		}
		check_texts(&reading.told->deltas);
		openai_chunk_write(out, ENDPOINT_CHAT, &reading.told->identity, &reading.told->deltas);
		check_json(out, arena);
		assert(event_parse(buf_span(out), arena, &json) && openai_deltas_read(&json, arena, &deltas));
		assert(deltas.choices == 1);
	} while (reading.more);
}

static void check_whole(struct span line, struct arena *arena, struct buf *out)
{
	struct answer_reading reading;
	struct assembly assembly;
	if (!anthropic_message_read(line, arena, &reading) ||
	    (reading.carries & (CARRIES_ERROR | CARRIES_NO_CHOICE)) != 0)
		return;
	buf_reset(out);
	assembly_init(&assembly, line.len + GROWTH);
	assembly_add(&assembly, &reading.told->deltas);
	if (openai_answer_write(&assembly, ENDPOINT_CHAT, &reading.told->identity, &reading.usage, out))
		check_json(out, arena);
	assembly_fini(&assembly);
}

static void check_answers(struct span text)
{
	struct anthropic_reader reader;
	struct arena arena;
	struct buf out;
	const char *at = text.at, *end = text.at + text.len;
	arena_init(&arena, 0);
	buf_init(&out, text.len * 8 + GROWTH);
	anthropic_reader_begin(&reader);
	while (at < end) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));
		struct span line = {at, (size_t)((stop == NULL ? end : stop) - at)};
		struct backend_error error;
		check_event(&reader, line, &arena, &out);
		check_whole(line, &arena, &out);
		anthropic_error_read(line, &arena, &error);
		at = line.at + line.len + 1;
	}
	buf_fini(&out);
	arena_fini(&arena);
}

/* ---- requests ---- */

/* prefill: how the answer began; {NULL,0} = it did not. */
static void check_translation(const struct request *request, struct span prefill, size_t arena_limit)
{
	const struct request_splice splice = {.model = SPAN("m"), .prefill = prefill, .spent = 3};
	struct dropped dropped = {.count = 0};
	struct arena arena, room;
	struct json json;
	struct json_error error;
	struct buf out;
	arena_init(&arena, arena_limit);
	arena_init(&room, 0);
	/* as large as a target's (service/plan/target_request.c) */
	buf_init(&out, 2 * (request->json.text.len + request->own.text.len) + anthropic_splice_growth(&splice));
	anthropic_request_translate(&(struct translation){.request = request,
							  .splice = &splice,
							  .output_standard = 100,
							  .arena = &arena,
							  .out = &out,
							  .dropped = &dropped});
	if (!arena_failed(&arena)) {
		assert(!buf_failed(&out));
		assert(json_parse_relaxed(&json, &room, buf_span(&out), &JSON_DEPTH(DEPTH), &error));
		uint32_t model = json_member(&json, 0, "model"), messages = json_member(&json, 0, "messages");
		assert(model != JSON_NONE && json_string_is(&json, model, "m"));
		assert(messages != JSON_NONE && json_type(&json, messages) == JSON_ARRAY);
		assert(prefill.at == NULL || json.nodes[messages].count > 0);
		dropped_text(&dropped, &arena);
	}
	buf_fini(&out);
	arena_fini(&room);
	arena_fini(&arena);
}

static void check_request(const struct dialect *dialect, struct span body, size_t arena_limit)
{
	struct arena arena;
	struct findings findings;
	struct request request = {.endpoint = ENDPOINT_CHAT};
	arena_init(&arena, 0);
	if (dialect->request_decode(&request, &arena, body, &JSON_DEPTH(16), &findings)) {
		check_translation(&request, (struct span){NULL, 0}, arena_limit);
		check_translation(&request, SPAN("so \"far\"\n"), arena_limit);
		request.own_dialect = NULL;
		check_translation(&request, (struct span){NULL, 0}, arena_limit);
	}
	arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	struct span text = {(const char *)data + 1, size - 1};
	switch (data[0] % 4) {
	case 0:
		check_answers(text);
		break;
	case 1:
		check_request(&anthropic_dialect, text, 0);
		break;
	case 2:
		check_request(dialect_default(), text, 0);
		break;
	default:
		check_request(dialect_default(), text, 4096);
		break;
	}
	return 0;
}
