/* SPDX-License-Identifier: MIT */
/*
 * Weighted shares of tenants in a queue, by hand and on a fake clock. Tenants are letters; "Ab" is team b of tenant A.
 * A play keeps requests of some tenants waiting, gives every free place to the one who is next, and counts.
 */
#include "service/health/queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { CAPACITY = 64, PLACES = 8, TENANTS = 6, ALWAYS = 4 };

struct call {
	struct queue_entry entry; /* first */
	struct queue_lane *lane;
	unsigned tenant;
	uint64_t ends_us;
	enum { CALL_IDLE, CALL_WAITS, CALL_RUNS } state;
};

/* What a tenant does in a play. */
struct player {
	const char *path;
	unsigned weights[2]; /* of the tenant, and of its team */
	uint64_t length_us;  /* of its calls */
	unsigned wants;      /* requests that it keeps waiting; with `alone`, waiting or running */
	bool alone;          /* sends the next request once its last one has ended */
	unsigned served;     /* calls that began */
	uint64_t place_us;   /* time of its places */
	unsigned in_a_row, most_in_a_row;
	unsigned most_running;
};

static struct queue queue;
static struct call calls[CAPACITY + PLACES];
static struct player players[TENANTS];
static unsigned player_count, places, running;
static uint64_t now_us;

static int set_up(void **state)
{
	(void)state;
	memset(calls, 0, sizeof(calls));
	memset(players, 0, sizeof(players));
	player_count = running = 0;
	places = 1;
	now_us = 1000;
	return !queue_init(&queue, CAPACITY, PLACES);
}

static int tear_down(void **state)
{
	(void)state;
	queue_fini(&queue);
	return 0;
}

static struct player *play(const char *path, unsigned weight, uint64_t length_us)
{
	struct player *player = &players[player_count++];
	*player = (struct player){.path = path, .weights = {weight, 1}, .length_us = length_us, .wants = ALWAYS};
	return player;
}

static struct queue_tenant tenant_of(const struct player *player)
{
	struct queue_tenant tenant = {.count = (unsigned)strlen(player->path)};
	for (unsigned i = 0; i < tenant.count; i++)
		tenant.levels[i] = (struct queue_share){
		    .name = (uint64_t)player->path[i], .weight = player->weights[i], .text = {player->path + i, 1}};
	return tenant;
}

static struct call *idle_call(unsigned tenant)
{
	for (size_t i = 0; i < CAPACITY + PLACES; i++)
		if (calls[i].state == CALL_IDLE) {
			calls[i] = (struct call){.tenant = tenant};
			return &calls[i];
		}
	fail_msg("all calls are used");
	return NULL;
}

static void begins(struct call *call)
{
	struct player *player = &players[call->tenant];
	call->state = CALL_RUNS;
	call->ends_us = now_us + player->length_us;
	running++;
	player->served++;
	for (unsigned i = 0; i < player_count; i++)
		players[i].in_a_row = i == call->tenant ? players[i].in_a_row + 1 : 0;
	if (player->in_a_row > player->most_in_a_row)
		player->most_in_a_row = player->in_a_row;
}

/* One more request: it runs or waits. Returns false when it is refused. */
static bool asks(unsigned tenant)
{
	struct call *call = idle_call(tenant);
	struct queue_tenant path = tenant_of(&players[tenant]);
	const struct queue_party party = {.network = 7, .client = 7, .tenant = &path};
	if (queue.count == 0 && running < places) {
		call->lane = queue_begin(&queue, &party);
		assert_non_null(call->lane);
		begins(call);
		return true;
	}
	if (queue.count == queue.capacity) {
		struct call *loser = (struct call *)queue_yield(&queue, &party);
		if (loser == NULL)
			return false;
		loser->state = CALL_IDLE;
	}
	assert_true(queue_push(&queue, &call->entry, &party));
	call->state = CALL_WAITS;
	return true;
}

static void ask_many(unsigned tenant, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		asks(tenant);
}

static unsigned count_of(unsigned tenant, int state)
{
	unsigned count = 0;
	for (size_t i = 0; i < CAPACITY + PLACES; i++)
		count += calls[i].tenant == tenant && (int)calls[i].state == state;
	return count;
}

static void give_places(void)
{
	while (running < places && queue.count > 0) {
		struct queue_lane *lane;
		struct call *call = (struct call *)queue_pop(&queue, &lane);
		assert_non_null(call);
		call->lane = lane;
		begins(call);
	}
}

