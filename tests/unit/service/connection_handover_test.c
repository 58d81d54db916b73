/* SPDX-License-Identifier: MIT */
/* Who gets the next connection, by how busy the workers were. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdatomic.h>

#include "service/connection_handover.h"

static void a_worker_keeps_its_connections_while_no_other_is_much_less_busy(void **state)
{
	static const unsigned even[] = {500, 500, 500}, close[] = {500, 251, 400}, busy[] = {1000, 800, 900};
	(void)state;
	for (size_t own = 0; own < 3; own++) {
		assert_int_equal(handover_pick(even, 3, own), own);
		assert_int_equal(handover_pick(close, 3, own), own);
		assert_int_equal(handover_pick(busy, 3, own), own);
	}
}

static void a_busy_worker_passes_on_to_the_least_busy_one(void **state)
{
	static const unsigned busy[] = {900, 300, 100, 640};
	(void)state;
	assert_int_equal(handover_pick(busy, 4, 0), 2);
	assert_int_equal(handover_pick(busy, 4, 3), 2);
	assert_int_equal(handover_pick(busy, 4, 1), 1);
	assert_int_equal(handover_pick(busy, 4, 2), 2);
}

static atomic_bool stops;

static void *spin(void *context)
{
	while (!atomic_load(&stops))
		continue;
	return context;
}

static void *rest(void *context)
{
	while (!atomic_load(&stops)) {
		struct timespec moment = {0, 5000000};
		nanosleep(&moment, NULL);
	}
	return context;
}

/* Waits until the thread has had 300 ms of a processor since, however many want one. */
static void spend(pthread_t thread)
{
	const struct timespec moment = {0, 5000000};
	struct timespec begun, now;
	clockid_t clock;
	assert_int_equal(pthread_getcpuclockid(thread, &clock), 0);
	clock_gettime(clock, &begun);
	do {
		nanosleep(&moment, NULL);
		clock_gettime(clock, &now);
	} while ((now.tv_sec - begun.tv_sec) * 1000 + (now.tv_nsec - begun.tv_nsec) / 1000000 < 300);
}

/* Two threads, of which the first one never rests; the connections that it accepts go to the other, in turn with it
 * once many have. */
static void the_clocks_of_threads_tell_who_is_busy(void **state)
{
	struct handover handover;
	pthread_t threads[2];
	(void)state;
	atomic_store(&stops, false);
	assert_int_equal(pthread_create(&threads[0], NULL, spin, NULL), 0);
	assert_int_equal(pthread_create(&threads[1], NULL, rest, NULL), 0);
	assert_true(handover_init(&handover, 2, 0));
	for (size_t i = 0; i < 2; i++)
		handover_meet(&handover, i, threads[i]);
	handover_choose(&handover, 1000000);
	spend(threads[0]);
	size_t passed = 0;
	for (int i = 0; i < 200; i++)
		passed += handover_choose(&handover, 1300000) == 1;
	atomic_store(&stops, true);
	for (size_t i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	assert_in_range(passed, 2, 190);
	handover_choose(&handover, 9000000); /* both have ended: harmless */
	handover_fini(&handover);
}

static void a_worker_that_is_alone_keeps_all(void **state)
{
	struct handover handover;
	(void)state;
	assert_true(handover_init(&handover, 1, 0));
	assert_int_equal(handover_choose(&handover, 5000000), 0);
	handover_fini(&handover);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_worker_keeps_its_connections_while_no_other_is_much_less_busy),
	    cmocka_unit_test(a_busy_worker_passes_on_to_the_least_busy_one),
	    cmocka_unit_test(the_clocks_of_threads_tell_who_is_busy),
	    cmocka_unit_test(a_worker_that_is_alone_keeps_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
