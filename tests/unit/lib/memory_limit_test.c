/* SPDX-License-Identifier: MIT */
/* What control groups allow: files of both versions in a directory of the test. */
#include "lib/memory_limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PHYSICAL = 1000000 };

static char directory[] = "/tmp/sluice-memory-limit-XXXXXX";

/* Writes a file below the directory, and the directories above it. */
static void put(const char *path, const char *text)
{
	char full[512];
	int len = snprintf(full, sizeof full, "%s/%s", directory, path);
	for (char *at = full + strlen(directory) + 1; at < full + len; at++) {
		if (*at != '/')
			continue;
		*at = '\0';
		mkdir(full, 0700);
		*at = '/';
	}
	FILE *file = fopen(full, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static size_t limit(const char *groups)
{
	char file[512];
	put("groups", groups);
	snprintf(file, sizeof file, "%s/groups", directory);
	return memory_limit_of(file, directory, PHYSICAL);
}

static void the_least_limit_of_all_groups_around_the_process_holds(void **state)
{
	(void)state;
	put("a/b/c/memory.max", "max\n");
	put("a/b/memory.max", "5000\n");
	put("a/memory.max", "7000\n");
	assert_int_equal(limit("0::/a/b/c\n"), 5000);
	assert_int_equal(limit("0::/a\n"), 7000);
	put("memory.max", "3000\n"); /* in a container the process' own group looks like the root */
	assert_int_equal(limit("0::/\n"), 3000);
	assert_int_equal(limit("0::/a/b/c\n"), 3000);
	put("memory.max", "max\n");
	assert_int_equal(limit("0::/\n"), PHYSICAL);
}

static void groups_of_version_1_are_found_by_their_controller(void **state)
{
	(void)state;
	put("memory/x/memory.limit_in_bytes", "4000\n");
	put("memory/memory.limit_in_bytes", "9223372036854771712\n"); /* no limit */
	assert_int_equal(limit("3:cpu,cpuacct:/\n4:memory:/x\n0::/\n"), 4000);
	assert_int_equal(limit("4:cpu,memory:/x\n"), 4000);
	assert_int_equal(limit("4:cpu,memory2:/x\n"), PHYSICAL);
	assert_int_equal(limit("4:memory:/y\n"), PHYSICAL);
}

static void what_cannot_be_read_is_no_limit(void **state)
{
	(void)state;
	put("broken/memory.max", "many\n");
	put("zero/memory.max", "0\n");
	assert_int_equal(limit("0::/broken\n"), PHYSICAL);
	assert_int_equal(limit("0::/zero\n"), PHYSICAL);
	assert_int_equal(limit("0::/missing\n"), PHYSICAL);
	assert_int_equal(limit("nonsense\n:\n::\n"), PHYSICAL);
	assert_int_equal(memory_limit_of("/nonexistent", directory, PHYSICAL), PHYSICAL);
	assert_in_range(memory_limit(), 1, SIZE_MAX);
}

static int make_directory(void **state)
{
	(void)state;
	return mkdtemp(directory) == NULL;
}

static int remove_directory(void **state)
{
	char command[128];
	(void)state;
	snprintf(command, sizeof command, "rm -rf '%s'", directory);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_least_limit_of_all_groups_around_the_process_holds),
	    cmocka_unit_test(groups_of_version_1_are_found_by_their_controller),
	    cmocka_unit_test(what_cannot_be_read_is_no_limit),
	};
	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