static void ask_again(void)
{
	for (unsigned i = 0; i < player_count; i++) {
		unsigned has = count_of(i, CALL_WAITS) + (players[i].alone ? count_of(i, CALL_RUNS) : 0);
		if (has < players[i].wants)
			ask_many(i, players[i].wants - has);
	}
}

static struct call *first_to_end(void)
{
	struct call *first = NULL;
	for (size_t i = 0; i < CAPACITY + PLACES; i++)
		if (calls[i].state == CALL_RUNS && (first == NULL || calls[i].ends_us < first->ends_us))
			first = &calls[i];
	return first;
}

/* The next call ends, and its place goes to who is next. */
static void end_one(void)
{
	struct call *call = first_to_end();
	assert_non_null(call);
	for (unsigned i = 0; i < player_count; i++) {
		unsigned has = count_of(i, CALL_RUNS);
		players[i].place_us += has * (call->ends_us - now_us);
		players[i].most_running = has > players[i].most_running ? has : players[i].most_running;
	}
	now_us = call->ends_us;
	queue_advance(&queue, now_us);
	queue_end(&queue, call->lane);
	call->state = CALL_IDLE;
	running--;
	give_places();
}

/* Everybody asks for what it wants, until that many calls have ended. */
static void run(unsigned ends)
{
	queue_advance(&queue, now_us);
	for (unsigned i = 0; i < ends; i++) {
		ask_again();
		end_one();
	}
}

static void forget_counts(void)
{
	for (unsigned i = 0; i < player_count; i++)
		players[i].served = players[i].in_a_row = players[i].most_in_a_row = players[i].most_running = 0,
		players[i].place_us = 0;
}

/* Both had the same time of places by their weights, give or take a twentieth. */
static void check_shares(const struct player *a, unsigned weight_a, const struct player *b, unsigned weight_b)
{
	double of_a = (double)a->place_us / weight_a, of_b = (double)b->place_us / weight_b;
	if (of_a > of_b * 1.05 || of_b > of_a * 1.05)
		fail_msg("%s had %.0f by its weight, %s had %.0f", a->path, of_a, b->path, of_b);
}

static void one_place_goes_to_tenants_by_their_weights(void **state)
{
	const struct player *heavy = play("A", 3, 100), *light = play("B", 1, 100);
	(void)state;
	run(20); /* the first ones had no rival */
	forget_counts();
	run(400);
	assert_in_range(heavy->served, 300 - 3, 300 + 3);
	assert_int_equal(heavy->most_in_a_row, 3);
	assert_int_equal(light->most_in_a_row, 1);
}

static void places_that_become_free_at_once_are_shared_by_weight(void **state)
{
	const struct player *heavy = play("A", 3, 100), *light = play("B", 1, 100);
	(void)state;
	places = PLACES;
	players[0].wants = players[1].wants = 2 * PLACES;
	run(10 * PLACES);
	for (unsigned i = 0; i < 20; i++) {
		forget_counts();
		run(PLACES);
		assert_in_range(heavy->served, 5, 7);
		assert_in_range(light->served, 1, 3);
	}
	forget_counts();
	run(100 * PLACES);
	check_shares(heavy, 3, light, 1);
}

static void long_calls_are_paid_for_by_their_time(void **state)
{
	static const unsigned weights[][2] = {{1, 1}, {3, 1}, {1, 3}, {7, 2}};
	(void)state;
	for (size_t i = 0; i < sizeof(weights) / sizeof(weights[0]); i++)
		for (unsigned count = 1; count <= PLACES; count++) {
			tear_down(NULL);
			set_up(NULL);
			const struct player *slow = play("A", weights[i][0], 5000);
			const struct player *quick = play("B", weights[i][1], 70);
			places = count;
			players[0].wants = players[1].wants = 2 * PLACES;
			run(40000);
			check_shares(slow, weights[i][0], quick, weights[i][1]);
		}
}

static void a_tenant_that_holds_all_places_does_not_get_the_next_one(void **state)
{
	(void)state;
	play("A", 100, 10000);
	play("B", 1, 10);
	places = PLACES;
	ask_many(0, 2 * PLACES); /* all places, and it waits for more */
	now_us += 5000;
	queue_advance(&queue, now_us);
	asks(1);
	forget_counts();
	end_one();
	assert_int_equal(players[1].served, 1);
}

