/* SPDX-License-Identifier: MIT */
/* Observers of an exchange: each hears what it wants to, and all know a leaf by the same number. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "service/exchange/observer.h"

/* Notes what it hears. */
struct witness {
	struct exchange_observer observer; /* first */
	unsigned events, relayed, ends;
	unsigned started, leaf_events, cancelled;
	unsigned last_leaf;
};

static struct witness *of(struct exchange_observer *observer)
{
	return (struct witness *)observer;
}

static void on_event(struct exchange_observer *observer, const struct event *event, bool relayed, uint64_t now_us)
{
	assert_int_equal(event->kind, EVENT_CHUNK);
	assert_int_equal(now_us, 7);
	of(observer)->events++;
	of(observer)->relayed += relayed;
}

static void on_leaf_started(struct exchange_observer *observer, unsigned leaf, const struct plan *plan)
{
	assert_non_null(plan);
	of(observer)->started++;
	of(observer)->last_leaf = leaf;
}

static void on_leaf_event(struct exchange_observer *observer, unsigned leaf, const struct event *event)
{
	assert_non_null(event);
	of(observer)->leaf_events++;
	of(observer)->last_leaf = leaf;
}

static void on_leaf_cancelled(struct exchange_observer *observer, unsigned leaf)
{
	of(observer)->cancelled++;
	of(observer)->last_leaf = leaf;
}

static void on_end(struct exchange_observer *observer, uint64_t now_us)
{
	assert_int_equal(now_us, 9);
	of(observer)->ends++;
	observer->next = NULL; /* it may be gone from here on */
}

static const struct exchange_observer_ops books = {.on_event = on_event, .on_end = on_end};
static const struct exchange_observer_ops lanes = {.on_leaf_started = on_leaf_started,
						   .on_leaf_event = on_leaf_event,
						   .on_leaf_cancelled = on_leaf_cancelled,
						   .on_end = on_end};
static const struct exchange_observer_ops deaf = {.on_event = NULL};

static const struct event chunk = {.kind = EVENT_CHUNK};

static void an_observer_hears_only_what_it_asks_for(void **state)
{
	struct observers observers;
	struct witness first = {.observer = {.ops = &books}}, second = {.observer = {.ops = &lanes}};
	struct exchange_observer third = {.ops = &deaf};
	(void)state;
	observers_init(&observers);
	observers_add(&observers, &first.observer);
	observers_add(&observers, &second.observer);
	observers_add(&observers, &third);
	observers_tell_event(&observers, &chunk, true, 7);
	observers_tell_event(&observers, &chunk, false, 7);
	assert_int_equal(first.events, 2);
	assert_int_equal(first.relayed, 1);
	assert_int_equal(second.events, 0);
}

static void all_observers_hear_of_a_leaf_by_the_same_number(void **state)
{
	struct observers observers;
	struct witness first = {.observer = {.ops = &lanes}}, second = {.observer = {.ops = &lanes}};
	struct plan plan = {.width = 1};
	(void)state;
	observers_init(&observers);
	observers_add(&observers, &first.observer);
	observers_add(&observers, &second.observer);
	struct run_tap *tap = observers_tap(&observers);
	assert_non_null(tap);
	assert_int_equal(tap->ops->on_started(tap, &plan), 0);
	assert_int_equal(tap->ops->on_started(tap, &plan), 1);
	tap->ops->on_event(tap, 0, &chunk);
	assert_int_equal(first.last_leaf, 0);
	assert_int_equal(second.last_leaf, 0);
	tap->ops->on_cancelled(tap, 1);
	assert_int_equal(first.last_leaf, 1);
	assert_int_equal(second.last_leaf, 1);
	assert_int_equal(first.started + first.leaf_events + first.cancelled, 4);
	assert_int_equal(second.started + second.leaf_events + second.cancelled, 4);
}

static void a_plan_has_a_tap_only_when_somebody_hears_its_leaves(void **state)
{
	struct observers observers;
	struct witness first = {.observer = {.ops = &books}}, second = {.observer = {.ops = &lanes}};
	(void)state;
	observers_init(&observers);
	observers_add(&observers, &first.observer);
	assert_null(observers_tap(&observers));
	observers_add(&observers, &second.observer);
	assert_non_null(observers_tap(&observers));
}

static void an_observer_may_be_gone_once_it_heard_of_the_end(void **state)
{
	struct observers observers;
	struct witness first = {.observer = {.ops = &books}}, second = {.observer = {.ops = &lanes}};
	(void)state;
	observers_init(&observers);
	observers_add(&observers, &first.observer);
	observers_add(&observers, &second.observer);
	observers_tell_end(&observers, 9);
	assert_int_equal(first.ends, 1);
	assert_int_equal(second.ends, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_observer_hears_only_what_it_asks_for),
	    cmocka_unit_test(all_observers_hear_of_a_leaf_by_the_same_number),
	    cmocka_unit_test(a_plan_has_a_tap_only_when_somebody_hears_its_leaves),
	    cmocka_unit_test(an_observer_may_be_gone_once_it_heard_of_the_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
