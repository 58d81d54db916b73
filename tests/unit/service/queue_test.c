/* SPDX-License-Identifier: MIT */
/* Who is next in a queue that is fair between clients: by hand, and at random against a list kept by stamps. */
#include "service/health/queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/seed.h"

enum { ENTRIES = 64, CLIENTS = 7 };

static struct queue queue;
static struct queue_entry entries[ENTRIES];

static int set_up(void **state)
{
	(void)state;
	memset(entries, 0, sizeof(entries));
	return !queue_init(&queue, ENTRIES);
}

static int tear_down(void **state)
{
	(void)state;
	queue_fini(&queue);
	return 0;
}

/* Pushes entries in order, one for each letter, whose client it is. */
static void push(const char *clients)
{
	for (size_t i = 0; clients[i] != '\0'; i++)
		assert_true(queue_push(&queue, &entries[i], (uint64_t)clients[i]));
}

/* Pops all; order: the expected places, as letters from 'a'. */
static void check_order(const char *order)
{
	char seen[ENTRIES + 1] = "";
	struct queue_entry *entry;
	for (size_t i = 0; (entry = queue_pop(&queue)) != NULL; i++)
		seen[i] = (char)('a' + (entry - entries));
	assert_string_equal(seen, order);
	assert_int_equal(queue.count, 0);
}

static void one_client_is_served_first_in_first_out(void **state)
{
	(void)state;
	push("AAAA");
	check_order("abcd");
}

static void clients_take_turns(void **state)
{
	(void)state;
	push("AAAABBC");
	check_order("aegbfcd");
}

static void a_late_client_waits_for_one_turn_of_each_other_not_for_their_bursts(void **state)
{
	(void)state;
	push("AAAAAAAAB");
	check_order("aibcdefgh");
}

static void one_that_leaves_makes_no_gap(void **state)
{
	(void)state;
	push("AABBCC");
	queue_remove(&queue, &entries[2]);
	queue_remove(&queue, &entries[4]);
	queue_remove(&queue, &entries[5]);
	queue_remove(&queue, &entries[5]); /* harmless */
	check_order("adb");
}

static void a_full_queue_takes_no_more(void **state)
{
	struct queue_entry more = {0};
	(void)state;
	for (size_t i = 0; i < ENTRIES; i++)
		assert_true(queue_push(&queue, &entries[i], i));
	assert_false(queue_push(&queue, &more, 0));
	assert_non_null(queue_pop(&queue));
	assert_true(queue_push(&queue, &more, 0));
}

static void the_last_of_the_longest_lane_yields_to_a_client_with_less(void **state)
{
	(void)state;
	push("AAABB");
	assert_null(queue_yield(&queue, 'A'));
	assert_null(queue_yield(&queue, 'B')); /* would only swap the lengths */
	assert_ptr_equal(queue_yield(&queue, 'C'), &entries[2]);
	assert_ptr_equal(queue_yield(&queue, 'C'), &entries[1]);
	assert_ptr_equal(queue_yield(&queue, 'C'), &entries[4]);
	assert_null(queue_yield(&queue, 'C'));
	check_order("ad");
}

/* The reference: every entry's client and arrival, every client's last turn; all found by looking at all. */
static struct {
	bool waits[ENTRIES];
	unsigned client[ENTRIES];
	uint64_t arrived[ENTRIES];
	uint64_t turn[CLIENTS];
	uint64_t stamp;
} model;

static unsigned model_length(unsigned client)
{
	unsigned length = 0;
	for (int i = 0; i < ENTRIES; i++)
		length += model.waits[i] && model.client[i] == client;
	return length;
}

static void model_push(int i, unsigned client)
{
	if (model_length(client) == 0)
		model.turn[client] = ++model.stamp;
	model.waits[i] = true;
	model.client[i] = client;
	model.arrived[i] = ++model.stamp;
}

static int model_pop(void)
{
	int best = -1;
	for (int i = 0; i < ENTRIES; i++) {
		if (!model.waits[i])
			continue;
		uint64_t turn = model.turn[model.client[i]];
		uint64_t best_turn = best < 0 ? 0 : model.turn[model.client[best]];
		if (best < 0 || turn < best_turn || (turn == best_turn && model.arrived[i] < model.arrived[best]))
			best = i;
	}
	if (best >= 0) {
		model.waits[best] = false;
		model.turn[model.client[best]] = ++model.stamp;
	}
	return best;
}

static void random_operations_agree_with_the_reference(void **state)
{
	struct seed seed = seed_start();
	(void)state;
	memset(&model, 0, sizeof(model));
	for (int round = 0; round < 200000; round++) {
		int i = (int)seed_below(&seed, ENTRIES);
		if (entries[i].lane == NULL && seed_below(&seed, 2) == 0) {
			unsigned client = (unsigned)(seed_below(&seed, CLIENTS) * seed_below(&seed, 2));
			assert_true(queue_push(&queue, &entries[i], client));
			model_push(i, client);
		} else if (seed_below(&seed, 3) == 0) {
			queue_remove(&queue, &entries[i]);
			model.waits[i] = false;
		} else {
			const struct queue_entry *entry = queue_pop(&queue);
			assert_int_equal(entry == NULL ? -1 : entry - entries, model_pop());
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(one_client_is_served_first_in_first_out, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(clients_take_turns, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_late_client_waits_for_one_turn_of_each_other_not_for_their_bursts, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(one_that_leaves_makes_no_gap, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_full_queue_takes_no_more, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(the_last_of_the_longest_lane_yields_to_a_client_with_less, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(random_operations_agree_with_the_reference, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
