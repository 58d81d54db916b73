/* SPDX-License-Identifier: MIT */
/* Embeddings in parts: what is taken apart is put together again byte by byte, and what is odd is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "schemas/openai/cacheable.h"
#include "schemas/openai/embedding_cache.h"

enum { TEXT_MOST = 1 << 20, MANY = 64 };

static struct arena arena;
static struct buf text;

static int set_up(void **state)
{
	(void)state;
	arena_init(&arena, 0);
	buf_init(&text, TEXT_MOST);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_fini(&arena);
	buf_fini(&text);
	return 0;
}

static struct request request_of(const char *body)
{
	struct request request;
	struct findings findings = {.count = 0};
	if (!openai_request_decode(&request, ENDPOINT_EMBEDDINGS, &arena, span_of(body), &JSON_DEPTH(64), &findings))
		fail_msg("%s: %.*s", body, SPAN_ARG(findings.list[0].message));
	return request;
}

static void check_text(const char *want)
{
	struct span got = buf_span(&text);
	if (buf_failed(&text) || !span_is(got, want))
		fail_msg("%.*s\nis not %s", SPAN_ARG(got), want);
	buf_reset(&text);
}

static void check_inputs(const char *body, size_t count, const char *last)
{
	struct request request = request_of(body);
	struct embedding_inputs inputs;
	uint32_t nodes[MANY];
	bool apart = openai_inputs_read(&request, &inputs);
	assert_int_equal(apart, count > 0);
	assert_int_equal(openai_request_caching(&request), apart ? CACHING_GRADE_YES : CACHING_GRADE_INPUTS);
	if (!apart)
		return;
	assert_int_equal(inputs.count, count);
	openai_inputs_list(&inputs, nodes);
	assert_true(span_is(json_raw(&request.json, nodes[count - 1]), last));
}

static void inputs_are_told_apart_or_not_at_all(void **state)
{
	(void)state;
	check_inputs("{\"model\":\"m\",\"input\":\"a\"}", 1, "\"a\"");
	check_inputs("{\"model\":\"m\",\"input\":[\"a\"]}", 1, "\"a\"");
	check_inputs("{\"model\":\"m\",\"input\":[\"a\",\"b\",\"a\"]}", 3, "\"a\"");
	check_inputs("{\"model\":\"m\",\"input\":[1,2,3]}", 1, "[1,2,3]");
	check_inputs("{\"model\":\"m\",\"input\":[[1,2],[3]]}", 2, "[3]");
	check_inputs("{\"model\":\"m\",\"input\":[\"a\",[3]]}", 2, "[3]");
	check_inputs("{\"model\":\"m\",\"input\":[1,\"a\"]}", 0, "");
	check_inputs("{\"model\":\"m\",\"input\":[\"a\",1]}", 0, "");
	check_inputs("{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", 0, "");
	check_inputs("{\"model\":\"m\",\"input\":\"a\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", 0, "");
	check_inputs("{\"model\":\"m\",\"input\":\"a\",\"messages\":null}", 1, "\"a\"");
}

static void too_many_inputs_are_not_told_apart(void **state)
{
	(void)state;
	for (size_t more = 0; more < 2; more++) {
		struct embedding_inputs inputs;
		buf_reset(&text);
		buf_append(&text, SPAN("{\"model\":\"m\",\"input\":["));
		for (size_t i = 0; i < EMBEDDING_INPUTS_MOST + more; i++)
			buf_printf(&text, "%s\"%zu\"", i == 0 ? "" : ",", i);
		buf_append(&text, SPAN("]}"));
		buf_append(&text, (struct span){"", 1});
		struct request request = request_of(buf_span(&text).at);
		assert_int_equal(openai_inputs_read(&request, &inputs), more == 0);
	}
}

/* The canonical form of an input of a batch is that of a request for it alone. */
static void check_canonical(const char *batch, size_t index, const char *alone)
{
	struct request request = request_of(batch), single = request_of(alone);
	struct embedding_inputs inputs;
	struct embedding_frame frame;
	uint32_t nodes[MANY];
	struct buf want;
	buf_init(&want, TEXT_MOST);
	assert_true(openai_inputs_read(&request, &inputs));
	openai_inputs_list(&inputs, nodes);
	assert_true(openai_input_frame_make(&request, &arena, &frame));
	openai_input_write_canonical(&frame, &inputs, nodes[index], &arena, &text);
	openai_request_write_canonical(&single, &arena, &want);
	buf_append(&want, (struct span){"", 1});
	check_text(buf_span(&want).at);
	buf_fini(&want);
}

