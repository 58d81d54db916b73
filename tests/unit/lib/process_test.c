/* SPDX-License-Identifier: MIT */
/* What the process asks the system for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/process.h"

/* In a child, so that the test itself can be looked into. */
static void a_process_that_refuses_dumps_leaves_none_and_still_counts_its_descriptors(void **state)
{
	int status = 0;
	(void)state;
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		double descriptors = 0;
		process_refuse_dumps();
		bool good = process_open_fds(&descriptors) && descriptors >= 1;
#if !defined(__SANITIZE_ADDRESS__) && !defined(__clang__)
		good = good && prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0;
#endif
		_exit(good ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_process_that_refuses_dumps_leaves_none_and_still_counts_its_descriptors),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
