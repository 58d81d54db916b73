/* SPDX-License-Identifier: MIT */
/* The loop: descriptors, timers, tasks and messages of one worker, on real sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "schemas/metrics.h"
#include "service/loop/loop.h"

enum { TURN_US = 1000000 };

static struct loop *loop;
static struct reactor *reactor;
static int pair[2];
static unsigned calls;
static unsigned last_events;

static int set_up(void **state)
{
	(void)state;
	calls = last_events = 0;
	loop = loop_create();
	reactor = loop_reactor(loop);
	return loop == NULL || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) != 0;
}

static int tear_down(void **state)
{
	(void)state;
	close(pair[0]);
	close(pair[1]);
	loop_destroy(loop);
	return 0;
}

static void count_events(struct watch *watch, unsigned events)
{
	char bytes[16];
	calls++;
	last_events = events;
	while (read(watch->fd, bytes, sizeof(bytes)) > 0)
		continue;
}

static void a_ready_descriptor_calls_its_watch(void **state)
{
	(void)state;
	struct watch watch = {.on_ready = count_events};
	assert_true(reactor->ops->watch(reactor, &watch, pair[0], REACTOR_READ));
	loop_turn(loop, 0);
	assert_int_equal(calls, 0);
	assert_int_equal(write(pair[1], "x", 1), 1);
	loop_turn(loop, TURN_US);
	assert_int_equal(calls, 1);
	assert_int_equal(last_events, REACTOR_READ);
	reactor->ops->rewatch(reactor, &watch, 0);
	assert_int_equal(write(pair[1], "x", 1), 1);
	loop_turn(loop, 0);
	assert_int_equal(calls, 1);
	reactor->ops->unwatch(reactor, &watch);
}

static void a_peer_that_closes_is_told_once(void **state)
{
	(void)state;
	struct watch watch = {.on_ready = count_events};
	assert_true(reactor->ops->watch(reactor, &watch, pair[0], REACTOR_PEER_CLOSED));
	shutdown(pair[1], SHUT_WR);
	loop_turn(loop, TURN_US);
	loop_turn(loop, 0);
	assert_int_equal(calls, 1);
	assert_int_equal(last_events & REACTOR_PEER_CLOSED, REACTOR_PEER_CLOSED);
	reactor->ops->unwatch(reactor, &watch);
}

static struct watch twins[2];

static void remove_the_twin(struct watch *watch, unsigned events)
{
	(void)events;
	struct watch *twin = watch == &twins[0] ? &twins[1] : &twins[0];
	calls++;
	reactor->ops->unwatch(reactor, twin);
	reactor->ops->unwatch(reactor, watch);
}

static void a_watch_removed_by_the_same_batch_is_not_called(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		twins[i] = (struct watch){.on_ready = remove_the_twin};
		assert_true(reactor->ops->watch(reactor, &twins[i], pair[i], REACTOR_READ));
		assert_int_equal(write(pair[1 - i], "x", 1), 1);
	}
	loop_turn(loop, TURN_US);
	loop_turn(loop, 0);
	assert_int_equal(calls, 1);
}

static void count_timer(struct timer *timer)
{
	(void)timer;
	calls++;
}

static void a_timer_is_never_early(void **state)
{
	(void)state;
	struct timer timer = {0};
	uint64_t start = timers_refresh(&reactor->timers);
	assert_true(timer_start(&reactor->timers, &timer, 5500, count_timer));
	while (calls == 0)
		loop_turn(loop, TURN_US);
	assert_true(timers_refresh(&reactor->timers) - start >= 5500);
	assert_int_equal(calls, 1);
}

struct chain {
	struct task task;
	unsigned left;
};

static void run_again(struct task *task)
{
	struct chain *chain = (struct chain *)task;
	calls++;
	if (--chain->left > 0)
		task_queue(reactor, task);
}

static void each_turn_is_measured(void **state)
{
	(void)state;
	struct metrics_names names = {.models = NULL};
	assert_true(metrics_setup(1, &names));
	loop_measure(loop, metrics_cells_of(0));
	for (int i = 0; i < 3; i++)
		loop_turn(loop, 0);
	assert_int_equal(metrics_sum(METRIC_LOOP_TURN, 0, 0, 0), 3);
	loop_measure(loop, NULL);
	metrics_teardown();
}

static void tasks_run_until_none_is_left(void **state)
{
	(void)state;
	struct chain chain = {.task.run = run_again, .left = 5};
	task_queue(reactor, &chain.task);
	task_queue(reactor, &chain.task);
	loop_turn(loop, 0);
	assert_int_equal(calls, 5);
}

struct post {
	struct loop_message message;
	pthread_t ran_on;
};

static void note_thread(struct loop_message *message)
{
	((struct post *)message)->ran_on = pthread_self();
	calls++;
	if (calls == 100)
		loop_stop(loop);
}

static struct post posts[100];

static void *post_all(void *unused)
{
	(void)unused;
	for (int i = 0; i < 100; i++) {
		posts[i].message.run = note_thread;
		loop_post(loop, &posts[i].message);
	}
	return NULL;
}

static void messages_of_other_threads_run_on_the_loops(void **state)
{
	(void)state;
	pthread_t thread;
	assert_int_equal(pthread_create(&thread, NULL, post_all, NULL), 0);
	loop_run(loop);
	pthread_join(thread, NULL);
	for (int i = 0; i < 100; i++)
		assert_true(pthread_equal(posts[i].ran_on, pthread_self()));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_ready_descriptor_calls_its_watch, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_peer_that_closes_is_told_once, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_watch_removed_by_the_same_batch_is_not_called, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_timer_is_never_early, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(tasks_run_until_none_is_left, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(each_turn_is_measured, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(messages_of_other_threads_run_on_the_loops, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
