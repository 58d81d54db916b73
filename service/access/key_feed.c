/* SPDX-License-Identifier: MIT */
/* Handing out copies; key_feed.h holds the contract. */
#include "service/access/key_feed.h"

#include "service/access/key_copy.h"

void key_feed_init(struct key_feed *feed)
{
	*feed = (struct key_feed){.copy = NULL};
	pthread_mutex_init(&feed->lock, NULL);
}

void key_feed_fini(struct key_feed *feed)
{
	key_copy_drop(feed->copy);
	pthread_mutex_destroy(&feed->lock);
}

void key_feed_publish(struct key_feed *feed, struct key_copy *copy)
{
	pthread_mutex_lock(&feed->lock);
	struct key_copy *before = feed->copy;
	feed->copy = key_copy_hold(copy);
	atomic_fetch_add_explicit(&feed->serial, 1, memory_order_release);
	pthread_mutex_unlock(&feed->lock);
	key_copy_drop(before);
}

void key_view_take(struct key_view *view, struct key_feed *feed)
{
	struct key_copy *before = view->copy;
	pthread_mutex_lock(&feed->lock);
	view->copy = key_copy_hold(feed->copy);
	view->serial = atomic_load_explicit(&feed->serial, memory_order_relaxed);
	pthread_mutex_unlock(&feed->lock);
	key_copy_drop(before);
}

void key_view_fini(struct key_view *view)
{
	key_copy_drop(view->copy);
	*view = (struct key_view){.copy = NULL};
}