static void an_input_of_a_batch_looks_like_one_that_is_alone(void **state)
{
	(void)state;
	check_canonical("{\"model\":\"m\",\"input\":[\"a\",\"b\"]}", 1, "{\"input\":\"b\",\"model\":\"m\"}");
	check_canonical("{\"model\":\"m\",\"input\":[\"\\u0061\"]}", 0, "{\"input\":\"a\",\"model\":\"m\"}");
	check_canonical("{\"model\":\"m\",\"input\":[1,2.0]}", 0, "{\"input\":[1.0,2],\"model\":\"m\"}");
	check_canonical("{\"model\":\"m\",\"input\":[[1],[2]]}", 1, "{\"input\":[2],\"model\":\"m\"}");
	check_canonical(
	    "{\"user\":\"u\",\"\\u00e9\":1,\"zz\":2,\"inpuu\":3,\"inpu\":4,\"inputs\":5,\"a\":{\"user\":6},"
	    "\"dimensions\":8.0,\"\\u0069nput\":[\"x\",\"y\"],\"model\":\"m\"}",
	    0,
	    "{\"a\":{\"user\":6},\"inpu\":4,\"zz\":2,\"inputs\":5,\"input\":\"x\",\"model\":\"m\",\"inpuu\":3,"
	    "\"dimensions\":8,\"\\u00e9\":1}");
}

static void only_some_inputs_are_asked_for(void **state)
{
	struct request request =
	    request_of("{ \"model\" : \"m\", \"input\": [\"a\\u0041\", [1, 2],\"b\"] ,\"x\":9007199254740993}");
	struct embedding_inputs inputs;
	uint32_t nodes[3];
	(void)state;
	assert_true(openai_inputs_read(&request, &inputs));
	openai_inputs_list(&inputs, nodes);
	openai_inputs_write_request(&inputs, nodes, 2, &text);
	check_text("{ \"model\" : \"m\", \"input\": [\"a\\u0041\",[1, 2]] ,\"x\":9007199254740993}");
	openai_inputs_write_request(&inputs, nodes + 2, 1, &text);
	check_text("{ \"model\" : \"m\", \"input\": [\"b\"] ,\"x\":9007199254740993}");
}

#define ITEM(index, vector) "{\"object\":\"embedding\",\"index\":" #index ",\"embedding\":" vector "}"

static void what_is_kept_is_read_again(void **state)
{
	static const char *const models[] = {"\"m\"", "\"\"", "\"\\\\\"", "\"\\\",\\\"data\\\":[{\"", NULL};
	static const char members[] = "\"embedding\":[1,2],\"s\":\"],}\"";
	(void)state;
	for (size_t i = 0; i < 2 * sizeof(models) / sizeof(models[0]); i++) {
		const char *model = models[i / 2];
		struct usage usage = i % 2 == 0 ? (struct usage){7, -1, 8, -1, -1} : USAGE_UNKNOWN;
		struct embedding_vector vector = {.model = span_of(model), .members = span_of(members)}, read;
		struct json json;
		struct json_error error;
		openai_vector_write_kept(&vector, &usage, &text);
		assert_true(json_parse(&json, &arena, buf_span(&text), 64, &error));
		assert_true(openai_vector_read_kept(buf_span(&text), &read));
		assert_true(span_is(read.members, members));
		assert_true(model == NULL ? read.model.at == NULL : span_is(read.model, model));
		for (size_t cut = 0; cut < buf_len(&text); cut++)
			assert_false(openai_vector_read_kept((struct span){buf_span(&text).at, cut}, &read));
		buf_reset(&text);
	}
}

static void an_answer_is_put_together(void **state)
{
	struct usage usage = {3, -1, 5, -1, -1}, unknown = USAGE_UNKNOWN;
	(void)state;
	openai_vectors_write_head(&text);
	for (size_t i = 0; i < 2; i++) {
		openai_vectors_write_item_head(i, &text);
		buf_printf(&text, "\"embedding\":[%zu]", i);
		openai_vectors_write_item_tail(&text);
	}
	openai_vectors_write_tail(SPAN("\"m\""), &usage, &text);
	check_text("{\"object\":\"list\",\"data\":[" ITEM(0, "[0]") "," ITEM(
	    1, "[1]") "],\"model\":\"m\","
		      "\"usage\":{\"prompt_tokens\":3,\"total_tokens\":5}}");
	openai_vectors_write_tail((struct span){NULL, 0}, &unknown, &text);
	check_text("]}");
}

static void shares_add_up_to_the_total(void **state)
{
	uint64_t weights[MANY];
	int64_t shares[MANY];
	(void)state;
	srand(7);
	for (int round = 0; round < 2000; round++) {
		size_t count = 1 + (size_t)rand() % MANY;
		int64_t total = rand() % (round % 2 == 0 ? 10 : 1000000), sum = 0;
		for (size_t i = 0; i < count; i++)
			weights[i] = (uint64_t)rand() % (round % 3 == 0 ? 2 : 5000);
		usage_share_out(total, weights, count, shares);
		for (size_t i = 0; i < count; i++) {
			assert_true(shares[i] >= 0);
			sum += shares[i];
		}
		assert_int_equal(sum, total);
	}
	usage_share_out(9, (const uint64_t[]){4, 8, 24}, 3, shares);
	assert_int_equal(shares[0], 1);
	assert_int_equal(shares[1], 2);
	assert_int_equal(shares[2], 6);
	usage_share_out(-1, (const uint64_t[]){1, 1}, 2, shares);
	assert_int_equal(shares[1], -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(inputs_are_told_apart_or_not_at_all, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(too_many_inputs_are_not_told_apart, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(an_input_of_a_batch_looks_like_one_that_is_alone, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(only_some_inputs_are_asked_for, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(what_is_kept_is_read_again, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(an_answer_is_put_together, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(shares_add_up_to_the_total, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
