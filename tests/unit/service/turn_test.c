/* SPDX-License-Identifier: MIT */
/* Turns of a loop: what is counted of them, and which are warned of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/step.h"
#include "service/loop/turn.h"

static int ends[2]; /* of the pipe that logs go to: reading, writing */
static char text[8192];

static int set_up(void **state)
{
	(void)state;
	struct metrics_names names = {.models = NULL};
	if (pipe2(ends, O_NONBLOCK) != 0 || !metrics_setup(1, &names))
		return 1;
	log_setup(ends[1], LOG_INFO);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	log_teardown();
	metrics_teardown();
	close(ends[0]);
	close(ends[1]);
	return 0;
}

static const char *written(void)
{
	ssize_t got = read(ends[0], text, sizeof(text) - 1);
	text[got < 0 ? 0 : got] = '\0';
	return text;
}

static void every_turn_is_counted_and_short_ones_are_not_warned_of(void **state)
{
	(void)state;
	struct turn turn = {.metrics = metrics_cells_of(0)};
	turn_note(&turn, 0, 0);
	turn_note(&turn, TURN_LONG_US - 1, 0);
	assert_int_equal(metrics_sum(METRIC_LOOP_TURN, 0, 0, 0), 2);
	assert_string_equal(written(), "");
}

static void a_long_turn_is_warned_of_with_its_step(void **state)
{
	(void)state;
	struct turn turn = {.metrics = metrics_cells_of(0)};
	step_hint("handshake");
	turn_note(&turn, 60000, 1);
	assert_non_null(strstr(written(), "\"level\":\"warn\""));
	assert_non_null(strstr(text, "\"duration_ms\":60.000,\"step\":\"handshake\",\"step_ms\":60.000,\"turns\":1"));
}

static void warnings_are_few_and_count_the_turns_between(void **state)
{
	(void)state;
	struct turn turn = {.metrics = NULL};
	turn_note(&turn, 60000, 1);
	assert_non_null(strstr(written(), "\"turns\":1"));
	for (int i = 0; i < 5; i++)
		turn_note(&turn, 70000, TURN_QUIET_US);
	assert_string_equal(written(), "");
	turn_note(&turn, 80000, TURN_QUIET_US + 1);
	assert_non_null(strstr(written(), "\"duration_ms\":80.000"));
	assert_non_null(strstr(text, "\"turns\":6"));
}

static void the_step_of_a_short_turn_is_not_blamed_for_a_later_one(void **state)
{
	(void)state;
	struct turn turn = {.metrics = NULL};
	step_hint("handshake");
	turn_note(&turn, 1000, 1);
	turn_note(&turn, 60000, 1);
	assert_non_null(strstr(written(), "\"step\":\"events\""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(every_turn_is_counted_and_short_ones_are_not_warned_of, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_long_turn_is_warned_of_with_its_step, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(warnings_are_few_and_count_the_turns_between, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(the_step_of_a_short_turn_is_not_blamed_for_a_later_one, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
