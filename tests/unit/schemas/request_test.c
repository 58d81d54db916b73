/* SPDX-License-Identifier: MIT */
/* Requests with several holders: what was decoded stays as long as one of them holds it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/bytes.h"
#include "schemas/openai/dialect.h"
#include "schemas/request.h"

static const struct json_limits limits = {.depth = 64, .values = 1000};
static unsigned disposed;

static void dispose(struct bytes *bytes)
{
	disposed++;
	free((void *)bytes->span.at);
	free(bytes);
}

/* A body with one holder. */
static struct bytes *a_body(const char *text)
{
	size_t len = strlen(text);
	struct bytes *bytes = malloc(sizeof(*bytes));
	char *copy = malloc(len);
	assert_true(bytes != NULL && copy != NULL);
	bytes_init(bytes, (struct span){memcpy(copy, text, len), len}, dispose);
	return bytes;
}

#define CHAT(more) "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]" more "}"

static struct request *decoded(struct span body)
{
	struct findings findings = {.count = 0};
	struct request *request = request_create(&openai_dialect, ENDPOINT_CHAT, request_arena_most(body.len), 0);
	assert_non_null(request);
	assert_true(request_decode(request, body, &limits, &findings));
	return request;
}

static void a_request_and_its_body_stay_until_the_last_holder_goes(void **state)
{
	struct bytes *body = a_body(CHAT(",\"stream\":true"));
	(void)state;
	disposed = 0;
	struct request *request = decoded(body->span);
	request_keep_body(request, body);
	assert_ptr_equal(request_hold(request), request);
	request_drop(request);
	assert_int_equal(disposed, 0);
	assert_true(span_is(request->model, "m"));
	request_drop(request);
	assert_int_equal(disposed, 1);
	request_drop(NULL);
}

static void a_decoded_request_says_how_its_answer_is_wanted(void **state)
{
	struct span whole = SPAN(CHAT(""));
	struct span stream = SPAN(CHAT(",\"stream\":true,\"stream_options\":{\"include_usage\":true}"));
	(void)state;
	struct request *request = decoded(whole);
	assert_false(request->stream || request->include_usage);
	request_drop(request);
	request = decoded(stream);
	assert_true(request->stream && request->include_usage);
	request_drop(request);
}

static void requests_have_the_same_checksum_when_their_bodies_are_the_same(void **state)
{
	struct span plain = SPAN(CHAT("")), spaced = SPAN(CHAT(" "));
	(void)state;
	struct request *one = decoded(plain), *same = decoded(plain), *other = decoded(spaced);
	assert_memory_equal(request_checksum(one), request_checksum(same), HASH_CHECKSUM_SIZE);
	assert_memory_not_equal(request_checksum(one), request_checksum(other), HASH_CHECKSUM_SIZE);
	request_drop(one);
	request_drop(same);
	request_drop(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_request_and_its_body_stay_until_the_last_holder_goes),
	    cmocka_unit_test(a_decoded_request_says_how_its_answer_is_wanted),
	    cmocka_unit_test(requests_have_the_same_checksum_when_their_bodies_are_the_same),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
