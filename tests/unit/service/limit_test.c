/* SPDX-License-Identifier: MIT */
/*
 * The limit of a target on fake loops and a fake clock: loop_post and
 * loop_reactor below take the place of the real loop's. By hand, and random
 * operations against a reference that keeps one flat table and looks at all of
 * it each time.
 */
#include "service/health/limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "schemas/metrics.h"
#include "tests/unit/seed.h"

enum { LOOPS = 3, WAITERS = 40, CLIENTS = 5, WAIT_US = 1000 };

struct loop {
	struct reactor reactor;
	struct loop_message *mail;
};

static struct loop loops[LOOPS];
static uint64_t fake_now;
static struct limit *limit;
static struct limit_waiter waiters[WAITERS];
static int told[4 * WAITERS]; /* waiter + 1, negative when not admitted; in order */
static int told_count;

static uint64_t fake_clock(void *context)
{
	(void)context;
	return fake_now;
}

struct reactor *loop_reactor(struct loop *loop)
{
	return &loop->reactor;
}

void loop_post(struct loop *loop, struct loop_message *message)
{
	struct loop_message **tail = &loop->mail;
	while (*tail != NULL) {
		assert_ptr_not_equal(*tail, message); /* a message is posted once at a time */
		tail = &(*tail)->next;
	}
	message->next = NULL;
	*tail = message;
}

static void run_mail(struct loop *loop)
{
	struct loop_message *message;
	while ((message = loop->mail) != NULL) {
		loop->mail = message->next;
		message->run(message);
	}
}

/* Timers become due, but do not run. */
static void let_pass(uint64_t us)
{
	fake_now += us;
	for (int i = 0; i < LOOPS; i++)
		timers_refresh(&loops[i].reactor.timers);
}

static void run_timers(struct loop *loop)
{
	timers_run(&loop->reactor.timers);
}

static void pass(uint64_t us)
{
	let_pass(us);
	for (int i = 0; i < LOOPS; i++)
		run_timers(&loops[i]);
}

/* Places of calls that run, and whose: the oldest ends first. */
static struct {
	struct queue_lane *lane;
	uint64_t client;
} places[4 * WAITERS];
static size_t place_count;

static void note_place(const struct limit_waiter *waiter)
{
	places[place_count].lane = waiter->place;
	places[place_count++].client = waiter->party.client;
}

static void on_settled(struct limit_waiter *waiter, bool admitted)
{
	if (admitted)
		note_place(waiter);
	int number = (int)(waiter - waiters) + 1;
	told[told_count++] = admitted ? number : -number;
}

static void open_limit(unsigned calls, unsigned queue)
{
	struct config_concurrency options = {.calls = calls, .queue = queue, .wait_us = WAIT_US};
	limit_drop(limit);
	limit = limit_create(&options);
	assert_non_null(limit);
}

static int set_up(void **state)
{
	(void)state;
	static const char *const names[] = {"a"};
	const struct metrics_names labels = {.models = names, .model_count = 1, .backends = names, .backend_count = 1};
	memset(waiters, 0, sizeof(waiters));
	fake_now = 5000;
	told_count = 0;
	place_count = 0;
	for (int i = 0; i < LOOPS; i++) {
		loops[i].mail = NULL;
		reactor_init(&loops[i].reactor, NULL, fake_clock, NULL);
	}
	return !metrics_setup(1, &labels);
}

static int tear_down(void **state)
{
	(void)state;
	limit_drop(limit);
	limit = NULL;
	for (int i = 0; i < LOOPS; i++) {
		assert_int_equal(loops[i].reactor.timers.count, 0);
		reactor_fini(&loops[i].reactor);
	}
	metrics_teardown();
	return 0;
}

static enum limit_verdict enter(int i, uint64_t client)
{
	waiters[i].on_settled = on_settled;
	waiters[i].loop = &loops[i % LOOPS];
	waiters[i].party = (struct queue_party){.network = client / 2, .client = client};
	waiters[i].metrics = metrics_cells_of(0);
	enum limit_verdict verdict = limit_enter(limit, &waiters[i], fake_now);
	if (verdict == LIMIT_GO)
		note_place(&waiters[i]);
	return verdict;
}

/* Ends the oldest call; one that was not told of its place yet when there is none. Returns its client. */
static uint64_t leave(void)
{
	uint64_t client = places[0].client;
	limit_leave(limit, place_count == 0 ? NULL : places[0].lane, 0, false, fake_now);
	if (place_count > 0)
		memmove(places, places + 1, --place_count * sizeof(places[0]));
	return client;
}

