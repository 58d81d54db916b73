/* SPDX-License-Identifier: MIT */
/* The average latency of a target, and the live quantile of a model beside a sorted list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "service/health/latency.h"
#include "service/health/quantile.h"
#include "tests/unit/seed.h"

#define SECOND 1000000ull

/* ---- the average ---- */

/* A latency that is known. */
static struct latency known(uint64_t value_us)
{
	struct latency latency = {0};
	for (unsigned i = 0; i < LATENCY_SAMPLES; i++)
		latency_observe(&latency, value_us, SECOND);
	return latency;
}

static void the_first_samples_together_make_it_known(void **state)
{
	(void)state;
	struct latency latency = {0};
	assert_int_equal(latency_value(&latency, SECOND), 0);
	latency_observe(&latency, 20 * SECOND, SECOND); /* a cold start */
	latency_observe(&latency, 100000, SECOND);
	assert_int_equal(latency_value(&latency, SECOND), 0);
	latency_observe(&latency, 120000, SECOND);
	assert_int_equal(latency_value(&latency, SECOND), 100000);
}

static void one_slow_sample_moves_it_little(void **state)
{
	(void)state;
	struct latency latency = known(100000);
	latency_observe(&latency, 60 * SECOND, SECOND + 10000);
	assert_in_range(latency_value(&latency, SECOND + 10000), 100001, 110000);
	latency = known(100000);
	latency_observe(&latency, 60 * SECOND, 2 * SECOND);
	assert_in_range(latency_value(&latency, 2 * SECOND), 140000, 161000);
}

static void a_target_that_became_slow_is_known_soon(void **state)
{
	(void)state;
	struct latency latency = known(100000);
	for (unsigned i = 0; i < 8; i++)
		latency_observe(&latency, 2 * SECOND, (i + 2) * SECOND);
	assert_true(latency_value(&latency, 9 * SECOND) > 10 * 100000);
	struct latency busy = known(100000);
	for (unsigned i = 0; i < 100; i++)
		latency_observe(&busy, 2 * SECOND, SECOND + i * 1000);
	assert_true(latency_value(&busy, SECOND + 100000) > 10 * 100000);
}

static void faster_samples_bring_it_down(void **state)
{
	(void)state;
	struct latency latency = known(900000);
	latency_observe(&latency, 100000, SECOND);
	assert_true(latency_value(&latency, SECOND) > 850000);
	for (unsigned i = 1; i <= 100; i++)
		latency_observe(&latency, 100000, SECOND + i * SECOND);
	assert_in_range(latency_value(&latency, 101 * SECOND), 100000, 101000);
}

static void without_samples_it_fades(void **state)
{
	(void)state;
	struct latency latency = known(1000000);
	assert_in_range(latency_value(&latency, 11 * SECOND), 367000, 368000);
	assert_int_equal(latency_value(&latency, 3600 * SECOND), 0);
	latency_observe(&latency, 100000, 3600 * SECOND); /* it begins anew */
	assert_int_equal(latency_value(&latency, 3600 * SECOND), 0);
}

static void calls_that_were_given_up_raise_it_and_never_lower_it(void **state)
{
	(void)state;
	struct latency latency = known(100000);
	latency_exceeds(&latency, 50000, SECOND);
	assert_int_equal(latency_value(&latency, SECOND), 100000);
	latency_exceeds(&latency, 4 * SECOND, 2 * SECOND);
	assert_in_range(latency_value(&latency, 2 * SECOND), 140000, 161000);
	struct latency hidden = {0};
	for (unsigned i = 0; i < LATENCY_SAMPLES; i++)
		latency_exceeds(&hidden, 4 * SECOND, SECOND);
	assert_int_equal(latency_value(&hidden, SECOND), 4 * SECOND);
}

static void an_answer_within_one_tick_of_the_clock_is_known(void **state)
{
	(void)state;
	struct latency latency = known(0);
	assert_int_equal(latency_value(&latency, SECOND), LATENCY_LEAST_US);
	assert_true(latency_value(&latency, 21 * SECOND) > 0);
}

static void a_clock_that_is_behind_takes_nothing_back(void **state)
{
	(void)state;
	struct latency latency = {0};
	for (unsigned i = 0; i < LATENCY_SAMPLES; i++)
		latency_observe(&latency, 500000, 10 * SECOND);
	latency_observe(&latency, 400000, 9 * SECOND);
	assert_in_range(latency_value(&latency, 9 * SECOND), 490000, 500000);
	assert_int_equal(latency.at_us, 10 * SECOND);
}

/* ---- quantile ---- */

static int compare(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a;
	uint64_t right = *(const uint64_t *)b;
	return (left > right) - (left < right);
}

