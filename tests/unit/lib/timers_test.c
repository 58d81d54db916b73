/* SPDX-License-Identifier: MIT */
/* Timers on a fake clock, compared with a naive list over random operations. */
#include "lib/timers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

enum { TIMERS = 200 };

static uint64_t fake_now;
static struct timers timers;
static struct timer pool[TIMERS];
static uint64_t naive_due[TIMERS]; /* 0 = stopped */
static uint64_t last_due;
static int fired;

static uint64_t fake_clock(void *context)
{
	(void)context;
	return fake_now;
}

static int setup(void **state)
{
	(void)state;
	fake_now = 1000;
	fired = 0;
	last_due = 0;
	for (int i = 0; i < TIMERS; i++) {
		pool[i] = (struct timer){0};
		naive_due[i] = 0;
	}
	timers_init(&timers, fake_clock, NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	timers_fini(&timers);
	return 0;
}

static void on_due(struct timer *timer)
{
	assert_false(timer_is_running(timer));
	size_t i = (size_t)(timer - pool);
	assert_true(naive_due[i] != 0 && naive_due[i] <= fake_now);
	assert_true(naive_due[i] >= last_due);
	last_due = naive_due[i];
	naive_due[i] = 0;
	fired++;
}

static void start(size_t i, uint64_t delay)
{
	assert_true(timer_start(&timers, &pool[i], delay, on_due));
	naive_due[i] = timers_now(&timers) + delay;
}

static void advance(uint64_t us)
{
	fake_now += us;
	timers_refresh(&timers);
	last_due = 0;
	timers_run(&timers);
}

static void a_timer_is_called_once_when_due(void **state)
{
	(void)state;
	start(0, 500);
	assert_int_equal(timers_wait(&timers), 500);
	advance(499);
	assert_int_equal(fired, 0);
	advance(1);
	assert_int_equal(fired, 1);
	advance(5000);
	assert_int_equal(fired, 1);
	assert_true(timers_wait(&timers) == UINT64_MAX);
}

static void a_stopped_timer_is_not_called(void **state)
{
	(void)state;
	start(0, 10);
	timer_stop(&timers, &pool[0]);
	timer_stop(&timers, &pool[0]);
	advance(100);
	assert_int_equal(fired, 0);
}

static void a_restarted_timer_forgets_its_old_deadline(void **state)
{
	(void)state;
	start(0, 10);
	start(0, 100);
	advance(50);
	assert_int_equal(fired, 0);
	advance(50);
	assert_int_equal(fired, 1);
}

static void on_due_again(struct timer *timer)
{
	fired++;
	timer_start(&timers, timer, 0, on_due_again);
}

static void a_timer_restarted_with_no_delay_waits_for_the_next_run(void **state)
{
	(void)state;
	timer_start(&timers, &pool[0], 0, on_due_again);
	timers_run(&timers);
	assert_int_equal(fired, 1);
	timers_run(&timers);
	assert_int_equal(fired, 2);
}

static void a_delay_without_end_does_not_wrap(void **state)
{
	(void)state;
	start(0, UINT64_MAX);
	advance(1000000);
	assert_int_equal(fired, 0);
	assert_true(timer_is_running(&pool[0]));
	naive_due[0] = 0;
}

static uint64_t naive_wait(void)
{
	uint64_t least = UINT64_MAX;
	for (int i = 0; i < TIMERS; i++)
		if (naive_due[i] != 0 && naive_due[i] < least)
			least = naive_due[i];
	if (least == UINT64_MAX)
		return least;
	return least > fake_now ? least - fake_now : 0;
}

static void random_operations_match_a_naive_list(void **state)
{
	(void)state;
	unsigned seed = (unsigned)time(NULL);
	print_message("seed %u\n", seed);
	srand(seed);
	for (int round = 0; round < 100000; round++) {
		size_t i = (size_t)rand() % TIMERS;
		switch (rand() % 4) {
		case 0:
		case 1:
			start(i, (uint64_t)rand() % 1000);
			break;
		case 2:
			timer_stop(&timers, &pool[i]);
			naive_due[i] = 0;
			break;
		default:
			advance((uint64_t)rand() % 100);
			for (int j = 0; j < TIMERS; j++)
				assert_true(naive_due[j] == 0 || naive_due[j] > fake_now);
		}
		assert_true(timers_wait(&timers) == naive_wait());
		assert_int_equal(timer_is_running(&pool[i]), naive_due[i] != 0);
	}
	assert_true(fired > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	    TEST(a_timer_is_called_once_when_due),
	    TEST(a_stopped_timer_is_not_called),
	    TEST(a_restarted_timer_forgets_its_old_deadline),
	    TEST(a_timer_restarted_with_no_delay_waits_for_the_next_run),
	    TEST(a_delay_without_end_does_not_wrap),
	    TEST(random_operations_match_a_naive_list),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