static void check_report(unsigned allowed, unsigned running, unsigned waiting)
{
	struct limit_report report;
	limit_report(limit, &report);
	assert_int_equal(report.limit, allowed);
	assert_int_equal(report.running, running);
	assert_int_equal(report.waiting, waiting);
}

static uint64_t refused(enum metrics_wait_end end)
{
	return metrics_sum(METRIC_QUEUE_REFUSED, 0, (uint32_t)end, 0);
}

static void without_a_limit_all_go(void **state)
{
	(void)state;
	open_limit(0, 10);
	for (int i = 0; i < 20; i++)
		assert_int_equal(enter(i, 1), LIMIT_GO);
	check_report(0, 20, 0);
}

static void beyond_the_limit_they_wait_and_beyond_the_queue_they_are_refused(void **state)
{
	(void)state;
	open_limit(2, 1);
	assert_int_equal(enter(0, 1), LIMIT_GO);
	assert_int_equal(enter(1, 1), LIMIT_GO);
	assert_int_equal(enter(2, 1), LIMIT_QUEUED);
	assert_int_equal(enter(3, 1), LIMIT_FULL);
	check_report(2, 2, 1);
	assert_int_equal(metrics_sum(METRIC_QUEUE_WAITING, 0, 0, 0), 1);
	assert_int_equal(refused(METRICS_WAIT_FULL), 1);
	leave();
	check_report(2, 2, 0); /* the place is kept for the one who is being told */
	assert_int_equal(enter(4, 1), LIMIT_QUEUED);
	assert_int_equal(told_count, 0);
	run_mail(&loops[2]);
	assert_int_equal(told_count, 1);
	assert_int_equal(told[0], 3);
	assert_int_equal(metrics_sum(METRIC_QUEUE_WAITING, 0, 0, 0), 1);
	assert_int_equal(metrics_sum(METRIC_QUEUE_WAIT, 0, 0, 0), 1);
	limit_abandon(&waiters[4], fake_now);
}

static void who_waited_long_enough_is_told_so(void **state)
{
	(void)state;
	open_limit(1, 5);
	enter(0, 1);
	assert_int_equal(enter(1, 1), LIMIT_QUEUED);
	waiters[2].deadline_us = fake_now + WAIT_US / 2;
	assert_int_equal(enter(2, 1), LIMIT_QUEUED);
	waiters[3].deadline_us = fake_now;
	assert_int_equal(enter(3, 1), LIMIT_FULL); /* its time is up before it could wait */
	pass(WAIT_US / 2 - 1);
	assert_int_equal(told_count, 0);
	pass(1);
	assert_int_equal(told_count, 1);
	assert_int_equal(told[0], -3);
	pass(WAIT_US / 2);
	assert_int_equal(told_count, 2);
	assert_int_equal(told[1], -2);
	check_report(1, 1, 0);
	assert_int_equal(refused(METRICS_WAIT_TIMEOUT), 2);
	assert_int_equal(metrics_sum(METRIC_QUEUE_WAITING, 0, 0, 0), 0);
}

static void a_place_is_not_given_to_one_whose_time_is_up(void **state)
{
	(void)state;
	open_limit(1, 5);
	enter(0, 1);
	enter(1, 1);
	let_pass(WAIT_US / 2);
	enter(2, 1);
	let_pass(WAIT_US / 2); /* and its timer is late */
	leave();
	for (int i = 0; i < LOOPS; i++)
		run_mail(&loops[i]);
	assert_int_equal(told_count, 2);
	assert_int_equal(told[0], -2);
	assert_int_equal(told[1], 3);
	check_report(1, 1, 0);
}

static void one_that_abandons_is_out_at_once(void **state)
{
	(void)state;
	open_limit(1, 2);
	enter(0, 1);
	enter(1, 1);
	enter(2, 1);
	limit_abandon(&waiters[1], fake_now);
	limit_abandon(&waiters[1], fake_now); /* harmless */
	limit_abandon(&waiters[30], fake_now);
	memset(&waiters[1], 0xee, sizeof(waiters[1])); /* its owner is gone */
	check_report(1, 1, 1);
	assert_int_equal(refused(METRICS_WAIT_LEFT), 1);
	leave();
	run_mail(&loops[2]);
	assert_int_equal(told_count, 1);
	assert_int_equal(told[0], 3);
	pass(10 * WAIT_US);
	assert_int_equal(told_count, 1);
}

