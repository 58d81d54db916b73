/* SPDX-License-Identifier: MIT */
/*
 * The frame around one scenario: a directory of its own, and a tear-down that
 * ends every program and thread it started, shows the logs when it failed, and
 * fails it when a program ended badly.
 *
 *   static void a_sentence_that_can_fail(void **state) { … }
 *   const struct CMUnitTest tests[] = {SCENARIO(a_sentence_that_can_fail)};
 *   return cmocka_run_group_tests(tests, NULL, NULL);
 */
#ifndef SLUICE_TESTS_HARNESS_SCENARIO_H
#define SLUICE_TESTS_HARNESS_SCENARIO_H

struct scenario {
	const char *name;
	void (*run)(void **state);
};

#define SCENARIO(function)                                                                     \
	{                                                                                      \
#function, scenario_run, scenario_setup, scenario_teardown, &(struct scenario) \
		{                                                                              \
			.name = #function, .run = function                                     \
		}                                                                              \
	}

int scenario_setup(void **state);
void scenario_run(void **state);
int scenario_teardown(void **state);

/* The sentence that is being tested. */
const char *scenario_name(void);

/* The running scenario's directory; its files go when the scenario passed. */
const char *scenario_directory(void);

/* Has finish(object) called at tear-down, the latest first; also when the scenario failed. */
void scenario_defer(void (*finish)(void *object), void *object);

/* The path that an environment variable such as SLUICE_BIN names, or the usual one. */
const char *scenario_program(const char *variable, const char *usual);

#endif
