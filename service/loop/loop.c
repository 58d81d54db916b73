/* SPDX-License-Identifier: MIT */
/*
 * h2o's evloop with a nested epoll descriptor in it. h2o sees one socket that
 * becomes readable when any foreign descriptor is ready; the events of that
 * descriptor are then fetched without waiting and handed to their watches.
 *
 * An event carries the watch's slot and the slot's generation, never a
 * pointer: a watch that was removed by an earlier callback of the same batch
 * is found missing instead of being called.
 */
#include "service/loop/loop.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <h2o.h>

#include "lib/container.h"
#include "lib/memory.h"
#include "lib/step.h"
#include "service/loop/turn.h"

enum { LOOP_EVENTS_PER_FETCH = 256, LOOP_MAX_WAIT_US = 600 * 1000000, LOOP_FIRST_INPUT = 4096, LOOP_SPARE_INPUTS = 4 };

struct loop_slot {
	struct watch *watch; /* NULL = free */
	uint32_t generation;
	uint32_t next_free; /* slot number + 1; 0 = end of the list */
};

struct loop {
	struct reactor reactor; /* first: a struct reactor * of a loop is the loop */
	h2o_evloop_t *h2o;
	int epoll;
	h2o_socket_t *epoll_socket;
	struct loop_slot *slots;
	uint32_t slot_count;
	uint32_t free_slot; /* slot number + 1; 0 = none */
	atomic_bool stopped;
	/* messages from other threads */
	pthread_mutex_t mutex;
	struct loop_message *messages;
	struct loop_message **messages_tail;
	int wake; /* eventfd */
	struct watch wake_watch;
	struct turn turn;
};

static struct loop *loop_of(struct reactor *reactor)
{
	return (struct loop *)reactor;
}

static uint32_t epoll_bits(unsigned interest)
{
	uint32_t bits = 0;
	if ((interest & REACTOR_READ) != 0)
		bits |= EPOLLIN;
	if ((interest & REACTOR_WRITE) != 0)
		bits |= EPOLLOUT;
	if ((interest & REACTOR_PEER_CLOSED) != 0)
		bits |= EPOLLRDHUP | EPOLLET;
	return bits;
}

static unsigned reactor_bits(uint32_t bits)
{
	unsigned events = 0;
	if ((bits & EPOLLIN) != 0)
		events |= REACTOR_READ;
	if ((bits & EPOLLOUT) != 0)
		events |= REACTOR_WRITE;
	if ((bits & (EPOLLHUP | EPOLLERR)) != 0)
		events |= REACTOR_ERROR;
	if ((bits & EPOLLRDHUP) != 0)
		events |= REACTOR_PEER_CLOSED;
	return events;
}

static bool slots_grow(struct loop *loop)
{
	uint32_t count = loop->slot_count == 0 ? 64 : loop->slot_count * 2;
	struct loop_slot *slots = realloc(loop->slots, count * sizeof(*slots));
	if (slots == NULL)
		return false;
	for (uint32_t i = loop->slot_count; i < count; i++)
		slots[i] = (struct loop_slot){.next_free = i + 1 < count ? i + 2 : 0};
	loop->free_slot = loop->slot_count + 1;
	loop->slots = slots;
	loop->slot_count = count;
	return true;
}

static struct epoll_event watch_event(const struct loop *loop, const struct watch *watch)
{
	uint64_t tag = (uint64_t)loop->slots[watch->slot - 1].generation << 32 | watch->slot;
	return (struct epoll_event){.events = epoll_bits(watch->interest), .data = {.u64 = tag}};
}

static bool loop_watch(struct reactor *reactor, struct watch *watch, int fd, unsigned interest)
{
	struct loop *loop = loop_of(reactor);
	if (loop->free_slot == 0 && !slots_grow(loop))
		return false;
	struct loop_slot *slot = &loop->slots[loop->free_slot - 1];
	watch->fd = fd;
	watch->interest = interest;
	watch->slot = loop->free_slot;
	struct epoll_event event = watch_event(loop, watch);
	if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
		watch->slot = 0;
		return false;
	}
	loop->free_slot = slot->next_free;
	slot->watch = watch;
	return true;
}