static void a_place_given_to_one_that_abandons_goes_on_to_the_next(void **state)
{
	(void)state;
	open_limit(1, 2);
	enter(0, 1);
	enter(1, 1);
	enter(2, 1);
	leave(); /* waiter 1 has the place, but was not told */
	limit_abandon(&waiters[1], fake_now);
	memset(&waiters[1], 0xee, sizeof(waiters[1]));
	for (int i = 0; i < LOOPS; i++)
		run_mail(&loops[i]);
	assert_int_equal(told_count, 1);
	assert_int_equal(told[0], 3);
	check_report(1, 1, 0);
	leave();
	check_report(1, 0, 0);
}

static void a_full_queue_takes_the_place_of_a_burst_for_another_client(void **state)
{
	(void)state;
	open_limit(1, 3);
	enter(0, 1);
	enter(1, 1);
	enter(2, 1);
	enter(3, 1);
	assert_int_equal(enter(4, 1), LIMIT_FULL);
	assert_int_equal(enter(5, 2), LIMIT_QUEUED);
	for (int i = 0; i < LOOPS; i++)
		run_mail(&loops[i]);
	assert_int_equal(told_count, 1);
	assert_int_equal(told[0], -4);
	assert_true(waiters[3].displaced);
	assert_int_equal(refused(METRICS_WAIT_DISPLACED), 1);
	leave();
	leave();
	for (int i = LOOPS - 1; i >= 0; i--)
		run_mail(&loops[i]);
	assert_int_equal(told_count, 3);
	assert_int_equal(told[1] + told[2], 2 + 6); /* the second place is the other client's */
	assert_int_equal(enter(4, 1), LIMIT_QUEUED);
	limit_abandon(&waiters[4], fake_now);
	limit_abandon(&waiters[2], fake_now);
}

static void abandon_the_next(struct limit_waiter *waiter, bool admitted)
{
	on_settled(waiter, admitted);
	limit_abandon(waiter + LOOPS, fake_now); /* on the same loop */
	leave();
}

static void a_callback_may_abandon_others_and_leave(void **state)
{
	(void)state;
	open_limit(2, 10);
	enter(0, 1);
	enter(1, 1);
	for (int i = 3; i < 18; i += LOOPS) {
		enter(i, 1);
		waiters[i].on_settled = abandon_the_next;
	}
	leave();
	leave();
	run_mail(&loops[0]);
	assert_int_equal(told_count, 3); /* 3, not 6, 9, not 12, 15 */
	assert_int_equal(told[1], 10);
	check_report(2, 0, 0);
}

static void an_adaptive_limit_lets_waiters_in_when_it_grows(void **state)
{
	struct config_concurrency options = {.calls = 40, .adaptive = true, .queue = 30, .wait_us = WAIT_US};
	struct limit_report report;
	(void)state;
	limit = limit_create(&options);
	int running = 0;
	while (running < 40 && enter(running, 1) == LIMIT_GO)
		running++;
	assert_int_equal(running, 20);
	for (int i = 21; i < 40; i++)
		enter(i, 1);
	for (int i = 0; i < 6; i++)
		limit_leave(limit, NULL, 100000, false, fake_now);
	limit_report(limit, &report);
	assert_true(report.limit > 20);
	assert_int_equal(report.running, report.limit);
	limit_leave(limit, NULL, 0, true, fake_now);
	unsigned before = report.limit;
	limit_report(limit, &report);
	assert_true(report.limit < before);
	for (int i = 20; i < 40; i++)
		limit_abandon(&waiters[i], fake_now);
}

static void the_estimate_follows_the_pace_of_ends_and_the_queue(void **state)
{
	(void)state;
	open_limit(1, 10);
	assert_int_equal(limit_estimate_us(limit, fake_now), 1000000);
	enter(0, 1);
	for (int i = 1; i < 5; i++) { /* an end every 3 seconds */
		let_pass(3000000);
		leave();
		enter(0, 1);
	}
	assert_int_equal(limit_estimate_us(limit, fake_now), 3000000);
	enter(1, 1);
	enter(2, 1);
	assert_int_equal(limit_estimate_us(limit, fake_now), 9000000);
	assert_int_equal(limit_estimate_us(limit, fake_now + 5000000), 15000000); /* none has ended for longer */
	assert_int_equal(limit_estimate_us(limit, fake_now + UINT64_C(5000000000000)), 600000000);
	limit_abandon(&waiters[1], fake_now);
	limit_abandon(&waiters[2], fake_now);
}

/* The reference. A waiter's state is what was or will be told to it. */
enum model_state { NOBODY, WAITING, ADMITTED, EXPIRED };
static struct {
	enum model_state state[WAITERS];
	uint64_t client[WAITERS], arrived[WAITERS], due[WAITERS], settled[WAITERS];
	uint64_t turn[CLIENTS], network_turn[CLIENTS];
	unsigned of_client[CLIENTS], of_network[CLIENTS]; /* calls */
	uint64_t stamp;
	unsigned calls, queue, running;
} model;

