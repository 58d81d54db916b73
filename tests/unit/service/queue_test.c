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
	return !queue_init(&queue, ENTRIES, ENTRIES);
}

static int tear_down(void **state)
{
	(void)state;
	queue_fini(&queue);
	return 0;
}

/* Clients are letters; those in small print come from another network. */
static struct queue_party party_of(char client)
{
	return (struct queue_party){.network = client >= 'a', .client = (uint64_t)client};
}

/* Pushes entries in order, one for each letter, whose client it is. */
static void push(const char *clients)
{
	for (size_t i = 0; clients[i] != '\0'; i++) {
		struct queue_party party = party_of(clients[i]);
		assert_true(queue_push(&queue, &entries[i], &party));
	}
}

static void begin(const char *clients)
{
	for (size_t i = 0; clients[i] != '\0'; i++) {
		struct queue_party party = party_of(clients[i]);
		assert_non_null(queue_begin(&queue, &party));
	}
}

static struct queue_entry *yield(char client)
{
	struct queue_party party = party_of(client);
	return queue_yield(&queue, &party);
}

/* Pops all; order: the expected places, as letters from 'a'. */
static void check_order(const char *order)
{
	char seen[ENTRIES + 1] = "";
	struct queue_entry *entry;
	struct queue_lane *lane;
	for (size_t i = 0; (entry = queue_pop(&queue, &lane)) != NULL; i++)
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

static void whoever_runs_fewer_calls_is_next(void **state)
{
	(void)state;
	begin("AAAB");
	push("AABBCC");
	check_order("ecfdab");
}

static void an_end_gives_the_place_back(void **state)
{
	(void)state;
	struct queue_party party = party_of('A');
	struct queue_lane *first = queue_begin(&queue, &party);
	begin("AB");
	push("AB");
	queue_end(&queue, first);
	queue_end(&queue, NULL); /* harmless */
	begin("B");
	check_order("ab");
}

/* One who calls itself another name with each request has one network's share. */
static void many_names_from_one_network_get_no_more_than_another_network(void **state)
{
	(void)state;
	push("ABCDEFaa");
	check_order("agbhcdef");
}

static void networks_yield_to_networks_and_clients_to_clients_of_their_own(void **state)
{
	(void)state;
	push("ABCDDab");
	assert_ptr_equal(yield('a'), &entries[4]); /* the longest lane of the longest network */
	assert_ptr_equal(yield('x'), &entries[0]); /* networks have 4 and 2 */
	assert_null(yield('x'));                   /* 3 and 2: would only swap them */
	assert_null(yield('B'));
}

static void clients_yield_to_others_of_their_network(void **state)
{
	(void)state;
	push("AAAa");
	assert_null(yield('A'));
	assert_ptr_equal(yield('B'), &entries[2]);
	assert_ptr_equal(yield('B'), &entries[1]);
	assert_null(yield('B'));
	assert_int_equal(queue.count, 2);
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
	struct queue_lane *lane;
	(void)state;
	for (size_t i = 0; i < ENTRIES; i++)
		assert_true(queue_push(&queue, &entries[i], &(struct queue_party){.network = i, .client = i}));
	assert_false(queue_push(&queue, &more, &(struct queue_party){.network = 0}));
	assert_non_null(queue_pop(&queue, &lane));
	assert_true(queue_push(&queue, &more, &(struct queue_party){.network = ENTRIES}));
}

static void calls_that_ended_leave_their_lanes_to_others(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 100000; i++) {
		struct queue_lane *lane = queue_begin(&queue, &(struct queue_party){.network = i, .client = i});
		assert_non_null(lane);
		queue_end(&queue, lane);
	}
	assert_int_equal(queue.lanes_used, 2);
}

static void the_last_of_the_longest_lane_yields_to_a_client_with_less(void **state)
{
	(void)state;
	push("AAABB");
	assert_null(yield('A'));
	assert_null(yield('B')); /* would only swap the lengths */
	assert_ptr_equal(yield('C'), &entries[2]);
	assert_ptr_equal(yield('C'), &entries[1]);
	assert_ptr_equal(yield('C'), &entries[4]);
	assert_null(yield('C'));
	check_order("ad");
}

/*
 * The reference: every entry's client and arrival, every client's and network's last turn and calls; all found by
 * looking at all. Clients are of the network of their number's half.
 */
enum { RUNNING_MOST = ENTRIES };
static struct {
	bool waits[ENTRIES];
	unsigned client[ENTRIES];
	uint64_t arrived[ENTRIES];
	uint64_t turn[CLIENTS], network_turn[CLIENTS];
	unsigned running[CLIENTS];
	uint64_t stamp;
} model;

