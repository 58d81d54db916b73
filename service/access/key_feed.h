/* SPDX-License-Identifier: MIT */
/*
 * How the copy of the store's keys gets from the keeper's thread to the workers: the newest copy, and when the store
 * last said that it is the newest. A worker that holds the newest one asks no lock.
 */
#ifndef SLUICE_SERVICE_ACCESS_KEY_FEED_H
#define SLUICE_SERVICE_ACCESS_KEY_FEED_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

struct key_copy;

struct key_feed {
	pthread_mutex_t lock;
	struct key_copy *copy;         /* under the lock; NULL = the store was never read */
	_Atomic uint64_t serial;       /* changes with the copy */
	_Atomic uint64_t confirmed_us; /* on the monotonic clock; 0 = never */
};

void key_feed_init(struct key_feed *feed);
void key_feed_fini(struct key_feed *feed);

/* Gives out another copy from now on. Adds a reference. */
void key_feed_publish(struct key_feed *feed, struct key_copy *copy);

/* The store had nothing else at that time. */
static inline void key_feed_confirm(struct key_feed *feed, uint64_t time_us)
{
	atomic_store_explicit(&feed->confirmed_us, time_us, memory_order_release);
}

/* What one thread has of a feed. Zero-initialised. */
struct key_view {
	struct key_copy *copy;
	uint64_t serial;
};

/* Takes the newest copy, when it is another one. */
void key_view_take(struct key_view *view, struct key_feed *feed);

static inline void key_view_refresh(struct key_view *view, struct key_feed *feed)
{
	if (atomic_load_explicit(&feed->serial, memory_order_acquire) != view->serial)
		key_view_take(view, feed);
}

void key_view_fini(struct key_view *view);

#endif
