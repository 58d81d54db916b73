/* SPDX-License-Identifier: MIT */
/* The pool of helpers: who works, who is next, what is refused, and what becomes of jobs that nobody waits for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "service/loop/offload.h"

enum { TURN_US = 1000000, BIG = OFFLOAD_BYTES_MOST / 4 };

/* A job that waits at a gate, where it has one. */
struct probe {
	struct offload_job job; /* first */
	sem_t *gate;            /* NULL = none */
	sem_t *begun;           /* posted when the work begins; NULL = nobody waits */
	pthread_t worked_by;
	atomic_uint worked;
	unsigned done, refused, discarded;
	unsigned order; /* of its done among all */
};

static struct loop *loop;
static struct offload *offload;
static struct offload_port *port;
static unsigned answers;

static int set_up(void **state)
{
	(void)state;
	answers = 0;
	loop = loop_create();
	offload = offload_create(2);
	port = offload_port_create(offload, loop, NULL);
	return loop == NULL || offload == NULL || port == NULL;
}

static int tear_down(void **state)
{
	(void)state;
	assert_int_equal(offload_pending(port), 0);
	offload_port_destroy(port);
	offload_destroy(offload);
	loop_destroy(loop);
	return 0;
}

static void work(struct offload_job *job)
{
	struct probe *probe = (struct probe *)job;
	probe->worked_by = pthread_self();
	if (probe->begun != NULL)
		sem_post(probe->begun);
	if (probe->gate != NULL)
		sem_wait(probe->gate);
	atomic_fetch_add(&probe->worked, 1);
}

static void done(struct offload_job *job)
{
	struct probe *probe = (struct probe *)job;
	probe->done++;
	probe->refused += job->refused;
	probe->order = ++answers;
}

static void discard(struct offload_job *job)
{
	struct probe *probe = (struct probe *)job;
	probe->discarded++;
}

static void submit_as(struct probe *probe, struct offload_owner owner, size_t bytes)
{
	probe->job =
	    (struct offload_job){.work = work, .done = done, .discard = discard, .owner = owner, .bytes = bytes};
	offload_submit(port, &probe->job);
}

/* The only client of that network. */
static void submit(struct probe *probe, uint64_t network, size_t bytes)
{
	submit_as(probe, (struct offload_owner){network, 1}, bytes);
}

static void turn_until(const unsigned *count, unsigned wanted)
{
	while (*count < wanted)
		loop_turn(loop, TURN_US);
}

static void settle(void)
{
	while (offload_pending(port) > 0)
		loop_turn(loop, TURN_US);
}

static void work_is_done_on_another_thread_and_answered_on_the_loop(void **state)
{
	(void)state;
	struct probe probe = {.gate = NULL};
	submit(&probe, 1, 10);
	assert_int_equal(probe.done, 0);
	assert_int_equal(offload_pending(port), 1);
	turn_until(&probe.done, 1);
	assert_int_equal(atomic_load(&probe.worked), 1);
	assert_int_equal(probe.refused, 0);
	assert_false(pthread_equal(probe.worked_by, pthread_self()));
}

static void a_network_never_has_all_helpers_whatever_its_clients_are_called(void **state)
{
	(void)state;
	sem_t gate, begun;
	struct probe greedy[3] = {{.gate = &gate, .begun = &begun}, {.gate = &gate}, {.gate = &gate}};
	struct probe polite = {.gate = NULL};
	sem_init(&gate, 0, 0);
	sem_init(&begun, 0, 0);
	for (unsigned i = 0; i < 3; i++)
		submit_as(&greedy[i], (struct offload_owner){1, 100 + i}, 10);
	sem_wait(&begun);
	submit(&polite, 2, 10);
	turn_until(&polite.done, 1);
	assert_int_equal(polite.order, 1);
	for (int i = 0; i < 3; i++)
		sem_post(&gate);
	settle();
	for (int i = 0; i < 3; i++)
		assert_int_equal(greedy[i].order, i + 2);
	sem_destroy(&gate);
	sem_destroy(&begun);
}

