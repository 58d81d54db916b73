/* SPDX-License-Identifier: MIT */
/* Entries as bytes: what was written is read, and nothing else is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/cache/entry.h"

static const struct cache_entry sample = {.endpoint = ENDPOINT_COMPLETIONS,
					  .created = 1790000000,
					  .usage = {12, -1, 15, -1, -1},
					  .target = {"alpha/river-1", sizeof("alpha/river-1") - 1},
					  .finish = {"stop", sizeof("stop") - 1},
					  .body = {"{\"choices\":[]}", sizeof("{\"choices\":[]}") - 1},
					  .marks = {.id = {11, 13}, .created = {2, 9}}};

static struct buf bytes;

static int set_up(void **state)
{
	(void)state;
	buf_init(&bytes, 65536);
	cache_entry_encode(&sample, &bytes);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	buf_fini(&bytes);
	return 0;
}

static void what_was_written_is_read(void **state)
{
	struct cache_entry entry;
	(void)state;
	assert_true(cache_entry_decode(buf_span(&bytes), &entry));
	assert_int_equal(entry.endpoint, sample.endpoint);
	assert_int_equal(entry.created, sample.created);
	assert_int_equal(entry.usage.prompt_tokens, 12);
	assert_int_equal(entry.usage.completion_tokens, -1);
	assert_int_equal(entry.usage.total_tokens, 15);
	assert_true(span_equal(entry.target, sample.target));
	assert_true(span_equal(entry.finish, sample.finish));
	assert_true(span_equal(entry.body, sample.body));
	assert_memory_equal(&entry.marks, &sample.marks, sizeof(sample.marks));
}

static void marks_lie_within_the_body_and_apart(void **state)
{
	static const struct {
		struct answer_marks marks;
		bool good;
	} cases[] = {
	    {{{0, 0}, {0, 0}}, true},   {{{3, 5}, {0, 0}}, true},   {{{0, 14}, {14, 14}}, true},
	    {{{3, 5}, {5, 7}}, true},   {{{3, 15}, {0, 0}}, false}, {{{5, 3}, {0, 0}}, false},
	    {{{3, 5}, {4, 7}}, false},  {{{4, 7}, {3, 5}}, false},  {{{3, 9}, {4, 5}}, false},
	    {{{0, 0}, {0, 15}}, false}, {{{0, 0}, {9, 8}}, false},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cache_entry entry = sample, read;
		entry.marks = cases[i].marks;
		buf_reset(&bytes);
		cache_entry_encode(&entry, &bytes);
		assert_int_equal(cache_entry_decode(buf_span(&bytes), &read), cases[i].good);
	}
}

/* Whatever is read of damaged bytes lies within them. */
static void flipped_bits_lead_nowhere(void **state)
{
	struct cache_entry entry;
	struct span span = buf_span(&bytes);
	char *at = (char *)(uintptr_t)span.at;
	size_t refused = 0;
	(void)state;
	for (size_t bit = 0; bit < span.len * 8; bit++) {
		at[bit / 8] = (char)(at[bit / 8] ^ (1 << bit % 8));
		if (cache_entry_decode(span, &entry)) {
			assert_true(entry.body.at >= span.at && entry.body.at + entry.body.len == span.at + span.len);
			assert_true(entry.target.at >= span.at && entry.target.at <= span.at + span.len);
		} else {
			refused++;
		}
		at[bit / 8] = (char)(at[bit / 8] ^ (1 << bit % 8));
	}
	assert_true(refused >= 32 + 3 * 64 + 4 * 56); /* magic, version and lengths; of marks whatever lies outside */
	assert_true(cache_entry_decode(span, &entry));
}

static void every_cut_is_noticed(void **state)
{
	struct cache_entry entry;
	struct span span = buf_span(&bytes);
	(void)state;
	for (size_t len = 0; len < span.len; len++)
		assert_false(cache_entry_decode((struct span){span.at, len}, &entry));
	buf_append(&bytes, SPAN("x"));
	assert_false(cache_entry_decode(buf_span(&bytes), &entry));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(marks_lie_within_the_body_and_apart, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(what_was_written_is_read, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(flipped_bits_lead_nowhere, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(every_cut_is_noticed, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