/* The quantile of a list, by sorting it: the smallest that percent of them do not exceed. */
static uint64_t exact(const uint64_t *samples, size_t count, unsigned percent)
{
	uint64_t sorted[4096];
	assert_true(count <= 4096);
	for (size_t i = 0; i < count; i++)
		sorted[i] = samples[i];
	qsort(sorted, count, sizeof(sorted[0]), compare);
	return sorted[(count * percent + 99) / 100 - 1];
}

static void too_few_samples_tell_nothing(void **state)
{
	(void)state;
	struct quantile quantile = {0};
	for (unsigned i = 0; i < QUANTILE_LEAST - 1; i++) {
		quantile_observe(&quantile, 100000, SECOND);
		assert_int_equal(quantile_value(&quantile, 95), 0);
	}
	quantile_observe(&quantile, 100000, SECOND);
	assert_in_range(quantile_value(&quantile, 95), 100000, 106250);
}

static void it_is_never_below_the_exact_one_and_less_than_a_sixteenth_above(void **state)
{
	(void)state;
	struct seed seed = seed_start();
	for (unsigned round = 0; round < 300; round++) {
		static struct quantile quantile;
		uint64_t samples[1000];
		size_t count = QUANTILE_LEAST + seed_below(&seed, 1000 - QUANTILE_LEAST);
		double spread = 1 + (double)seed_below(&seed, 12);
		quantile = (struct quantile){0};
		for (size_t i = 0; i < count; i++) {
			samples[i] = (uint64_t)(1100 * exp(spread * (double)seed_below(&seed, 1000) / 1000));
			quantile_observe(&quantile, samples[i], SECOND);
		}
		for (unsigned percent = 1; percent <= 100; percent++) {
			uint64_t want = exact(samples, count, percent);
			uint64_t got = quantile_value(&quantile, percent);
			if (got < want || (double)got > (double)want * 17 / 16)
				fail_msg("p%u of %zu: got %" PRIu64 ", exact %" PRIu64, percent, count, got, want);
		}
	}
}

static void times_beyond_its_range_count_as_its_ends(void **state)
{
	(void)state;
	struct quantile quantile = {0};
	for (unsigned i = 0; i < 50; i++)
		quantile_observe(&quantile, 0, SECOND);
	assert_int_equal(quantile_value(&quantile, 95), 1024);
	for (unsigned i = 0; i < 1000; i++)
		quantile_observe(&quantile, UINT64_MAX, SECOND);
	assert_in_range(quantile_value(&quantile, 95), 1u << 30, (1u << 30) + (1u << 26));
}

static void it_forgets_what_is_older_than_two_turns(void **state)
{
	(void)state;
	struct quantile quantile = {0};
	uint64_t now = SECOND;
	for (unsigned i = 0; i < 1000; i++)
		quantile_observe(&quantile, 8 * SECOND, now);
	for (unsigned i = 0; i < 300; i++) {
		now += SECOND;
		quantile_observe(&quantile, SECOND, now);
		assert_true(quantile_value(&quantile, 95) > (i < 119 ? 7 * SECOND : 0));
	}
	assert_in_range(quantile_value(&quantile, 95), SECOND, 1100000);
}

static void seldom_samples_are_kept_until_there_are_enough_new_ones(void **state)
{
	(void)state;
	struct quantile quantile = {0};
	for (unsigned i = 0; i < QUANTILE_LEAST; i++)
		quantile_observe(&quantile, 4 * SECOND, SECOND);
	quantile_observe(&quantile, SECOND, 36000 * SECOND);
	quantile_observe(&quantile, SECOND, 37000 * SECOND);
	assert_true(quantile_value(&quantile, 95) >= 4 * SECOND);
	for (unsigned i = 2; i < QUANTILE_LEAST; i++)
		quantile_observe(&quantile, SECOND, 36000 * SECOND);
	quantile_observe(&quantile, SECOND, 72000 * SECOND);
	assert_in_range(quantile_value(&quantile, 95), SECOND, 1100000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_first_samples_together_make_it_known),
	    cmocka_unit_test(one_slow_sample_moves_it_little),
	    cmocka_unit_test(a_target_that_became_slow_is_known_soon),
	    cmocka_unit_test(faster_samples_bring_it_down),
	    cmocka_unit_test(without_samples_it_fades),
	    cmocka_unit_test(calls_that_were_given_up_raise_it_and_never_lower_it),
	    cmocka_unit_test(an_answer_within_one_tick_of_the_clock_is_known),
	    cmocka_unit_test(a_clock_that_is_behind_takes_nothing_back),
	    cmocka_unit_test(too_few_samples_tell_nothing),
	    cmocka_unit_test(it_is_never_below_the_exact_one_and_less_than_a_sixteenth_above),
	    cmocka_unit_test(times_beyond_its_range_count_as_its_ends),
	    cmocka_unit_test(it_forgets_what_is_older_than_two_turns),
	    cmocka_unit_test(seldom_samples_are_kept_until_there_are_enough_new_ones),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
