/* SPDX-License-Identifier: MIT */
/*
 * What every scenario needs from cmocka, with the headers cmocka wants before
 * it, and a few checks that print what they saw. Only for the main thread: a
 * failing cmocka check jumps.
 */
#ifndef SLUICE_TESTS_HARNESS_CHECK_H
#define SLUICE_TESTS_HARNESS_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/scenario/harness/bytes.h"

/* No assertion is about durations; this only ends a test that hangs. Milliseconds: a busy machine is not a hang. */
enum { HANG_GUARD_MS = 120000 };

/*
 * Loads of thousands are divided by this: 1, unless the build says otherwise (LOAD_DIVISOR in the Makefile). The
 * sanitizers' builds do: a request costs them several times as much, and finds what it finds in the first thousand.
 */
#ifndef LOAD_DIVISOR
#define LOAD_DIVISOR 1
#endif

/* CLOCK_MONOTONIC in microseconds, the clock all parts of a scenario share. */
uint64_t clock_us(void);

/* For loops that wait for another process: sleeps a moment, fails the test with what after the guard. */
struct patience {
	uint64_t until_us;
	const char *what;
};
struct patience patience_for(const char *what);
void patience_wait(struct patience *patience);

void check_contains(const struct bytes *text, const char *part);
void check_lacks(const struct bytes *text, const char *part);

/* Equal byte for byte; on failure shows where they part. */
void check_same(const void *got, size_t got_len, const void *want, size_t want_len);

/*
 * Fails when memory grew from before by more than most bytes. Sanitizers keep
 * what was freed for a while, so their builds are not judged.
 */
void check_memory(const char *what, size_t before, size_t after, size_t most);

#endif
