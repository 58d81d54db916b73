/* SPDX-License-Identifier: MIT */
/* The reactor's tasks: order, queueing once, dropping, and tasks that queue tasks. */
#include "lib/reactor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { TASKS = 26 };

static struct reactor reactor;
static struct task pool[TASKS];
static char ran[256];
static size_t ran_len;

static void run(struct task *task)
{
	assert_false(task_is_queued(task));
	ran[ran_len++] = (char)('a' + (task - pool));
	ran[ran_len] = '\0';
}

/* b drops c and queues a again. */
static void run_b(struct task *task)
{
	run(task);
	task_drop(&reactor, &pool[2]);
	task_queue(&reactor, &pool[0]);
}

static int setup(void **state)
{
	(void)state;
	reactor_init(&reactor, NULL, NULL, NULL);
	for (int i = 0; i < TASKS; i++)
		pool[i] = (struct task){.run = run};
	ran_len = 0;
	ran[0] = '\0';
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	reactor_fini(&reactor);
	return 0;
}

static void tasks_run_once_in_order(void **state)
{
	(void)state;
	task_queue(&reactor, &pool[2]);
	task_queue(&reactor, &pool[0]);
	task_queue(&reactor, &pool[2]);
	task_queue(&reactor, &pool[1]);
	reactor_run_tasks(&reactor);
	reactor_run_tasks(&reactor);
	assert_string_equal(ran, "cab");
}

static void a_task_may_queue_and_drop_others(void **state)
{
	(void)state;
	pool[1].run = run_b;
	for (int i = 0; i < 4; i++)
		task_queue(&reactor, &pool[i]);
	reactor_run_tasks(&reactor);
	assert_string_equal(ran, "abda");
}

static void dropping_keeps_the_order_of_the_rest(void **state)
{
	(void)state;
	unsigned seed = (unsigned)time(NULL);
	print_message("seed %u\n", seed);
	srand(seed);
	for (int round = 0; round < 2000; round++) {
		char want[TASKS + 1] = {0};
		ran_len = 0;
		ran[0] = '\0';
		for (int step = 0; step < 60; step++) {
			int i = rand() % TASKS;
			char letter = (char)('a' + i);
			char *found = strchr(want, letter);
			if (rand() % 3 != 0) {
				task_queue(&reactor, &pool[i]);
				if (found == NULL)
					want[strlen(want)] = letter;
			} else {
				task_drop(&reactor, &pool[i]);
				if (found != NULL)
					memmove(found, found + 1, strlen(found));
			}
			assert_int_equal(task_is_queued(&pool[i]), strchr(want, letter) != NULL);
		}
		reactor_run_tasks(&reactor);
		assert_string_equal(ran, want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(tasks_run_once_in_order, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_task_may_queue_and_drop_others, setup, teardown),
	    cmocka_unit_test_setup_teardown(dropping_keeps_the_order_of_the_rest, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