/*
 * Both helpers are held by others until four jobs of one party and one of another are queued. names: the first party's
 * clients; network: the second one's.
 */
static void check_turns(unsigned names, uint64_t network)
{
	sem_t gate, begun;
	struct probe holders[2] = {{.gate = &gate, .begun = &begun}, {.gate = &gate, .begun = &begun}};
	struct probe greedy[4] = {{.gate = NULL}};
	struct probe polite = {.gate = NULL};
	sem_init(&gate, 0, 0);
	sem_init(&begun, 0, 0);
	for (unsigned i = 0; i < 2; i++) {
		submit(&holders[i], 100 + i, 10);
		sem_wait(&begun);
	}
	for (unsigned i = 0; i < 4; i++)
		submit_as(&greedy[i], (struct offload_owner){1, 10 + i % names}, 10);
	submit_as(&polite, (struct offload_owner){network, 2}, 10);
	sem_post(&gate); /* one helper goes on: greedy, polite, greedy, … */
	turn_until(&greedy[3].done, 1);
	assert_true(polite.order < greedy[1].order);
	assert_true(greedy[0].order < greedy[1].order && greedy[1].order < greedy[2].order);
	sem_post(&gate);
	settle();
	sem_destroy(&gate);
	sem_destroy(&begun);
}

static void networks_take_turns_however_many_clients_they_have(void **state)
{
	(void)state;
	check_turns(1, 2);
	check_turns(4, 2);
}

static void clients_of_one_network_take_turns(void **state)
{
	(void)state;
	check_turns(1, 1);
}

static void a_cancelled_job_is_discarded_at_once_or_when_its_work_ends(void **state)
{
	(void)state;
	sem_t gate, begun;
	struct probe running = {.gate = &gate, .begun = &begun}, queued = {.gate = NULL};
	sem_init(&gate, 0, 0);
	sem_init(&begun, 0, 0);
	submit(&running, 1, 10);
	submit(&queued, 1, 10);
	sem_wait(&begun);
	offload_cancel(&queued.job);
	assert_int_equal(queued.discarded, 1);
	offload_cancel(&running.job);
	assert_int_equal(running.discarded, 0);
	assert_int_equal(offload_pending(port), 1);
	sem_post(&gate);
	turn_until(&running.discarded, 1);
	assert_int_equal(running.done + queued.done, 0);
	assert_int_equal(atomic_load(&queued.worked), 0);
	sem_destroy(&gate);
	sem_destroy(&begun);
}

static void a_job_that_answered_may_be_cancelled_until_it_is_heard(void **state)
{
	(void)state;
	struct probe probe = {.gate = NULL};
	submit(&probe, 1, 10);
	while (atomic_load(&probe.worked) == 0)
		continue;
	offload_cancel(&probe.job);
	settle();
	assert_int_equal(probe.discarded, 1);
	assert_int_equal(probe.done, 0);
}

static void who_has_most_queued_makes_room_for_others(void **state)
{
	(void)state;
	sem_t gate, begun;
	struct probe holders[2] = {{.gate = &gate, .begun = &begun}, {.gate = &gate, .begun = &begun}};
	struct probe greedy[4] = {{.gate = NULL}};
	struct probe polite = {.gate = NULL}, more = {.gate = NULL};
	sem_init(&gate, 0, 0);
	sem_init(&begun, 0, 0);
	for (unsigned i = 0; i < 2; i++) {
		submit(&holders[i], 100 + i, 0);
		sem_wait(&begun);
	}
	for (int i = 0; i < 4; i++)
		submit(&greedy[i], 1, BIG);
	submit(&more, 1, BIG); /* its own share is the largest: nobody makes room */
	submit(&polite, 2, BIG);
	for (int i = 0; i < 2; i++)
		sem_post(&gate);
	settle();
	assert_int_equal(more.refused, 1);
	assert_int_equal(greedy[3].refused, 1);
	assert_int_equal(atomic_load(&greedy[3].worked), 0);
	assert_int_equal(polite.refused, 0);
	assert_int_equal(atomic_load(&polite.worked), 1);
	for (int i = 0; i < 3; i++)
		assert_int_equal(greedy[i].refused, 0);
	sem_destroy(&gate);
	sem_destroy(&begun);
}

