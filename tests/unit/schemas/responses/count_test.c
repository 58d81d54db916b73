/* SPDX-License-Identifier: MIT */
/* What is measured of a Responses request whose tokens are to be counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "schemas/responses/count.h"

#define ASK(content) "{\"model\":\"m\",\"input\":[{\"role\":\"user\",\"content\":" content "}]}"
#define IMAGE(url) "{\"type\":\"input_image\",\"image_url\":\"" url "\"}"
#define KEPT_INPUT "{\"role\":\"user\",\"content\":\"One\"}"
#define KEPT_OUTPUT "{\"type\":\"message\",\"role\":\"assistant\",\"content\":[" IMAGE("data:AAAA") "]}"

struct world {
	struct arena arena;
	struct findings findings;
	struct input_size size;
};

static bool read(struct world *world, const char *body, const struct request_memory *memory)
{
	arena_init(&world->arena, 0);
	return responses_count_read(span_of(body), &JSON_DEPTH(64), memory, &world->arena, &world->findings,
				    &world->size);
}

/* bytes: of body that are not text. */
static void check(const char *body, size_t bytes, size_t images, size_t documents)
{
	struct world world;
	assert_true(read(&world, body, NULL));
	assert_true(span_is(world.size.model, "m"));
	assert_int_equal(world.size.text, strlen(body) - bytes);
	assert_int_equal(world.size.images, images);
	assert_int_equal(world.size.documents, documents);
	arena_fini(&world.arena);
}

static void text_counts_by_its_bytes_and_bytes_of_files_do_not(void **state)
{
	(void)state;
	check("{\"model\":\"m\",\"input\":\"hello\"}", 0, 0, 0);
	check(ASK("[{\"type\":\"input_text\",\"text\":\"hello\"}]"), 0, 0, 0);
	check(ASK("[" IMAGE("data:image/png;base64,AAAA") "," IMAGE("https://a/b") "]"), 26 + 11, 2, 0);
	check(ASK("[{\"type\":\"input_file\",\"file_data\":\"data:AA\"}]"), 7, 0, 7);
	check(ASK("[{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"AAAA\",\"format\":\"wav\"}}]"), 4, 0, 4);
	check(ASK("[{\"type\":\"other\",\"image_url\":\"AAAA\"},{\"type\":\"input_video\",\"file_data\":7}]"), 0, 0, 0);
	/* what a tool returned */
	check("{\"model\":\"m\",\"input\":[{\"type\":\"function_call_output\",\"call_id\":\"c\",\"output\":[" IMAGE(
		  "data:AA") "]}]}",
	      7, 1, 0);
}

static void a_request_that_could_not_be_asked_is_not_counted(void **state)
{
	static const struct {
		const char *body, *param;
		enum error_code code;
	} rows[] = {
	    {"{", NULL, ERROR_INVALID_JSON},
	    {"{\"model\":\"m\"}", "input", ERROR_MISSING_PARAMETER},
	    {"{\"input\":\"x\"}", "model", ERROR_MISSING_PARAMETER},
	    {"{\"model\":\"m\",\"input\":\"x\",\"background\":true}", "background", ERROR_INVALID_VALUE},
	    {"{\"model\":\"m\",\"input\":\"x\",\"previous_response_id\":\"resp_1\"}", "previous_response_id",
	     ERROR_PREVIOUS_NOT_FOUND},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world world;
		assert_false(read(&world, rows[i].body, NULL));
		assert_int_equal(world.findings.list[0].code, rows[i].code);
		if (rows[i].param != NULL)
			assert_true(span_is(world.findings.list[0].param, rows[i].param));
		arena_fini(&world.arena);
	}
}

static bool find(const struct request_memory *memory, struct span id, struct arena *arena, struct request_kept *kept)
{
	(void)memory;
	(void)arena;
	if (!span_is(id, "resp_1"))
		return false;
	*kept = (struct request_kept){
	    .id = id, .answer = SPAN("{\"output\":[" KEPT_OUTPUT "]}"), .input = SPAN(KEPT_INPUT)};
	return true;
}

static void a_conversation_is_counted_with_its_earlier_turns(void **state)
{
	static const struct request_memory memory = {.find = find};
	struct world world;
	(void)state;
	assert_true(read(&world, "{\"model\":\"m\",\"input\":\"Two\",\"previous_response_id\":\"resp_1\"}", &memory));
	assert_true(span_is(world.size.model, "m"));
	assert_int_equal(world.size.images, 1);
	assert_in_range(world.size.text, strlen(KEPT_INPUT KEPT_OUTPUT), strlen(KEPT_INPUT KEPT_OUTPUT) + 100);
	arena_fini(&world.arena);
	assert_false(read(&world, "{\"model\":\"m\",\"input\":\"Two\",\"previous_response_id\":\"resp_2\"}", &memory));
	assert_int_equal(world.findings.list[0].code, ERROR_PREVIOUS_NOT_FOUND);
	arena_fini(&world.arena);
}

static void the_answer_has_its_type_and_one_number(void **state)
{
	struct buf out;
	(void)state;
	buf_init(&out, 256);
	responses_count_write(&out, 4711);
	assert_true(span_is(buf_span(&out), "{\"object\":\"response.input_tokens\",\"input_tokens\":4711}"));
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(text_counts_by_its_bytes_and_bytes_of_files_do_not),
	    cmocka_unit_test(a_request_that_could_not_be_asked_is_not_counted),
	    cmocka_unit_test(a_conversation_is_counted_with_its_earlier_turns),
	    cmocka_unit_test(the_answer_has_its_type_and_one_number),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
