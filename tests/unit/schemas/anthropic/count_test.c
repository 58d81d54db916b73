/* SPDX-License-Identifier: MIT */
/* What is measured of a request whose tokens are to be counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "schemas/anthropic/count.h"

#define ASK(content) "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":" content "}]}"
#define SOURCE(type, data) \
	"{\"type\":\"document\",\"source\":{\"type\":\"base64\",\"media_type\":\"" type "\",\"data\":" data "}}"
#define IMAGE(source) "{\"type\":\"image\",\"source\":" source "}"

struct world {
	struct arena arena;
	struct findings findings;
	struct input_size size;
};

static bool read(struct world *world, const char *body)
{
	arena_init(&world->arena, 0);
	return anthropic_count_read(span_of(body), &JSON_DEPTH(64), NULL, &world->arena, &world->findings,
				    &world->size);
}

/* bytes: of body that are not text. */
static void check(const char *body, size_t bytes, size_t images, size_t documents)
{
	struct world world;
	assert_true(read(&world, body));
	assert_true(span_is(world.size.model, "m"));
	assert_int_equal(world.size.text, strlen(body) - bytes);
	assert_int_equal(world.size.images, images);
	assert_int_equal(world.size.documents, documents);
	arena_fini(&world.arena);
}

static void text_counts_by_its_bytes_and_bytes_of_files_do_not(void **state)
{
	(void)state;
	check(ASK("\"hello\""), 0, 0, 0);
	check(ASK("[{\"type\":\"text\",\"text\":\"hello\"}]"), 0, 0, 0);
	check(ASK("[" SOURCE("application/pdf", "\"AAAAAAAA\"") "]"), 10, 0, 10);
	check(ASK("[" SOURCE("image/png", "\"AAAA\"") "]"), 6, 1, 0);
	check(ASK("[" IMAGE("{\"type\":\"url\",\"url\":\"https://a/b\"}") "]"), 0, 1, 0);
	check(ASK("[{\"type\":\"tool_result\",\"tool_use_id\":\"t\",\"content\":[" IMAGE(
		  "{\"type\":\"base64\",\"media_type\":\"image/jpeg\",\"data\":\"AA\"}") "]}]"),
	      4, 1, 0);
	check(ASK("[{\"type\":\"other\",\"source\":{\"type\":\"base64\",\"data\":7}},{\"type\":\"odd\",\"source\":1}]"),
	      0, 0, 0);
}

static void a_request_needs_a_model_and_messages_and_no_limit_of_tokens(void **state)
{
	struct world world;
	(void)state;
	assert_false(read(&world, "{\"model\":\"m\"}"));
	assert_true(span_is(world.findings.list[0].param, "messages"));
	assert_true(span_is(world.size.model, "m"));
	arena_fini(&world.arena);
	assert_false(read(&world, "{"));
	assert_int_equal(world.findings.list[0].code, ERROR_INVALID_JSON);
	assert_null(world.size.model.at);
	arena_fini(&world.arena);
}

static void the_answer_has_one_number(void **state)
{
	struct buf out;
	(void)state;
	buf_init(&out, 64);
	anthropic_count_write(&out, 4711);
	assert_true(span_is(buf_span(&out), "{\"input_tokens\":4711}"));
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(text_counts_by_its_bytes_and_bytes_of_files_do_not),
	    cmocka_unit_test(a_request_needs_a_model_and_messages_and_no_limit_of_tokens),
	    cmocka_unit_test(the_answer_has_one_number),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
