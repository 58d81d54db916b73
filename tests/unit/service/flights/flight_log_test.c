/* SPDX-License-Identifier: MIT */
/* The log of a shared flight: what it is charged, and that a client that may hold no more still gets what was read. */
#include "service/flights/flight_log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/ledger.h"

enum { KIB = 1 << 10, MIB = 1 << 20, PARTY = 3 };

static char bytes[MIB];
static struct flight_log events;

static int set_up(void **state)
{
	(void)state;
	ledger_set_ceiling((size_t)16 * MIB);
	flight_log_init(&events, PARTY);
	return 0;
}

/* Nothing may be left behind by a test. */
static int tear_down(void **state)
{
	(void)state;
	flight_log_fini(&events);
	assert_int_equal(ledger_taken(), 0);
	ledger_set_ceiling(0);
	return 0;
}

static bool add(size_t len)
{
	const struct event event = {.kind = EVENT_CHUNK, .data = {bytes, len}, .raw = {bytes, len}};
	struct flight_record *record = flight_log_copy(&events, &event);
	if (record != NULL)
		flight_log_append(&events, record);
	return record != NULL;
}

/* Has the client hold all that it may. Returns the bytes. */
static size_t exhaust(void)
{
	size_t held = 0;
	for (size_t step = MIB; step > 0; step /= 2)
		while (ledger_grow(PARTY, step))
			held += step;
	return held;
}

static void a_log_is_charged_what_it_holds_beyond_the_first_block(void **state)
{
	(void)state;
	assert_true(add(KIB));
	assert_int_equal(ledger_held(PARTY), 0);
	for (int i = 0; i < 300; i++) {
		assert_true(add(10 * KIB));
		assert_in_range(ledger_held(PARTY) + LEDGER_BLOCK, events.bytes, events.bytes + (size_t)64 * KIB);
	}
	flight_log_forget(&events, events.count - 1);
	assert_in_range(ledger_held(PARTY), 0, 64 * KIB);
}

static void what_was_read_is_taken_of_a_client_that_may_hold_no_more(void **state)
{
	(void)state;
	size_t held = exhaust();
	for (int i = 0; i < 30; i++)
		assert_true(add(KIB));
	assert_in_range(ledger_held(PARTY), held + 1, held + events.bytes);
	flight_log_forget(&events, UINT64_MAX);
	ledger_give(PARTY, held);
}

static void an_event_beyond_one_step_is_refused_to_a_client_that_may_hold_no_more(void **state)
{
	(void)state;
	size_t held = exhaust();
	assert_false(add(LEDGER_BLOCK + LEDGER_STEP));
	assert_int_equal(ledger_held(PARTY), held);
	ledger_give(PARTY, held);
	assert_true(add(LEDGER_BLOCK + LEDGER_STEP));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_log_is_charged_what_it_holds_beyond_the_first_block, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(what_was_read_is_taken_of_a_client_that_may_hold_no_more, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(an_event_beyond_one_step_is_refused_to_a_client_that_may_hold_no_more,
					    set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