static void a_tenant_that_was_away_has_no_credit(void **state)
{
	(void)state;
	play("A", 1, 100);
	play("B", 1, 100);
	players[1].wants = 0;
	run(1000);
	players[1].wants = ALWAYS;
	forget_counts();
	run(20);
	assert_in_range(players[1].served, 9, 11);
	assert_in_range(players[1].most_in_a_row, 1, 2);
}

static void a_tenant_with_a_few_calls_has_no_credit_for_what_it_left_to_others(void **state)
{
	(void)state;
	play("A", 1, 100);
	play("B", 1, 100);
	places = PLACES;
	players[1].wants = 1; /* runs one, where it might run four */
	players[1].alone = true;
	run(1000);
	players[1].wants = 2 * PLACES;
	players[1].alone = false;
	run(2 * PLACES);
	forget_counts();
	run(10 * PLACES);
	assert_in_range(players[1].served, 5 * PLACES - 2, 5 * PLACES + 2);
}

static void what_a_tenant_used_while_nobody_waited_is_not_held_against_it(void **state)
{
	(void)state;
	play("A", 1, 100);
	play("B", 1, 100);
	places = PLACES;
	players[0].wants = PLACES; /* all places, nobody waits */
	players[0].alone = true;
	players[1].wants = 0;
	run(1000);
	players[0].alone = false;
	players[1].wants = PLACES;
	run(PLACES);
	forget_counts();
	run(10 * PLACES);
	assert_in_range(players[0].served, 5 * PLACES - 2, 5 * PLACES + 2);
}

static void long_calls_that_began_before_others_came_earn_those_nothing(void **state)
{
	(void)state;
	play("A", 1, 100000);
	play("B", 1, 100);
	places = PLACES;
	ask_many(0, 2 * PLACES);
	players[0].length_us = 100;
	ask_many(1, 2 * PLACES); /* waits for 100 ms */
	players[1].wants = players[0].wants = 2 * PLACES;
	run(2 * PLACES);
	forget_counts();
	run(10 * PLACES);
	assert_in_range(players[0].served, 5 * PLACES - 2, 5 * PLACES + 2);
}

/* One place becomes free long before the others: until then, the tenant that came runs less than its share. */
static void the_time_until_tenants_have_their_places_counts_for_nobody(void **state)
{
	(void)state;
	play("A", 1, 1000);
	play("B", 1, 10100);
	places = PLACES;
	asks(0);
	players[0].length_us = 11000;
	ask_many(0, PLACES - 1);
	players[0].wants = players[1].wants = 2 * PLACES;
	run(1);
	players[0].length_us = players[1].length_us = 100;
	run(2 * PLACES);
	forget_counts();
	run(10 * PLACES);
	assert_in_range(players[0].served, 5 * PLACES - 3, 5 * PLACES + 3);
}

static void what_was_served_is_forgotten_once_nobody_waits(void **state)
{
	(void)state;
	play("A", 1, 100000);
	play("B", 1, 100);
	ask_many(0, 2);
	asks(1);
	end_one(); /* A has its second long call while B waits */
	assert_int_equal(players[0].served, 2);
	end_one();
	assert_int_equal(queue.count, 0);
	players[0].length_us = 100;
	run(2);
	forget_counts();
	run(20);
	assert_in_range(players[0].served, 9, 11);
}

/* Among many short calls, long ones are known to be long: they take turns rather than all places at once. */
static void tenants_with_long_calls_hold_their_places_beside_each_other(void **state)
{
	(void)state;
	play("A", 1, 20000);
	play("B", 1, 13000);
	play("C", 1, 10);
	places = PLACES;
	for (unsigned i = 0; i < 3; i++)
		players[i].wants = PLACES;
	run(20000);
	forget_counts();
	run(20000);
	assert_in_range(players[0].most_running, 2, 3); /* its share is 8/3 */
	assert_in_range(players[1].most_running, 2, 3);
}

static void calls_that_never_began_do_not_make_others_look_short(void **state)
{
	struct queue_entry entry = {0};
	const struct queue_party party = {.network = 1};
	struct queue_lane *lane;
	(void)state;
	assert_true(queue_push(&queue, &entry, &party));
	assert_non_null(queue_pop(&queue, &lane));
	queue_decline(&queue, lane);
	assert_int_equal(queue.calls.ended, 0);
	lane = queue_begin(&queue, &party);
	queue_end(&queue, lane);
	assert_int_equal(queue.calls.ended, 1);
}

