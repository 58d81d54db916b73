/* SPDX-License-Identifier: MIT */
/* The list of an exchange's observers; observer.h holds the contract. */
#include "service/exchange/observer.h"

static struct observers *of_tap(struct run_tap *tap)
{
	return (struct observers *)tap;
}

static unsigned tell_leaf_started(struct run_tap *tap, const struct plan *leaf)
{
	struct observers *observers = of_tap(tap);
	unsigned number = observers->leaves++;
	for (struct exchange_observer *at = observers->first; at != NULL; at = at->next)
		if (at->ops->on_leaf_started != NULL)
			at->ops->on_leaf_started(at, number, leaf);
	return number;
}

static void tell_leaf_event(struct run_tap *tap, unsigned leaf, const struct event *event)
{
	for (struct exchange_observer *at = of_tap(tap)->first; at != NULL; at = at->next)
		if (at->ops->on_leaf_event != NULL)
			at->ops->on_leaf_event(at, leaf, event);
}

static void tell_leaf_cancelled(struct run_tap *tap, unsigned leaf)
{
	for (struct exchange_observer *at = of_tap(tap)->first; at != NULL; at = at->next)
		if (at->ops->on_leaf_cancelled != NULL)
			at->ops->on_leaf_cancelled(at, leaf);
}

void observers_init(struct observers *observers)
{
	static const struct run_tap_ops ops = {tell_leaf_started, tell_leaf_event, tell_leaf_cancelled};
	*observers = (struct observers){.tap = {.ops = &ops}};
}

void observers_add(struct observers *observers, struct exchange_observer *observer)
{
	struct exchange_observer **end = &observers->first;
	while (*end != NULL)
		end = &(*end)->next;
	*end = observer;
	observer->next = NULL;
	observers->hears_leaves |= observer->ops->on_leaf_started != NULL || observer->ops->on_leaf_event != NULL ||
				   observer->ops->on_leaf_cancelled != NULL;
}

struct run_tap *observers_tap(struct observers *observers)
{
	return observers->hears_leaves ? &observers->tap : NULL;
}

void observers_tell_event(const struct observers *observers, const struct event *event, bool relayed, uint64_t now_us)
{
	for (struct exchange_observer *at = observers->first; at != NULL; at = at->next)
		if (at->ops->on_event != NULL)
			at->ops->on_event(at, event, relayed, now_us);
}

void observers_tell_end(const struct observers *observers, uint64_t now_us)
{
	struct exchange_observer *next;
	for (struct exchange_observer *at = observers->first; at != NULL; at = next) {
		next = at->next;
		if (at->ops->on_end != NULL)
			at->ops->on_end(at, now_us);
	}
}