static void loop_rewatch(struct reactor *reactor, struct watch *watch, unsigned interest)
{
	struct loop *loop = loop_of(reactor);
	if (watch->slot == 0 || watch->interest == interest)
		return;
	watch->interest = interest;
	struct epoll_event event = watch_event(loop, watch);
	epoll_ctl(loop->epoll, EPOLL_CTL_MOD, watch->fd, &event);
}

static void loop_unwatch(struct reactor *reactor, struct watch *watch)
{
	struct loop *loop = loop_of(reactor);
	if (watch->slot == 0)
		return;
	/* h2o and curl may have closed the descriptor before they told us; then the kernel has forgotten it, and its
	 * number may be another worker's by now: not in this epoll, so nothing happens. The bare system call, because a
	 * thread sanitizer takes naming that number for a race. */
	syscall(SYS_epoll_ctl, loop->epoll, EPOLL_CTL_DEL, watch->fd, NULL);
	struct loop_slot *slot = &loop->slots[watch->slot - 1];
	slot->watch = NULL;
	slot->generation++;
	slot->next_free = loop->free_slot;
	loop->free_slot = watch->slot;
	watch->slot = 0;
}

/*
 * h2o keeps some freed blocks of its memory pools for each thread and never
 * gives them back; behind a load each keeps the pages it lies in. So a pool takes
 * them, and they are freed as the malloc()ed blocks that they are (h2o 2.2: the
 * first word of each points to the one before).
 */
static void drop_spare_chunks(void)
{
	enum { CHUNKS = 16, PIECES = 4, PIECE = 1000 /* larger ones get memory of their own */ };
	h2o_mem_pool_t pool;
	h2o_mem_init_pool(&pool);
	for (int i = 0; i < CHUNKS * PIECES; i++)
		h2o_mem_alloc_pool(&pool, PIECE);
	for (void *chunk = pool.chunks, *before; chunk != NULL; chunk = before) {
		before = *(void **)chunk;
		free(chunk);
	}
}

static void loop_rest(struct reactor *reactor)
{
	(void)reactor;
	struct step_mark before = step_enter("trim");
	drop_spare_chunks();
	memory_rest();
	step_leave(before);
}

static void loop_dispatch(struct loop *loop, const struct epoll_event *event)
{
	uint32_t number = (uint32_t)event->data.u64;
	const struct loop_slot *slot = &loop->slots[number - 1];
	if (slot->watch != NULL && slot->generation == event->data.u64 >> 32)
		slot->watch->on_ready(slot->watch, reactor_bits(event->events));
}

static void on_foreign_ready(h2o_socket_t *sock, const char *err)
{
	struct loop *loop = sock->data;
	struct epoll_event events[LOOP_EVENTS_PER_FETCH];
	if (err != NULL)
		return;
	int count = epoll_wait(loop->epoll, events, LOOP_EVENTS_PER_FETCH, 0);
	for (int i = 0; i < count; i++)
		loop_dispatch(loop, &events[i]);
}

static void on_wake(struct watch *watch, unsigned events)
{
	(void)events;
	struct loop *loop = container_of(watch, struct loop, wake_watch);
	uint64_t count = 0;
	if (read(loop->wake, &count, sizeof(count)) < 0 && errno != EAGAIN)
		return;
	pthread_mutex_lock(&loop->mutex);
	struct loop_message *message = loop->messages;
	loop->messages = NULL;
	loop->messages_tail = &loop->messages;
	pthread_mutex_unlock(&loop->mutex);
	while (message != NULL) {
		struct loop_message *next = message->next; /* the message may be gone after it ran */
		message->run(message);
		message = next;
	}
}

void loop_post(struct loop *loop, struct loop_message *message)
{
	message->next = NULL;
	pthread_mutex_lock(&loop->mutex);
	*loop->messages_tail = message;
	loop->messages_tail = &message->next;
	pthread_mutex_unlock(&loop->mutex);
	uint64_t one = 1;
	ssize_t written = write(loop->wake, &one, sizeof(one));
	(void)written; /* EAGAIN: the counter is full, the loop wakes anyway */
}

