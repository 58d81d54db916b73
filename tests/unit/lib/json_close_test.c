/* SPDX-License-Identifier: MIT */
/* Documents that are cut, at every byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/json.h"
#include "lib/json_close.h"

static bool close_text(struct span text, struct buf *out)
{
	buf_reset(out);
	buf_append(out, text);
	return json_close(out);
}

static void a_cut_document_ends_behind_its_last_complete_value(void **state)
{
	static const struct {
		const char *cut, *closed; /* NULL: it cannot be closed */
	} rows[] = {
	    {"{\"a\":1,\"b\":\"x,]}", "{\"a\":1}"},
	    {"{\"a\":[{\"b\":\"}\\\",\"},{\"c\":", "{\"a\":[{\"b\":\"}\\\",\"}]}"},
	    {"{\"a\":{\"b\":null,\"c\":tr", "{\"a\":{\"b\":null}}"},
	    {"[1,2,[3,4", "[1,2,[3]]"},
	    {"{\"a\":[]}", "{\"a\":[]}"},
	    {"{\"a\":{}", "{\"a\":{}}"},
	    {"{\"a\":\"b", NULL},
	    {"{", NULL},
	    {"", NULL},
	    {"1,", NULL},
	    {"[}", NULL},
	    {"]", NULL},
	};
	struct buf out;
	(void)state;
	buf_init(&out, 4096);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool closed = close_text(span_of(rows[i].cut), &out);
		if (closed != (rows[i].closed != NULL) || (closed && !span_is(buf_span(&out), rows[i].closed)))
			fail_msg("%s became %.*s", rows[i].cut, (int)buf_len(&out), buf_span(&out).at);
	}
	buf_fini(&out);
}

/* Wherever a document is cut, what is made of it is a document. */
static void every_beginning_that_can_be_closed_is_a_document(void **state)
{
	static const char text[] =
	    "{\"error\":{\"message\":\"a \\\"b\\\\\",\"code\":429,\"x\":[true,{},[]]},\"choices\":["
	    "{\"index\":0,\"message\":{\"content\":\"\\u00e9, [\"}},{}],\"n\":-1.5e3}";
	struct buf out;
	struct arena arena;
	size_t closed = 0;
	(void)state;
	buf_init(&out, 4096);
	arena_init(&arena, 0);
	for (size_t len = 0; len < sizeof(text); len++) {
		struct json json;
		struct json_error error;
		if (!close_text((struct span){text, len}, &out))
			continue;
		closed++;
		if (!json_parse(&json, &arena, buf_span(&out), 16, &error))
			fail_msg("%.*s became %.*s", (int)len, text, (int)buf_len(&out), buf_span(&out).at);
	}
	assert_true(closed > sizeof(text) / 2);
	arena_fini(&arena);
	buf_fini(&out);
}

static void a_document_that_is_nested_too_deep_is_not_closed(void **state)
{
	struct buf out;
	(void)state;
	buf_init(&out, 4096);
	for (int i = 0; i < 300; i++)
		buf_append(&out, SPAN("[1,"));
	assert_false(json_close(&out));
	buf_fini(&out);
}

/* A buffer that is full has no place for the brackets. */
static void brackets_that_do_not_fit_are_a_failure(void **state)
{
	struct buf out;
	char room[4];
	(void)state;
	buf_init_over(&out, room, sizeof(room));
	assert_true(close_text(SPAN("[1,2"), &out));
	assert_true(span_is(buf_span(&out), "[1]"));
	assert_false(close_text(SPAN("[[[]"), &out));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_cut_document_ends_behind_its_last_complete_value),
	    cmocka_unit_test(every_beginning_that_can_be_closed_is_a_document),
	    cmocka_unit_test(a_document_that_is_nested_too_deep_is_not_closed),
	    cmocka_unit_test(brackets_that_do_not_fit_are_a_failure),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