static unsigned model_waiting(unsigned client, bool network)
{
	unsigned length = 0;
	for (int i = 0; i < ENTRIES; i++)
		length += model.waits[i] && (network ? model.client[i] / 2 == client / 2 : model.client[i] == client);
	return length;
}

static unsigned model_running(unsigned client, bool network)
{
	unsigned running = 0;
	for (unsigned i = 0; i < CLIENTS; i++)
		running += network ? (i / 2 == client / 2) * model.running[i] : (i == client) * model.running[i];
	return running;
}

static void model_push(int i, unsigned client)
{
	if (model_waiting(client, true) == 0)
		model.network_turn[client / 2] = ++model.stamp;
	if (model_waiting(client, false) == 0)
		model.turn[client] = ++model.stamp;
	model.waits[i] = true;
	model.client[i] = client;
	model.arrived[i] = ++model.stamp;
}

/* Entry a is served before b. */
static bool model_before(int a, int b)
{
	unsigned of_a = model.client[a], of_b = model.client[b];
	if (of_a / 2 != of_b / 2) {
		unsigned first = model_running(of_a, true), second = model_running(of_b, true);
		return first != second ? first < second : model.network_turn[of_a / 2] < model.network_turn[of_b / 2];
	}
	if (of_a != of_b) {
		unsigned first = model.running[of_a], second = model.running[of_b];
		return first != second ? first < second : model.turn[of_a] < model.turn[of_b];
	}
	return model.arrived[a] < model.arrived[b];
}

static int model_pop(void)
{
	int best = -1;
	for (int i = 0; i < ENTRIES; i++)
		if (model.waits[i] && (best < 0 || model_before(i, best)))
			best = i;
	if (best >= 0) {
		unsigned client = model.client[best];
		model.waits[best] = false;
		model.network_turn[client / 2] = ++model.stamp;
		model.turn[client] = ++model.stamp;
		model.running[client]++;
	}
	return best;
}

/* Calls that run: of which client, and their lanes. */
static struct {
	struct queue_lane *lane;
	unsigned client;
} running[RUNNING_MOST];
static size_t running_count;

static void note_running(struct queue_lane *lane, unsigned client)
{
	assert_true(running_count < RUNNING_MOST);
	running[running_count].lane = lane;
	running[running_count++].client = client;
}

static void check_pop(void)
{
	struct queue_lane *lane = NULL;
	const struct queue_entry *entry = queue_pop(&queue, &lane);
	int expected = model_pop();
	assert_int_equal(entry == NULL ? -1 : entry - entries, expected);
	if (entry != NULL)
		note_running(lane, model.client[expected]);
}

static void check_end(struct seed *seed)
{
	size_t at = seed_below(seed, running_count);
	queue_end(&queue, running[at].lane);
	model.running[running[at].client]--;
	running[at] = running[--running_count];
}

static struct queue_party numbered(unsigned client)
{
	return (struct queue_party){.network = client / 2, .client = client};
}

static void random_step(struct seed *seed)
{
	int i = (int)seed_below(seed, ENTRIES);
	unsigned client = (unsigned)(seed_below(seed, CLIENTS) * seed_below(seed, 2));
	struct queue_party party = numbered(client);
	if (entries[i].lane == NULL && seed_below(seed, 2) == 0) {
		assert_true(queue_push(&queue, &entries[i], &party));
		model_push(i, client);
	} else if (seed_below(seed, 3) == 0) {
		queue_remove(&queue, &entries[i]);
		model.waits[i] = false;
	} else if (running_count == RUNNING_MOST || (running_count > 0 && seed_below(seed, 2) == 0)) {
		check_end(seed);
	} else if (seed_below(seed, 8) == 0) {
		note_running(queue_begin(&queue, &party), client);
		model.running[client]++;
	} else {
		check_pop();
	}
}

static void random_operations_agree_with_the_reference(void **state)
{
	struct seed seed = seed_start();
	(void)state;
	memset(&model, 0, sizeof(model));
	running_count = 0;
	for (int round = 0; round < 200000; round++)
		random_step(&seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(one_client_is_served_first_in_first_out, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(clients_take_turns, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_late_client_waits_for_one_turn_of_each_other_not_for_their_bursts, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(whoever_runs_fewer_calls_is_next, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(an_end_gives_the_place_back, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(many_names_from_one_network_get_no_more_than_another_network, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(networks_yield_to_networks_and_clients_to_clients_of_their_own, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(clients_yield_to_others_of_their_network, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(calls_that_ended_leave_their_lanes_to_others, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(one_that_leaves_makes_no_gap, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_full_queue_takes_no_more, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(the_last_of_the_longest_lane_yields_to_a_client_with_less, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(random_operations_agree_with_the_reference, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