struct loop *loop_create(void)
{
	static const struct reactor_ops ops = {loop_watch, loop_rewatch, loop_unwatch, loop_rest};
	struct loop *loop = calloc(1, sizeof(*loop));
	if (loop == NULL)
		return NULL;
	reactor_init(&loop->reactor, &ops, NULL, NULL);
	loop->messages_tail = &loop->messages;
	pthread_mutex_init(&loop->mutex, NULL);
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	loop->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	loop->wake_watch.on_ready = on_wake;
	if (loop->epoll < 0 || loop->wake < 0 ||
	    !loop_watch(&loop->reactor, &loop->wake_watch, loop->wake, REACTOR_READ)) {
		loop_destroy(loop);
		return NULL;
	}
	loop->h2o = h2o_evloop_create();
	loop->epoll_socket = h2o_evloop_socket_create(loop->h2o, loop->epoll, H2O_SOCKET_FLAG_DONT_READ);
	loop->epoll_socket->data = loop;
	h2o_socket_read_start(loop->epoll_socket, on_foreign_ready);
	return loop;
}

void loop_destroy(struct loop *loop)
{
	if (loop->epoll_socket != NULL) {
		h2o_socket_close(loop->epoll_socket); /* closes loop->epoll */
		h2o_evloop_destroy(loop->h2o);
	} else if (loop->epoll >= 0) {
		close(loop->epoll);
	}
	if (loop->wake >= 0)
		close(loop->wake);
	pthread_mutex_destroy(&loop->mutex);
	reactor_fini(&loop->reactor);
	free(loop->slots);
	free(loop);
}

/*
 * Waits, and runs what is ready. Returns how long that ran without the wait, in milliseconds: h2o counts it for its own
 * averages, and moves its clock on to the end.
 */
static uint64_t run_h2o(struct loop *loop, int32_t wait_ms)
{
	const h2o_sliding_counter_t *counter = &loop->h2o->exec_time_counter;
	size_t slot = counter->prev.index;
	h2o_evloop_run(loop->h2o, wait_ms);
	return counter->prev.index != slot ? counter->prev.slots[slot] : 0;
}

void loop_turn(struct loop *loop, uint64_t max_wait_us)
{
	struct timers *timers = &loop->reactor.timers;
	uint64_t wait_us = timers_wait(timers);
	if (wait_us > max_wait_us)
		wait_us = max_wait_us;
	timers_stale(timers);
	/* rounded up, so that a timer is due when the wait is over */
	uint64_t passed_ms = run_h2o(loop, (int32_t)((wait_us + 999) / 1000));
	timers_run(timers);
	do {
		reactor_run_tasks(&loop->reactor);
		/* Writes of these tasks that are complete already must be called back now: the next pass may wait long,
		 * and it would keep polling one for writing whose callback is gone, and assert when it is ready. */
		h2o_timeout__do_post_callback(loop->h2o);
	} while (loop->reactor.tasks_head != NULL);
	turn_end(&loop->turn, h2o_now(loop->h2o), passed_ms);
}

void loop_run(struct loop *loop)
{
	/* of this thread; a connection keeps its first buffer as long as a request of it is being answered */
	h2o_socket_buffer_prototype._initial_buf.capacity = LOOP_FIRST_INPUT;
	/* spare ones are never given back: behind a load each of them keeps the pages it lies in */
	h2o_socket_buffer_prototype.allocator.max = LOOP_SPARE_INPUTS;
	while (!atomic_load_explicit(&loop->stopped, memory_order_relaxed))
		loop_turn(loop, LOOP_MAX_WAIT_US);
}

void loop_measure(struct loop *loop, struct metrics_cells *metrics)
{
	loop->turn.metrics = metrics;
}

void loop_stop(struct loop *loop)
{
	atomic_store_explicit(&loop->stopped, true, memory_order_relaxed);
}

struct reactor *loop_reactor(struct loop *loop)
{
	return &loop->reactor;
}

struct st_h2o_evloop_t *loop_h2o(struct loop *loop)
{
	return loop->h2o;
}