/* It leaves the queue empty-handed each time, and comes back: its long calls are not forgotten. */
static void a_tenant_that_asks_one_by_one_has_no_more_than_its_share(void **state)
{
	const struct player *slow = play("A", 1, 5000), *quick = play("B", 1, 50);
	(void)state;
	players[0].alone = true;
	players[0].wants = 1;
	run(50000);
	check_shares(slow, 1, quick, 1);
}

static void nobody_s_share_stays_idle(void **state)
{
	(void)state;
	play("A", 1, 100);
	play("B", 1000, 100);
	places = PLACES;
	players[1].wants = 0;
	players[0].wants = 2 * PLACES;
	run(100);
	assert_int_equal(running, PLACES);
}

static void levels_are_shared_among_those_that_want_something(void **state)
{
	struct player *search = play("As", 2, 100), *bots = play("Ab", 2, 100), *other = play("C", 1, 100);
	(void)state;
	search->weights[1] = 3;
	bots->weights[1] = 1;
	run(12000);
	check_shares(search, 6, other, 4); /* 2/3 of 3/4 to 1/3 */
	check_shares(bots, 2, other, 4);
	bots->wants = 0;
	run(20);
	forget_counts();
	run(6000);
	check_shares(search, 2, other, 1);
}

static void a_tenant_s_own_requests_stand_beside_its_teams(void **state)
{
	struct player *own = play("A", 1, 100), *team = play("Ab", 1, 100);
	(void)state;
	team->weights[1] = 4;
	run(5000);
	check_shares(team, 4, own, 1);
}

static void networks_of_a_tenant_share_its_places(void **state)
{
	struct queue_entry entries[4] = {{0}};
	struct queue_tenant path = {.levels = {{.name = 'A', .weight = 5}}, .count = 1};
	struct queue_lane *lane;
	(void)state;
	for (unsigned i = 0; i < 4; i++)
		queue_push(&queue, &entries[i], &(struct queue_party){.network = i == 3, .tenant = &path});
	assert_ptr_equal(queue_pop(&queue, &lane), &entries[0]);
	assert_ptr_equal(queue_pop(&queue, &lane), &entries[3]);
	assert_ptr_equal(queue_pop(&queue, &lane), &entries[1]);
}

static void a_full_queue_is_shared_by_weight(void **state)
{
	(void)state;
	play("A", 3, 100);
	play("B", 1, 100);
	ask_many(1, 2 * CAPACITY); /* one runs, the queue is full of it */
	ask_many(0, CAPACITY / 2);
	assert_int_equal(count_of(0, CALL_WAITS), CAPACITY / 2);
	ask_many(0, CAPACITY);
	assert_int_equal(count_of(0, CALL_WAITS), CAPACITY / 4 * 3);
	ask_many(1, CAPACITY);
	assert_int_equal(count_of(1, CALL_WAITS), CAPACITY / 4);
	ask_many(0, CAPACITY);
	assert_int_equal(count_of(0, CALL_WAITS), CAPACITY / 4 * 3);
}

static void a_team_yields_to_teams_of_its_tenant_where_that_has_its_share(void **state)
{
	(void)state;
	play("Aa", 1, 100);
	play("Ab", 1, 100);
	play("C", 1, 100);
	ask_many(2, CAPACITY);
	ask_many(0, CAPACITY);
	assert_int_equal(count_of(0, CALL_WAITS), CAPACITY / 2);
	ask_many(1, CAPACITY);
	assert_int_equal(count_of(0, CALL_WAITS), CAPACITY / 4);
	assert_int_equal(count_of(1, CALL_WAITS), CAPACITY / 4);
	assert_int_equal(count_of(2, CALL_WAITS), CAPACITY / 2);
}

static void another_weight_counts_from_the_next_request_on(void **state)
{
	struct player *changes = play("A", 1, 100), *other = play("B", 1, 100);
	(void)state;
	run(1000);
	changes->weights[0] = 4;
	run(20);
	forget_counts();
	run(5000);
	check_shares(changes, 4, other, 1);
}

