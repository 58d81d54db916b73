/* SPDX-License-Identifier: MIT */
/*
 * The Responses dialect, by the first byte: a request, which becomes a chat request or is refused for something that it
 * has; or the chunks of a chat, one a line, whose stream must follow the grammar and end as the whole answer says.
 */
#include <assert.h>
#include <stdint.h>

#include "schemas/dialect.h"
#include "schemas/openai/chunk_deltas.h"
#include "schemas/responses/dialect.h"
#include "schemas/responses/request_fields.h"
#include "schemas/responses/stream_write.h"
#include "tests/grammar/responses.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct json_limits limits = {.depth = 16, .values = 100000};

/* What an answer repeats is the inside of an object. */
static void check_echo(const struct request *request)
{
	const struct responses_echo *echo = request->echo;
	struct arena arena;
	struct json json;
	struct json_error error;
	arena_init(&arena, 0);
	struct span object = arena_printf(&arena, "{%.*s}", (int)echo->members.len - 1, echo->members.at + 1);
	assert(object.at != NULL && json_parse(&json, &arena, object, 32, &error));
	arena_fini(&arena);
}

/* Findings are about members of this dialect. */
static void check_findings(const struct findings *findings)
{
	assert(findings->count > 0);
	for (size_t i = 0; i < findings->count; i++)
		assert(!span_begins(findings->list[i].param, "messages"));
}

static void fuzz_request(struct span body)
{
	struct findings findings = {.count = 0};
	struct request *request = request_create(&responses_dialect, ENDPOINT_CHAT, 1 << 24, 0);
	assert(request != NULL);
	if (request_decode(request, body, &limits, &findings)) {
		assert(request->dialect != &responses_dialect && request->model.len > 0 && request->choices == 1);
		check_echo(request);
	} else {
		check_findings(&findings);
	}
	request_drop(request);
}

/* What a request is measured as is never more than it is. */
static void fuzz_count(struct span body)
{
	struct findings findings;
	struct input_size size;
	struct arena arena;
	arena_init(&arena, 1 << 24);
	if (responses_dialect.count_read(body, &limits, NULL, &arena, &findings, &size))
		assert(size.model.len > 0 && size.text + size.documents <= body.len);
	else
		check_findings(&findings);
	arena_fini(&arena);
}

/* Tells the chunks; returns whether they could be told. */
static bool tell(struct responses_stream *stream, struct span lines, struct buf *out)
{
	const struct usage none = USAGE_UNKNOWN;
	const struct answer_identity identity = {SPAN("c"), SPAN("m"), 1};
	for (size_t at = 0; at < lines.len;) {
		const char *end = memchr(lines.at + at, '\n', lines.len - at);
		struct span line = {lines.at + at, end == NULL ? lines.len - at : (size_t)(end - lines.at) - at};
		struct arena arena;
		struct json json;
		struct deltas deltas = {NULL, 0, 0};
		at += line.len + 1;
		arena_init(&arena, 0);
		bool read = event_parse(line, &arena, &json) && openai_deltas_read(&json, &arena, &deltas);
		bool told = !read || responses_stream_add(stream, &deltas, &none, &identity, out);
		arena_fini(&arena);
		if (!told)
			return false;
	}
	return true;
}

static void fuzz_answer(struct span lines, bool fails)
{
	static const struct span customs[] = {SPAN_INIT("sql")};
	static const struct responses_echo echo = {.id = SPAN_INIT("resp_1"),
						   .model = SPAN_INIT("m"),
						   .members = SPAN_INIT(",\"store\":false"),
						   .customs = customs,
						   .custom_count = 1};
	const struct error_told told = {.code = ERROR_UPSTREAM_RESET};
	struct responses_stream stream;
	struct grammar grammar;
	struct buf out;
	responses_stream_init(&stream, &echo, 0);
	buf_init(&out, 1 << 26);
	if (tell(&stream, lines, &out) &&
	    (fails ? responses_stream_fail(&stream, &told, &out) : responses_stream_end(&stream, &out))) {
		buf_append(&out, (struct span){"", 1});
		bool good = grammar_read(&grammar, buf_span(&out).at);
		if (!good)
			fprintf(stderr, "%s\n", grammar.fault);
		assert(good);
		grammar_free(&grammar);
	}
	responses_stream_fini(&stream);
	buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	struct span text = {(const char *)data + 1, size - 1};
	if ((data[0] & 1) != 0) {
		fuzz_request(text);
		fuzz_count(text);
	} else {
		fuzz_answer(text, (data[0] & 2) != 0);
	}
	return 0;
}