/* The network's only job makes room for one of another client there. */
static void a_job_that_makes_room_within_its_network_leaves_it_in_order(void **state)
{
	(void)state;
	sem_t gate, begun;
	struct probe holders[2] = {{.gate = &gate, .begun = &begun}, {.gate = &gate, .begun = &begun}};
	struct probe large = {.gate = NULL}, small = {.gate = NULL}, later = {.gate = NULL};
	sem_init(&gate, 0, 0);
	sem_init(&begun, 0, 0);
	for (unsigned i = 0; i < 2; i++) {
		submit(&holders[i], 100 + i, BIG);
		sem_wait(&begun);
	}
	submit_as(&large, (struct offload_owner){7, 1}, 2 * (size_t)BIG);
	submit_as(&small, (struct offload_owner){7, 2}, BIG);
	submit_as(&later, (struct offload_owner){7, 3}, 1);
	for (int i = 0; i < 2; i++)
		sem_post(&gate);
	settle();
	assert_int_equal(large.refused, 1);
	assert_int_equal(atomic_load(&large.worked), 0);
	assert_int_equal(small.refused + later.refused, 0);
	assert_int_equal(atomic_load(&small.worked) + atomic_load(&later.worked), 2);
	sem_destroy(&gate);
	sem_destroy(&begun);
}

enum { MANY = 2000, CLIENTS = 7 };

static void many_jobs_of_many_clients_all_end_once(void **state)
{
	(void)state;
	struct probe *probes = calloc(MANY, sizeof(*probes));
	assert_non_null(probes);
	for (unsigned i = 0; i < MANY; i++) {
		submit_as(&probes[i], (struct offload_owner){i % 3, i % CLIENTS}, i);
		if (i % 3 == 0)
			offload_cancel(&probes[i].job);
		if (i % 50 == 0)
			loop_turn(loop, 0);
	}
	settle();
	for (unsigned i = 0; i < MANY; i++) {
		assert_int_equal(probes[i].done, i % 3 != 0);
		assert_int_equal(probes[i].discarded, i % 3 == 0);
	}
	free(probes);
}

static void json_is_heavy_by_its_size_or_by_its_values(void **state)
{
	(void)state;
	char *text = malloc(OFFLOAD_LARGE);
	assert_non_null(text);
	memset(text, ',', OFFLOAD_LARGE);
	assert_false(offload_is_heavy((struct span){text, OFFLOAD_SMALL}));
	assert_true(offload_is_heavy((struct span){text, OFFLOAD_SMALL + 1}));
	memset(text, 'a', OFFLOAD_LARGE);
	assert_false(offload_is_heavy((struct span){text, OFFLOAD_LARGE - 1}));
	assert_true(offload_is_heavy((struct span){text, OFFLOAD_LARGE}));
	memset(text + OFFLOAD_SMALL, ',', OFFLOAD_DENSE - 1);
	assert_false(offload_is_heavy((struct span){text, OFFLOAD_LARGE - 1}));
	text[0] = ',';
	assert_true(offload_is_heavy((struct span){text, OFFLOAD_LARGE - 1}));
	free(text);
}

#define POOL_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    POOL_TEST(work_is_done_on_another_thread_and_answered_on_the_loop),
	    POOL_TEST(a_network_never_has_all_helpers_whatever_its_clients_are_called),
	    POOL_TEST(networks_take_turns_however_many_clients_they_have),
	    POOL_TEST(clients_of_one_network_take_turns),
	    POOL_TEST(a_cancelled_job_is_discarded_at_once_or_when_its_work_ends),
	    POOL_TEST(a_job_that_answered_may_be_cancelled_until_it_is_heard),
	    POOL_TEST(who_has_most_queued_makes_room_for_others),
	    POOL_TEST(a_job_that_makes_room_within_its_network_leaves_it_in_order),
	    POOL_TEST(many_jobs_of_many_clients_all_end_once),
	    cmocka_unit_test(json_is_heavy_by_its_size_or_by_its_values),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
