/* SPDX-License-Identifier: MIT */
/* Requests that come again: the same bytes of the same client are known, and no others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "service/cache/repeats.h"

enum { LONG = 20000, MANY = 5000 };

static struct repeats *repeats;

static int set_up(void **state)
{
	(void)state;
	repeats = repeats_create();
	return repeats == NULL;
}

static int tear_down(void **state)
{
	(void)state;
	repeats_destroy(repeats);
	return 0;
}

static struct repeat sample(struct span tenant, struct span body)
{
	return (struct repeat){.endpoint = ENDPOINT_CHAT,
			       .tenant = tenant,
			       .body = body,
			       .key = {{7, 8, 9}},
			       .model_index = 3,
			       .stream = true};
}

static void what_was_noted_is_known(void **state)
{
	char body[] = "{\"model\":\"m\"}"; /* copied: it changes below */
	struct repeat repeat = sample(SPAN("Bearer a"), span_of(body));
	(void)state;
	repeats_note(repeats, &repeat);
	body[2] = 'x';
	const struct repeat *found = repeats_find(repeats, ENDPOINT_CHAT, SPAN("Bearer a"), SPAN("{\"model\":\"m\"}"));
	assert_non_null(found);
	assert_true(cache_key_equal(&found->key, &repeat.key));
	assert_int_equal(found->model_index, 3);
	assert_true(found->stream);
	assert_false(found->include_usage);
}

static void nothing_else_is(void **state)
{
	struct repeat repeat = sample(SPAN("Bearer a"), SPAN("{\"model\":\"m\"}"));
	(void)state;
	assert_null(repeats_find(repeats, ENDPOINT_CHAT, SPAN(""), SPAN("")));
	repeats_note(repeats, &repeat);
	assert_null(repeats_find(repeats, ENDPOINT_COMPLETIONS, repeat.tenant, repeat.body));
	assert_null(repeats_find(repeats, ENDPOINT_CHAT, SPAN("Bearer b"), repeat.body));
	assert_null(
	    repeats_find(repeats, ENDPOINT_CHAT, SPAN("Bearer a{"), SPAN("\"model\":\"m\"}"))); /* the same row */
	assert_null(repeats_find(repeats, ENDPOINT_CHAT, SPAN("Bearer a"), SPAN("{\"model\":\"m\"} ")));
	assert_null(repeats_find(NULL, ENDPOINT_CHAT, SPAN("Bearer a"), repeat.body));
}

static void every_flipped_bit_is_another_request(void **state)
{
	char body[200];
	(void)state;
	for (size_t i = 0; i < sizeof(body); i++)
		body[i] = (char)(i * 37);
	struct repeat repeat = sample(SPAN(""), (struct span){body, sizeof(body)});
	repeats_note(repeats, &repeat);
	for (size_t bit = 0; bit < sizeof(body) * 8; bit++) {
		body[bit / 8] = (char)(body[bit / 8] ^ (1 << bit % 8));
		assert_null(repeats_find(repeats, ENDPOINT_CHAT, SPAN(""), (struct span){body, sizeof(body)}));
		body[bit / 8] = (char)(body[bit / 8] ^ (1 << bit % 8));
	}
	assert_non_null(repeats_find(repeats, ENDPOINT_CHAT, SPAN(""), (struct span){body, sizeof(body)}));
}

static void long_ones_are_not_remembered(void **state)
{
	char *body = calloc(1, LONG);
	struct repeat repeat = sample(SPAN(""), (struct span){body, LONG});
	(void)state;
	repeats_note(repeats, &repeat);
	assert_null(repeats_find(repeats, ENDPOINT_CHAT, SPAN(""), repeat.body));
	free(body);
}

/* More than there are places: whatever is found is what was asked about. */
static void many_push_each_other_out(void **state)
{
	char body[32];
	size_t known = 0;
	(void)state;
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < MANY; i++) {
			int len = snprintf(body, sizeof(body), "request %d", i);
			struct repeat repeat = sample(SPAN("a"), (struct span){body, (size_t)len});
			repeat.model_index = (size_t)i;
			const struct repeat *found = repeats_find(repeats, ENDPOINT_CHAT, SPAN("a"), repeat.body);
			if (found != NULL)
				assert_int_equal(found->model_index, i);
			known += found != NULL;
			repeats_note(repeats, &repeat);
		}
	}
	assert_true(known < MANY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(what_was_noted_is_known, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(nothing_else_is, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(every_flipped_bit_is_another_request, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(long_ones_are_not_remembered, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(many_push_each_other_out, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
