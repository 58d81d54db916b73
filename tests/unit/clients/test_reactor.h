/* SPDX-License-Identifier: MIT */
/* A reactor for tests: epoll, timers and tasks as in service/loop, without h2o. Header only. */
#ifndef SLUICE_TESTS_UNIT_CLIENTS_TEST_REACTOR_H
#define SLUICE_TESTS_UNIT_CLIENTS_TEST_REACTOR_H

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "lib/memory.h"
#include "lib/reactor.h"

enum { TEST_REACTOR_SLOTS = 4096, TEST_REACTOR_EVENTS = 256 };

struct test_reactor {
	struct reactor reactor; /* first */
	int epoll;
	uint64_t skew_us;  /* added to the clock: lets time pass at once */
	bool refuse;       /* watching fails, as without memory */
	size_t watched;    /* watches at present */
	unsigned long ctl; /* epoll_ctl calls made */
	struct {
		struct watch *watch;
		uint32_t generation;
	} slots[TEST_REACTOR_SLOTS];
};

static inline struct epoll_event test_reactor_event(const struct test_reactor *test, const struct watch *watch)
{
	uint32_t bits = 0;
	if ((watch->interest & REACTOR_READ) != 0)
		bits |= EPOLLIN;
	if ((watch->interest & REACTOR_WRITE) != 0)
		bits |= EPOLLOUT;
	uint64_t tag = (uint64_t)test->slots[watch->slot - 1].generation << 32 | watch->slot;
	return (struct epoll_event){.events = bits, .data = {.u64 = tag}};
}

static inline bool test_reactor_watch(struct reactor *reactor, struct watch *watch, int fd, unsigned interest)
{
	struct test_reactor *test = (struct test_reactor *)reactor;
	if (test->refuse)
		return false;
	for (unsigned i = 0; i < TEST_REACTOR_SLOTS; i++) {
		if (test->slots[i].watch != NULL)
			continue;
		watch->fd = fd;
		watch->interest = interest;
		watch->slot = i + 1;
		struct epoll_event event = test_reactor_event(test, watch);
		test->ctl++;
		if (epoll_ctl(test->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
			abort();
		test->slots[i].watch = watch;
		test->watched++;
		return true;
	}
	return false;
}

static inline void test_reactor_rewatch(struct reactor *reactor, struct watch *watch, unsigned interest)
{
	struct test_reactor *test = (struct test_reactor *)reactor;
	if (watch->slot == 0 || watch->interest == interest)
		return;
	watch->interest = interest;
	struct epoll_event event = test_reactor_event(test, watch);
	test->ctl++;
	if (epoll_ctl(test->epoll, EPOLL_CTL_MOD, watch->fd, &event) != 0)
		abort(); /* the descriptor was closed while watched */
}

static inline void test_reactor_unwatch(struct reactor *reactor, struct watch *watch)
{
	struct test_reactor *test = (struct test_reactor *)reactor;
	if (watch->slot == 0)
		return;
	test->ctl++;
	/* curl closes a socket that never connected behind our back: see clients/http/sockets.c */
	if (epoll_ctl(test->epoll, EPOLL_CTL_DEL, watch->fd, NULL) != 0 && errno != EBADF && errno != ENOENT)
		abort();
	test->slots[watch->slot - 1].watch = NULL;
	test->slots[watch->slot - 1].generation++;
	test->watched--;
	watch->slot = 0;
}

static inline void test_reactor_rest(struct reactor *reactor)
{
	(void)reactor;
	memory_rest();
}

static inline uint64_t test_reactor_clock(void *context)
{
	const struct test_reactor *test = context;
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000 + test->skew_us;
}

static inline struct test_reactor *test_reactor_create(void)
{
	static const struct reactor_ops ops = {test_reactor_watch, test_reactor_rewatch, test_reactor_unwatch,
					       test_reactor_rest};
	struct test_reactor *test = calloc(1, sizeof(*test));
	assert(test != NULL);
	reactor_init(&test->reactor, &ops, test_reactor_clock, test);
	test->epoll = epoll_create1(EPOLL_CLOEXEC);
	return test;
}

static inline void test_reactor_destroy(struct test_reactor *test)
{
	close(test->epoll);
	reactor_fini(&test->reactor);
	free(test);
}

static inline void test_reactor_dispatch(struct test_reactor *test, const struct epoll_event *event)
{
	uint32_t slot = (uint32_t)event->data.u64 - 1;
	struct watch *watch = test->slots[slot].watch;
	unsigned events = 0;
	if (watch == NULL || test->slots[slot].generation != event->data.u64 >> 32)
		return;
	if ((event->events & EPOLLIN) != 0)
		events |= REACTOR_READ;
	if ((event->events & EPOLLOUT) != 0)
		events |= REACTOR_WRITE;
	if ((event->events & (EPOLLHUP | EPOLLERR)) != 0)
		events |= REACTOR_ERROR;
	watch->on_ready(watch, events);
}

/* One turn that waits at most max_wait_us. */
static inline void test_reactor_turn(struct test_reactor *test, uint64_t max_wait_us)
{
	struct epoll_event events[TEST_REACTOR_EVENTS];
	struct timers *timers = &test->reactor.timers;
	uint64_t wait_us = timers_wait(timers);
	if (wait_us > max_wait_us)
		wait_us = max_wait_us;
	timers_stale(timers);
	int count = epoll_wait(test->epoll, events, TEST_REACTOR_EVENTS, (int)((wait_us + 999) / 1000));
	for (int i = 0; i < count; i++)
		test_reactor_dispatch(test, &events[i]);
	timers_run(timers);
	reactor_run_tasks(&test->reactor);
}

/* Turns for some time. */
static inline void test_reactor_run(struct test_reactor *test, uint64_t us)
{
	uint64_t end = timers_refresh(&test->reactor.timers) + us;
	for (uint64_t now = 0; (now = timers_refresh(&test->reactor.timers)) < end;)
		test_reactor_turn(test, end - now);
}

#endif
