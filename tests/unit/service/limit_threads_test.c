/* SPDX-License-Identifier: MIT */
/*
 * One limit shared by four threads with real loops: never more calls than
 * allowed, every waiter is told exactly once or left, and nothing remains.
 */
#include "lib/container.h"
#include "service/health/limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/seed.h"

enum { THREADS = 4, CALLERS = 16, ROUNDS = 150, CALLS = 5, QUEUE = 30 };

struct worker;

/* Makes one call after the other: enters, holds its place or changes its mind, and begins again. */
struct caller {
	struct limit_waiter waiter; /* first */
	struct timer timer;
	struct worker *worker;
	unsigned rounds;
	bool waits;
};

struct worker {
	struct loop *loop;
	pthread_t thread;
	struct seed seed;
	unsigned number;
	unsigned done; /* callers that made all their rounds */
	unsigned went, admitted, refused, full, left;
	struct caller callers[CALLERS];
};

static struct limit *limit;
static atomic_int running;
static atomic_int most_running;

static void caller_begin(struct caller *caller);

static uint64_t now_of(const struct caller *caller)
{
	return timers_now(&loop_reactor(caller->worker->loop)->timers);
}

static void caller_sleep(struct caller *caller, uint64_t most_us, timer_cb then)
{
	timer_start(&loop_reactor(caller->worker->loop)->timers, &caller->timer,
		    seed_below(&caller->worker->seed, most_us), then);
}

static void on_next_round(struct timer *timer)
{
	caller_begin(container_of(timer, struct caller, timer));
}

static void on_held(struct timer *timer)
{
	struct caller *caller = container_of(timer, struct caller, timer);
	running--;
	limit_leave(limit, caller->waiter.place, 0, false, now_of(caller));
	caller_sleep(caller, 200, on_next_round);
}

static void caller_hold(struct caller *caller)
{
	int now = ++running;
	int most = most_running;
	while (now > most && !atomic_compare_exchange_weak(&most_running, &most, now))
		continue;
	caller_sleep(caller, 400, on_held);
}

static void on_changed_mind(struct timer *timer)
{
	struct caller *caller = container_of(timer, struct caller, timer);
	limit_abandon(&caller->waiter, now_of(caller));
	memset(&caller->waiter, 0, sizeof(caller->waiter)); /* nobody may know it any more */
	caller->waits = false;
	caller->worker->left++;
	caller_begin(caller);
}

static void on_settled(struct limit_waiter *waiter, bool admitted)
{
	struct caller *caller = (struct caller *)waiter;
	assert_true(pthread_equal(pthread_self(), caller->worker->thread));
	assert_true(caller->waits);
	caller->waits = false;
	timer_stop(&loop_reactor(caller->worker->loop)->timers, &caller->timer);
	if (admitted) {
		caller->worker->admitted++;
		caller_hold(caller);
	} else {
		caller->worker->refused++;
		caller_begin(caller);
	}
}

static void caller_begin(struct caller *caller)
{
	struct worker *worker = caller->worker;
	if (caller->rounds++ == ROUNDS) {
		if (++worker->done == CALLERS)
			loop_stop(worker->loop);
		return;
	}
	caller->waiter.on_settled = on_settled;
	caller->waiter.loop = worker->loop;
	caller->waiter.party.client = worker->number; /* one client on each thread */
	caller->waiter.deadline_us = seed_below(&worker->seed, 8) == 0 ? now_of(caller) + 300 : 0;
	switch (limit_enter(limit, &caller->waiter, now_of(caller))) {
	case LIMIT_GO:
		worker->went++;
		caller_hold(caller);
		break;
	case LIMIT_QUEUED:
		caller->waits = true;
		if (seed_below(&worker->seed, 3) == 0)
			caller_sleep(caller, 1000, on_changed_mind);
		break;
	case LIMIT_FULL:
		worker->full++;
		caller_sleep(caller, 500, on_next_round);
	}
}

static void *worker_main(void *context)
{
	struct worker *worker = context;
	worker->thread = pthread_self();
	for (int i = 0; i < CALLERS; i++) {
		worker->callers[i].worker = worker;
		caller_begin(&worker->callers[i]);
	}
	loop_run(worker->loop);
	return NULL;
}

static void check_books(const struct worker *workers)
{
	struct limit_report report;
	unsigned ends = 0, places = 0, waits = 0;
	for (int i = 0; i < THREADS; i++) {
		const struct worker *worker = &workers[i];
		ends += worker->went + worker->admitted + worker->refused + worker->full + worker->left;
		places += worker->went + worker->admitted;
		waits += worker->admitted;
		assert_int_equal(loop_reactor(worker->loop)->timers.count, 0);
	}
	limit_report(limit, &report);
	assert_int_equal(ends, THREADS * CALLERS * ROUNDS);
	assert_true(places > 0 && waits > 0);
	assert_int_equal(report.running, 0);
	assert_int_equal(report.waiting, 0);
	assert_int_equal(running, 0);
	assert_in_range(most_running, 1, CALLS);
}

static void four_threads_share_a_limit(void **state)
{
	static struct worker workers[THREADS];
	struct config_concurrency options = {.calls = CALLS, .queue = QUEUE, .wait_us = 3000};
	struct seed seed = seed_start();
	(void)state;
	limit = limit_create(&options);
	for (unsigned i = 0; i < THREADS; i++) {
		workers[i].loop = loop_create();
		workers[i].number = i;
		workers[i].seed.state = seed.state + i;
		assert_non_null(workers[i].loop);
	}
	pthread_t threads[THREADS];
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, worker_main, &workers[i]), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	check_books(workers);
	for (int i = 0; i < THREADS; i++)
		loop_destroy(workers[i].loop);
	limit_drop(limit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(four_threads_share_a_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