static unsigned model_count(enum model_state state, uint64_t client)
{
	unsigned count = 0;
	for (int i = 0; i < WAITERS; i++)
		count += model.state[i] == state && (client == UINT64_MAX || model.client[i] == client);
	return count;
}

static unsigned model_count_network(uint64_t network)
{
	unsigned count = 0;
	for (int i = 0; i < WAITERS; i++)
		count += model.state[i] == WAITING && model.client[i] / 2 == network;
	return count;
}

static void model_run(uint64_t client, int change)
{
	model.running += (unsigned)change;
	model.of_client[client] += (unsigned)change;
	model.of_network[client / 2] += (unsigned)change;
}

static void model_settle(int i, enum model_state state)
{
	model.state[i] = state;
	model.settled[i] = ++model.stamp;
}

/* a is served before b: its network and its client run less, their turns are earlier, or it came earlier. */
static bool model_before(int a, int b)
{
	uint64_t first = model.client[a], second = model.client[b];
	if (first / 2 != second / 2)
		return model.of_network[first / 2] != model.of_network[second / 2]
			   ? model.of_network[first / 2] < model.of_network[second / 2]
			   : model.network_turn[first / 2] < model.network_turn[second / 2];
	if (first != second)
		return model.of_client[first] != model.of_client[second]
			   ? model.of_client[first] < model.of_client[second]
			   : model.turn[first] < model.turn[second];
	return model.arrived[a] < model.arrived[b];
}

static void model_grant(void)
{
	while (model.running < model.calls) {
		int next = -1;
		for (int i = 0; i < WAITERS; i++)
			if (model.state[i] == WAITING && (next < 0 || model_before(i, next)))
				next = i;
		if (next < 0)
			return;
		model.network_turn[model.client[next] / 2] = ++model.stamp;
		model.turn[model.client[next]] = ++model.stamp;
		bool late = model.due[next] <= fake_now;
		if (!late)
			model_run(model.client[next], 1);
		model_settle(next, late ? EXPIRED : ADMITTED);
	}
}

/* a yields rather than b, of one network or of any: to a longer lane, an earlier turn, or as the later one of a lane.
 */
static bool model_yields(int a, int b, bool any)
{
	uint64_t first = model.client[a], second = model.client[b];
	if (any && first / 2 != second / 2) {
		unsigned mine = model_count_network(first / 2), other = model_count_network(second / 2);
		return mine != other ? mine > other : model.network_turn[first / 2] < model.network_turn[second / 2];
	}
	if (first != second) {
		unsigned mine = model_count(WAITING, first), other = model_count(WAITING, second);
		return mine != other ? mine > other : model.turn[first] < model.turn[second];
	}
	return model.arrived[a] > model.arrived[b];
}

static int model_last(uint64_t network, bool any)
{
	int last = -1;
	for (int i = 0; i < WAITERS; i++)
		if (model.state[i] == WAITING && (any || model.client[i] / 2 == network) &&
		    (last < 0 || model_yields(i, last, any)))
			last = i;
	return last;
}

/* Who must yield to the client; -1 = nobody. */
static int model_victim(uint64_t client)
{
	int victim = model_last(0, true);
	if (victim < 0 || model_count_network(model.client[victim] / 2) >= model_count_network(client / 2) + 2)
		return victim;
	victim = model_last(client / 2, false);
	bool longer = victim >= 0 && model_count(WAITING, model.client[victim]) >= model_count(WAITING, client) + 2;
	return longer ? victim : -1;
}

static enum limit_verdict model_enter(int i, uint64_t client, uint64_t deadline)
{
	unsigned waiting = model_count(WAITING, UINT64_MAX);
	if (waiting == 0 && model.running < model.calls) {
		model_run(client, 1);
		return LIMIT_GO;
	}
	uint64_t due = fake_now + WAIT_US;
	if (deadline != 0 && deadline < due)
		due = deadline;
	if (due <= fake_now)
		return LIMIT_FULL;
	if (waiting >= model.queue) {
		int victim = model_victim(client);
		if (victim < 0)
			return LIMIT_FULL;
		model_settle(victim, EXPIRED);
	}
	if (model_count_network(client / 2) == 0)
		model.network_turn[client / 2] = ++model.stamp;
	if (model_count(WAITING, client) == 0)
		model.turn[client] = ++model.stamp;
	model.state[i] = WAITING;
	model.client[i] = client;
	model.arrived[i] = ++model.stamp;
	model.due[i] = due;
	return LIMIT_QUEUED;
}