/* Debts take no memory that requests need. */
static void many_tenants_that_owe_leave_room_for_others(void **state)
{
	struct queue_entry always[CAPACITY / 2] = {{0}}, visitor = {0};
	struct queue_tenant path = {.levels = {{.name = 'A', .weight = 1000}}, .count = 1};
	struct queue_lane *lane, *first;
	(void)state;
	for (unsigned i = 0; i < CAPACITY / 2; i++)
		queue_push(&queue, &always[i], &(struct queue_party){.network = i, .tenant = &path});
	queue_advance(&queue, ++now_us);
	assert_non_null(queue_pop(&queue, &first));
	for (unsigned i = 0; i < 10000; i++) {
		path = (struct queue_tenant){
		    .levels = {{.name = 1000 + i, .weight = 1}, {.name = i, .weight = 1}, {.name = i, .weight = 1}},
		    .count = 1 + i % 3};
		assert_true(queue_push(&queue, &visitor, &(struct queue_party){.network = i, .tenant = &path}));
		assert_ptr_equal(queue_pop(&queue, &lane), &visitor);
		queue_advance(&queue, now_us += 100);
		queue_end(&queue, lane);
	}
	assert_int_equal(queue.count, CAPACITY / 2 - 1);
	assert_true(queue.lanes_used <= queue.lane_count);
}

static void the_report_says_what_is_whose(void **state)
{
	struct queue_tenant_report reports[8];
	(void)state;
	play("A", 3, 100);
	struct player *search = play("As", 3, 100);
	play("B", 1, 100);
	search->weights[1] = 2;
	places = 4;
	assert_int_equal(queue_report_tenants(&queue, reports, 8), 0);
	ask_many(1, 5);
	ask_many(0, 1);
	ask_many(2, 2);
	assert_int_equal(queue_report_tenants(&queue, reports, 8), 3);
	assert_string_equal(reports[0].path, "A");
	assert_int_equal(reports[0].weight, 3);
	assert_int_equal(reports[0].running, 4);
	assert_int_equal(reports[0].waiting, 2);
	assert_true(reports[0].share == 0.75);
	assert_string_equal(reports[1].path, "A/s");
	assert_int_equal(reports[1].running, 4);
	assert_int_equal(reports[1].waiting, 1);
	assert_true(reports[1].share > 0.4999 && reports[1].share < 0.5001); /* A's own requests have the rest */
	assert_string_equal(reports[2].path, "B");
	assert_true(reports[2].share == 0.25);
	assert_int_equal(queue_report_tenants(&queue, reports, 1), 1);
}

#define QUEUE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    QUEUE_TEST(one_place_goes_to_tenants_by_their_weights),
	    QUEUE_TEST(places_that_become_free_at_once_are_shared_by_weight),
	    QUEUE_TEST(long_calls_are_paid_for_by_their_time),
	    QUEUE_TEST(a_tenant_that_holds_all_places_does_not_get_the_next_one),
	    QUEUE_TEST(a_tenant_that_was_away_has_no_credit),
	    QUEUE_TEST(a_tenant_with_a_few_calls_has_no_credit_for_what_it_left_to_others),
	    QUEUE_TEST(what_a_tenant_used_while_nobody_waited_is_not_held_against_it),
	    QUEUE_TEST(long_calls_that_began_before_others_came_earn_those_nothing),
	    QUEUE_TEST(a_tenant_that_asks_one_by_one_has_no_more_than_its_share),
	    QUEUE_TEST(the_time_until_tenants_have_their_places_counts_for_nobody),
	    QUEUE_TEST(what_was_served_is_forgotten_once_nobody_waits),
	    QUEUE_TEST(tenants_with_long_calls_hold_their_places_beside_each_other),
	    QUEUE_TEST(calls_that_never_began_do_not_make_others_look_short),
	    QUEUE_TEST(nobody_s_share_stays_idle),
	    QUEUE_TEST(levels_are_shared_among_those_that_want_something),
	    QUEUE_TEST(a_tenant_s_own_requests_stand_beside_its_teams),
	    QUEUE_TEST(networks_of_a_tenant_share_its_places),
	    QUEUE_TEST(a_full_queue_is_shared_by_weight),
	    QUEUE_TEST(a_team_yields_to_teams_of_its_tenant_where_that_has_its_share),
	    QUEUE_TEST(another_weight_counts_from_the_next_request_on),
	    QUEUE_TEST(the_report_says_what_is_whose),
	    QUEUE_TEST(many_tenants_that_owe_leave_room_for_others),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
