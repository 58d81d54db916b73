/* SPDX-License-Identifier: MIT */
/* Keys: what they are made of; key_property_test.c shows that each member of a request counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "schemas/openai/cacheable.h"
#include "service/cache/key.h"

static struct arena arena;
static struct config_backend backend = {.name = "b", .url = "http://b/v1"};
static struct config_plan plan = {.backend = &backend, .target = "b/m", .target_model = "m"};
static struct config_model model = {.name = "m", .plan = &plan, .cache = {.revision = ""}};

static struct cache_key key_with(enum endpoint endpoint, const char *body, const char *tenant)
{
	struct request request;
	struct findings findings = {.count = 0};
	struct cache_key key;
	struct buf canonical;
	struct span text = arena_copy(&arena, span_of(body));
	buf_init(&canonical, 65536);
	if (!openai_request_decode(&request, endpoint, &arena, text, &JSON_DEPTH(64), &findings))
		fail_msg("%s: %.*s", body, SPAN_ARG(findings.list[0].message));
	openai_request_write_canonical(&request, &arena, &canonical);
	struct key_parts parts = {
	    .tenant = span_of(tenant), .model = &model, .request = &request, .canonical = buf_span(&canonical)};
	assert_true(cache_key_compute(&parts, &key));
	buf_fini(&canonical);
	return key;
}

static struct cache_key key_of(const char *body)
{
	return key_with(ENDPOINT_CHAT, body, "");
}

static void expect(bool same, const char *a, const char *b)
{
	struct cache_key first = key_of(a), second = key_of(b);
	if ((cache_key_equal(&first, &second) != 0) != same)
		fail_msg("%s: %s and %s", same ? "differ" : "are the same", a, b);
}

#define MESSAGES "\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]"

static void the_same_in_other_words_has_the_same_key(void **state)
{
	static const char plain[] = "{\"model\":\"m\"," MESSAGES ",\"temperature\":0,\"logit_bias\":{\"1\":2,\"3\":4}}";
	(void)state;
	expect(true, plain,
	       "{ \"temperature\" : 0.0 , \"logit_bias\":{\"3\":4,\"1\":2.0},\n" MESSAGES ",\"model\":\"\\u006d\"}");
	expect(true, plain,
	       "{\"model\":\"m\"," MESSAGES ",\"temperature\":0e5,\"logit_bias\":{\"1\":2,\"3\":4},\"stream\":true,"
	       "\"stream_options\":{\"include_usage\":true},\"user\":\"u\",\"metadata\":{\"a\":\"b\"}}");
	/* an alias: what counts is the plan */
	expect(true, plain, "{\"model\":\"n\"," MESSAGES ",\"temperature\":0,\"logit_bias\":{\"1\":2,\"3\":4}}");
}

static void what_could_matter_does(void **state)
{
	static const char plain[] = "{\"model\":\"m\"," MESSAGES ",\"seed\":9007199254740993}";
	(void)state;
	expect(false, plain, "{\"model\":\"m\"," MESSAGES ",\"seed\":9007199254740992}");
	expect(false, plain, "{\"model\":\"m\"," MESSAGES ",\"seed\":9007199254740993,\"unheard\":null}");
	expect(false,
	       "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"user\",\"content\":"
	       "\"b\"}]}",
	       "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"b\"},{\"role\":\"user\",\"content\":"
	       "\"a\"}]}");
	expect(false, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"\\u00e9\"}]}",
	       "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"e\\u0301\"}]}");
}

static void differ(struct cache_key a, struct cache_key b)
{
	assert_false(cache_key_equal(&a, &b));
}

static void whose_and_where_matters(void **state)
{
	static const char body[] = "{\"model\":\"m\"," MESSAGES "}";
	const struct config_plan *children[] = {&plan};
	struct config_plan around = {.combinator = "fallback", .children = children, .child_count = 1};
	struct cache_key plain = key_of(body);
	(void)state;
	differ(plain, key_with(ENDPOINT_CHAT, body, "t"));
	differ(key_with(ENDPOINT_CHAT, body, "t"), key_with(ENDPOINT_CHAT, body, "u"));
	model.plan = &around;
	differ(plain, key_of(body));
	model.plan = &plan;
	backend.url = "http://c/v1";
	differ(plain, key_of(body));
	backend.url = "http://b/v1";
	model.cache.revision = "2";
	differ(plain, key_of(body));
	model.cache.revision = "";
	struct cache_key again = key_of(body);
	assert_true(cache_key_equal(&plain, &again));
}

static void keys_are_written_and_read(void **state)
{
	struct cache_key key = key_of("{\"model\":\"m\"," MESSAGES "}"), read;
	struct buf hex;
	(void)state;
	buf_init(&hex, 128);
	cache_key_write(&key, &hex);
	assert_int_equal(buf_len(&hex), 64);
	assert_true(cache_key_read(buf_span(&hex), &read));
	assert_true(cache_key_equal(&key, &read));
	assert_false(cache_key_read(SPAN("abc"), &read));
	assert_false(cache_key_read(SPAN("zz34567890123456789012345678901234567890123456789012345678901234"), &read));
	buf_fini(&hex);
}

static int set_up(void **state)
{
	(void)state;
	arena_init(&arena, 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_fini(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_same_in_other_words_has_the_same_key),
	    cmocka_unit_test(what_could_matter_does),
	    cmocka_unit_test(whose_and_where_matters),
	    cmocka_unit_test(keys_are_written_and_read),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
