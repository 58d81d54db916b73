/* SPDX-License-Identifier: MIT */
/* Numbers of keys in metrics are bounded, whatever keys there are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "schemas/metrics.h"
#include "service/access/key_metrics.h"

enum { KEYS = 5 };

static struct config_key_hash hashes[KEYS];
static struct config_key keys[KEYS];
static struct holder holders[KEYS];

static int setup(void **state)
{
	static const struct metrics_names none;
	(void)state;
	for (size_t i = 0; i < KEYS; i++) {
		snprintf(hashes[i].id, sizeof(hashes[i].id), "key0000%zu", i);
		keys[i] = (struct config_key){.hash = &hashes[i]};
		holders[i] = (struct holder){.key = &keys[i], .id = hashes[i].id, .count = 1};
	}
	return metrics_setup(1, &none) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	key_metrics_setup(0);
	metrics_teardown();
	return 0;
}

static const char *text(void)
{
	static struct buf out;
	buf_fini(&out);
	buf_init(&out, 1 << 20);
	metrics_write_prometheus(&out);
	buf_append(&out, (struct span){"", 1});
	return buf_span(&out).at;
}

static void has(const char *sample)
{
	if (strstr(text(), sample) == NULL)
		fail_msg("no %s", sample);
}

static void count(size_t key, enum error_code code)
{
	key_metrics_count(metrics_cells_of(0), key_metrics_of(&holders[key]), code);
}

static void the_first_keys_have_series_and_all_others_share_one(void **state)
{
	(void)state;
	key_metrics_setup(2);
	count(3, ERROR_NONE);
	count(1, ERROR_KEY_SCOPE);
	count(3, ERROR_NONE);
	count(0, ERROR_NONE);
	count(4, ERROR_NONE);
	key_metrics_count_tokens(metrics_cells_of(0), key_metrics_of(&holders[3]), 7, 11);
	key_metrics_count_tokens(metrics_cells_of(0), key_metrics_of(&holders[4]), -1, 13);
	has("sluice_key_requests_total{key=\"key00003\",code=\"200\"} 2\n");
	has("sluice_key_requests_total{key=\"key00001\",code=\"missing_scope\"} 1\n");
	has("sluice_key_requests_total{key=\"other\",code=\"200\"} 2\n");
	has("sluice_key_tokens_total{key=\"key00003\",type=\"prompt\"} 7\n");
	has("sluice_key_tokens_total{key=\"key00003\",type=\"completion\"} 11\n");
	has("sluice_key_tokens_total{key=\"other\",type=\"completion\"} 13\n");
	assert_null(strstr(text(), "key00000"));
	assert_null(strstr(text(), "key00004"));
}

static void another_holder_of_a_key_has_its_number(void **state)
{
	struct holder again = {.key = &keys[2], .id = hashes[2].id, .count = 1};
	(void)state;
	key_metrics_setup(METRICS_KEYS_MOST);
	for (size_t i = 0; i < KEYS; i++)
		assert_int_equal(key_metrics_of(&holders[i]), i + 1);
	assert_int_equal(key_metrics_of(&again), 3);
}

static void tokens_share_one_number_and_nobody_has_none(void **state)
{
	struct config_key rights = {.name = "corp:ann"};
	struct holder holder = {.key = &rights, .id = rights.name, .count = 1};
	(void)state;
	key_metrics_setup(1);
	assert_int_equal(key_metrics_of(&holder), METRICS_KEYS_TOKEN + 1);
	assert_int_equal(key_metrics_of(NULL), 0);
	key_metrics_count(metrics_cells_of(0), key_metrics_of(&holder), ERROR_NONE);
	key_metrics_count(metrics_cells_of(0), 0, ERROR_NONE);
	has("sluice_key_requests_total{key=\"token\",code=\"200\"} 1\n");
	assert_null(strstr(text(), "corp"));
	count(0, ERROR_NONE);
	has("sluice_key_requests_total{key=\"key00000\",code=\"200\"} 1\n");
}

static void nothing_is_counted_when_it_is_off(void **state)
{
	(void)state;
	key_metrics_setup(0);
	count(0, ERROR_NONE);
	key_metrics_count_tokens(metrics_cells_of(0), key_metrics_of(&holders[0]), 1, 1);
	assert_null(strstr(text(), "sluice_key_requests_total{"));
	assert_null(strstr(text(), "sluice_key_tokens_total{"));
}

static void as_many_keys_as_there_may_be_have_numbers_of_their_own(void **state)
{
	(void)state;
	key_metrics_setup(METRICS_KEYS_MOST);
	for (unsigned i = 0; i < METRICS_KEYS_MOST + 3; i++) {
		struct holder holder = {.key = &keys[0], .count = 1};
		char id[16];
		snprintf(id, sizeof(id), "many%04u", i);
		holder.id = id;
		uint32_t expected = i < METRICS_KEYS_MOST ? i : METRICS_KEYS_OTHER;
		assert_int_equal(key_metrics_of(&holder), expected + 1);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(the_first_keys_have_series_and_all_others_share_one),
	    TEST(another_holder_of_a_key_has_its_number),
	    TEST(tokens_share_one_number_and_nobody_has_none),
	    TEST(nothing_is_counted_when_it_is_off),
	    TEST(as_many_keys_as_there_may_be_have_numbers_of_their_own),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
