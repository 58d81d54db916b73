/* SPDX-License-Identifier: MIT */
/*
 * The splice of any accepted chat request: the result must be accepted too,
 * hold the model asked for, ask for usage when told to, and be otherwise the
 * client's own bytes. The first byte is flags and the length of the model name.
 */
#include <assert.h>
#include <stdint.h>

#include "lib/utf8.h"
#include "schemas/openai/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* All members but include_usage are the same bytes in both. */
static void check_options(const struct json *before, uint32_t a, const struct json *after, uint32_t b)
{
	if (json_type(before, a) != JSON_OBJECT)
		return;
	uint32_t y = json_first(after, b);
	for (uint32_t x = json_first(before, a); x != JSON_NONE; x = json_next(before, a, x)) {
		if (json_string_is(before, x, "include_usage"))
			continue;
		while (json_string_is(after, y, "include_usage"))
			y = json_next(after, b, y);
		assert(span_equal(json_raw(before, x), json_raw(after, y)));
		assert(span_equal(json_raw(before, x + 1), json_raw(after, y + 1)));
		y = json_next(after, b, y);
	}
}

static void check_members(const struct json *before, const struct json *after, bool asked)
{
	uint32_t y = json_first(after, 0);
	for (uint32_t x = json_first(before, 0); x != JSON_NONE; x = json_next(before, 0, x)) {
		if (json_member(before, 0, "stream_options") == JSON_NONE && json_string_is(after, y, "stream_options"))
			y = json_next(after, 0, y);
		assert(y != JSON_NONE && span_equal(json_raw(before, x), json_raw(after, y)));
		if (asked && json_string_is(before, x, "stream_options"))
			check_options(before, x + 1, after, y + 1);
		else if (!json_string_is(before, x, "model"))
			assert(span_equal(json_raw(before, x + 1), json_raw(after, y + 1)));
		y = json_next(after, 0, y);
	}
}

static bool is_plain_utf8(struct span text)
{
	for (size_t at = 0, length; at < text.len; at += length) {
		length = utf8_length((const unsigned char *)text.at + at, text.len - at);
		if (length == 0 || text.at[at] == '\0')
			return false;
	}
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1 || (size_t)(data[0] & 15) + 1 > size)
		return 0;
	bool ask = (data[0] & 16) != 0;
	struct span model = {(const char *)data + 1, data[0] & 15};
	struct span body = {model.at + model.len, size - 1 - model.len};
	struct arena arena;
	struct buf out;
	struct request before, after;
	struct findings findings;
	arena_init(&arena, 0);
	buf_init(&out, size * 6 + 200);
	if (model.len > 0 && is_plain_utf8(model) &&
	    openai_request_decode(&before, ENDPOINT_CHAT, &arena, body, &JSON_DEPTH(64), &findings)) {
		const struct request_splice splice = {.model = model, .ask_usage = ask};
		buf_append(&out, openai_request_splice(&before, &splice, &out));
		assert(!buf_failed(&out));
		assert(
		    openai_request_decode(&after, ENDPOINT_CHAT, &arena, buf_span(&out), &JSON_DEPTH(64), &findings));
		assert(span_equal(after.model, model));
		assert(after.choices == before.choices && after.stream == before.stream);
		assert(after.include_usage == (before.include_usage || (ask && before.stream)));
		check_members(&before.json, &after.json, ask && before.stream);
	}
	buf_fini(&out);
	arena_fini(&arena);
	return 0;
}