/* The next that its loop will tell; -1 = nobody. */
static int model_mail(int loop)
{
	int next = -1;
	for (int i = loop; i < WAITERS; i += LOOPS)
		if ((model.state[i] == ADMITTED || model.state[i] == EXPIRED) &&
		    (next < 0 || model.settled[i] < model.settled[next]))
			next = i;
	return next;
}

static void check_mail(int loop)
{
	told_count = 0;
	run_mail(&loops[loop]);
	for (int at = 0;; at++) {
		int next = model_mail(loop);
		if (next < 0) {
			assert_int_equal(told_count, at);
			return;
		}
		assert_true(at < told_count);
		assert_int_equal(told[at], model.state[next] == ADMITTED ? next + 1 : -next - 1);
		model.state[next] = NOBODY;
	}
}

static void check_timers(int loop)
{
	int due = 0;
	told_count = 0;
	run_timers(&loops[loop]);
	for (int i = loop; i < WAITERS; i += LOOPS) {
		if (model.state[i] != WAITING || model.due[i] > fake_now)
			continue;
		bool found = false;
		for (int at = 0; at < told_count; at++)
			found |= told[at] == -i - 1;
		assert_true(found);
		model.state[i] = NOBODY;
		due++;
	}
	assert_int_equal(told_count, due);
}

static void check_enter(struct seed *seed, int i)
{
	uint64_t client = seed_below(seed, CLIENTS) * seed_below(seed, 2);
	waiters[i].deadline_us = seed_below(seed, 3) == 0 ? fake_now + seed_below(seed, 2 * WAIT_US) : 0;
	enum limit_verdict expected = model_enter(i, client, waiters[i].deadline_us);
	assert_int_equal(enter(i, client), expected);
}

static void check_abandon(int i)
{
	limit_abandon(&waiters[i], fake_now);
	bool had_place = model.state[i] == ADMITTED;
	model.state[i] = NOBODY;
	if (had_place) {
		model_run(model.client[i], -1);
		model_grant();
	}
}

static void step(struct seed *seed)
{
	int i = (int)seed_below(seed, WAITERS);
	switch (seed_below(seed, 8)) {
	case 0:
	case 1:
	case 2:
		if (model.state[i] == NOBODY)
			check_enter(seed, i);
		break;
	case 3:
	case 4:
		if (model.running > model_count(ADMITTED, UINT64_MAX)) {
			model_run(leave(), -1);
			model_grant();
		}
		break;
	case 5:
		check_abandon(i);
		break;
	case 6:
		check_mail(i % LOOPS);
		break;
	default:
		let_pass(seed_below(seed, WAIT_US / 2));
		if (seed_below(seed, 2) == 0)
			check_timers(i % LOOPS);
	}
}

static void random_operations_agree_with_the_reference(void **state)
{
	struct seed seed = seed_start();
	(void)state;
	for (int run = 0; run < 60; run++) {
		memset(&model, 0, sizeof(model));
		model.calls = (unsigned)seed_below(&seed, 6) + 1;
		model.queue = (unsigned)seed_below(&seed, 20);
		open_limit(model.calls, model.queue);
		memset(waiters, 0, sizeof(waiters));
		place_count = 0;
		for (int i = 0; i < 3000; i++) {
			step(&seed);
			check_report(model.calls, model.running, model_count(WAITING, UINT64_MAX));
			assert_int_equal(metrics_sum(METRIC_QUEUE_WAITING, 0, 0, 0),
					 WAITERS - model_count(NOBODY, UINT64_MAX));
		}
		for (int i = 0; i < WAITERS; i++)
			check_abandon(i);
		for (int i = 0; i < LOOPS; i++)
			check_mail(i); /* empty, but takes the message out */
	}
}

#define LIMIT_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    LIMIT_TEST(without_a_limit_all_go),
	    LIMIT_TEST(beyond_the_limit_they_wait_and_beyond_the_queue_they_are_refused),
	    LIMIT_TEST(who_waited_long_enough_is_told_so),
	    LIMIT_TEST(a_place_is_not_given_to_one_whose_time_is_up),
	    LIMIT_TEST(one_that_abandons_is_out_at_once),
	    LIMIT_TEST(a_place_given_to_one_that_abandons_goes_on_to_the_next),
	    LIMIT_TEST(a_full_queue_takes_the_place_of_a_burst_for_another_client),
	    LIMIT_TEST(a_callback_may_abandon_others_and_leave),
	    LIMIT_TEST(an_adaptive_limit_lets_waiters_in_when_it_grows),
	    LIMIT_TEST(the_estimate_follows_the_pace_of_ends_and_the_queue),
	    LIMIT_TEST(random_operations_agree_with_the_reference),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
