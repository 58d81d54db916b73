/* SPDX-License-Identifier: MIT */
/* An arena that each test finds empty; pass setup and teardown to cmocka. Header only. */
#ifndef SLUICE_TESTS_UNIT_ARENA_FIXTURE_H
#define SLUICE_TESTS_UNIT_ARENA_FIXTURE_H

#include "lib/arena.h"

static struct arena arena;

static int setup(void **state)
{
	(void)state;
	arena_init(&arena, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_fini(&arena);
	return 0;
}

#endif
