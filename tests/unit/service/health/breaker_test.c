/* SPDX-License-Identifier: MIT */
/*
 * The breaker's rules, one test each, and random histories against a model that
 * keeps every outcome in a list and recomputes all it needs from it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/health/breaker.h"
#include "tests/unit/seed.h"

#define SECOND 1000000ull

static const struct config_breaker options = {
    .enabled = true,
    .window_us = 60 * SECOND,
    .calls = 10,
    .percent = 50,
    .consecutive = 5,
    .unreachable = 3,
    .wait_us = 5 * SECOND,
    .wait_most_us = 300 * SECOND,
};

static struct breaker breaker;
static uint64_t now;

static int setup(void **state)
{
	(void)state;
	breaker_init(&breaker, &options, false, 1);
	now = 1000 * SECOND;
	return 0;
}

static bool admits(void)
{
	return breaker_admits(&breaker, 0, now);
}

static struct health_call enter(void)
{
	struct health_call call = {0};
	assert_true(admits());
	breaker_enter(&breaker, &call, now);
	return call;
}

static void leave(const struct health_call *call, enum failure_verdict outcome)
{
	breaker_leave(&breaker, call, outcome, now);
}

static void run(enum failure_verdict outcome)
{
	struct health_call call = enter();
	leave(&call, outcome);
}

static void run_many(unsigned count, enum failure_verdict outcome)
{
	while (count-- > 0)
		run(outcome);
}

/* A call with content that ends well or not. */
static void run_content(enum failure_verdict outcome)
{
	struct health_call call = enter();
	breaker_content(&breaker, &call, now);
	leave(&call, outcome);
}

static void expect_opened(enum breaker_why why)
{
	assert_int_equal(breaker.state, HEALTH_BREAKER_OPEN);
	assert_int_equal(breaker.why, why);
	assert_false(admits());
}

static void wait_for_probe(void)
{
	assert_int_equal(breaker.state, HEALTH_BREAKER_OPEN);
	now = breaker.until_us;
}

static void open_it(void)
{
	run_many(5, FAILURE_IS_FAILED);
	assert_int_equal(breaker.state, HEALTH_BREAKER_OPEN);
}

/* ---- closed ---- */

static void five_failures_in_a_row_open_it(void **state)
{
	(void)state;
	run_many(4, FAILURE_IS_FAILED);
	assert_int_equal(breaker.state, HEALTH_BREAKER_CLOSED);
	run(FAILURE_IS_FAILED);
	expect_opened(BREAKER_CONSECUTIVE);
}

static void a_success_interrupts_the_row(void **state)
{
	(void)state;
	run_many(4, FAILURE_IS_FAILED);
	run(FAILURE_IS_GOOD);
	run_many(4, FAILURE_IS_FAILED);
	assert_int_equal(breaker.state, HEALTH_BREAKER_CLOSED);
}

static void content_interrupts_the_row_while_its_call_runs_on(void **state)
{
	(void)state;
	struct health_call call = enter();
	run_many(4, FAILURE_IS_FAILED);
	breaker_content(&breaker, &call, now);
	run_many(4, FAILURE_IS_FAILED);
	assert_int_equal(breaker.state, HEALTH_BREAKER_CLOSED);
}

static void half_of_ten_outcomes_failed_opens_it(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		run(FAILURE_IS_GOOD);
		run(FAILURE_IS_FAILED);
	}
	run(FAILURE_IS_GOOD);
	assert_int_equal(breaker.state, HEALTH_BREAKER_CLOSED);
	run(FAILURE_IS_FAILED);
	expect_opened(BREAKER_SHARE);
}

static void less_than_half_does_not(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 30; i++) {
		run(FAILURE_IS_GOOD);
		run(FAILURE_IS_GOOD);
		run(FAILURE_IS_FAILED);
	}
	assert_int_equal(breaker.state, HEALTH_BREAKER_CLOSED);
}

static void outcomes_older_than_the_window_do_not_count(void **state)
{
	(void)state;
	run_many(4, FAILURE_IS_FAILED);
	run(FAILURE_IS_GOOD);
	run_many(4, FAILURE_IS_FAILED);
	now += 60 * SECOND;
	assert_int_equal(breaker_window(&breaker, now).outcomes, 0);
	run(FAILURE_IS_GOOD);
	run(FAILURE_IS_FAILED);
	assert_int_equal(breaker.state, HEALTH_BREAKER_CLOSED);
	assert_int_equal(breaker_window(&breaker, now).outcomes, 2);
	assert_int_equal(breaker_window(&breaker, now).failed, 1);
}

static void three_unreachable_in_a_row_open_it(void **state)
{
	(void)state;
	run_many(2, FAILURE_IS_UNREACHABLE);
	assert_int_equal(breaker.state, HEALTH_BREAKER_CLOSED);
	run(FAILURE_IS_UNREACHABLE);
	expect_opened(BREAKER_NO_CONNECTION);
}

static void any_answer_interrupts_the_row_of_unreachable(void **state)
{
	(void)state;
	static const enum failure_verdict answers[] = {FAILURE_IS_GOOD, FAILURE_IS_FAILED, FAILURE_IS_ANSWERED};
	for (unsigned i = 0; i < 3; i++) {
		setup(NULL);
		run_many(2, FAILURE_IS_UNREACHABLE);
		run(answers[i]);
		run(FAILURE_IS_UNREACHABLE);
		assert_int_equal(breaker.state, HEALTH_BREAKER_CLOSED);
	}
}

static void neutral_outcomes_count_for_nothing(void **state)
{
	(void)state;
	run_many(4, FAILURE_IS_FAILED);
	run_many(100, FAILURE_IS_NEUTRAL);
	run_many(100, FAILURE_IS_ANSWERED);
	assert_int_equal(breaker_window(&breaker, now).outcomes, 4);
	run(FAILURE_IS_FAILED);
	expect_opened(BREAKER_CONSECUTIVE);
}

static void breaks_after_content_count_as_failures(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++)
		run_content(FAILURE_IS_FAILED);
	assert_int_equal(breaker_window(&breaker, now).outcomes, 4);
	assert_int_equal(breaker_window(&breaker, now).failed, 4);
	assert_int_equal(breaker.state, HEALTH_BREAKER_CLOSED);
	run_content(FAILURE_IS_FAILED);
	expect_opened(BREAKER_CONSECUTIVE);
}

static void a_call_that_is_good_to_its_end_interrupts_the_row_of_breaks(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++)
		run_content(FAILURE_IS_FAILED);
	run_content(FAILURE_IS_GOOD);
	run_content(FAILURE_IS_FAILED);
	assert_int_equal(breaker.state, HEALTH_BREAKER_CLOSED);
}

static void a_break_long_after_its_content_is_one_failure(void **state)
{
	(void)state;
	struct health_call call = enter();
	breaker_content(&breaker, &call, now);
	now += 600 * SECOND;
	run(FAILURE_IS_GOOD);
	leave(&call, FAILURE_IS_FAILED);
	assert_int_equal(breaker_window(&breaker, now).outcomes, 2);
	assert_int_equal(breaker_window(&breaker, now).failed, 1);
}

static void a_disabled_one_never_opens(void **state)
{
	(void)state;
	struct config_breaker disabled = options;
	disabled.enabled = false;
	breaker_init(&breaker, &disabled, false, 1);
	run_many(100, FAILURE_IS_UNREACHABLE);
	assert_int_equal(breaker.state, HEALTH_BREAKER_CLOSED);
}

/* ---- open ---- */

static void it_waits_from_half_to_full_and_doubles_up_to_the_most(void **state)
{
	(void)state;
	uint64_t full = 5 * SECOND;
	open_it();
	for (unsigned i = 0; i < 20; i++) {
		uint64_t wait = breaker.until_us - now;
		assert_in_range(wait, full / 2, full);
		assert_int_equal(breaker.opened, i + 1);
		wait_for_probe();
		run(FAILURE_IS_FAILED);
		expect_opened(BREAKER_PROBE);
		full = full * 2 < 300 * SECOND ? full * 2 : 300 * SECOND;
	}
	assert_int_equal(full, 300 * SECOND);
}

static void waits_differ_between_seeds(void **state)
{
	(void)state;
	uint64_t least = UINT64_MAX;
	uint64_t most = 0;
	for (uint64_t seed = 0; seed < 100; seed++) {
		breaker_init(&breaker, &options, false, seed);
		open_it();
		uint64_t wait = breaker.until_us - now;
		least = wait < least ? wait : least;
		most = wait > most ? wait : most;
	}
	assert_in_range(least, 5 * SECOND / 2, 28 * SECOND / 10);
	assert_in_range(most, 47 * SECOND / 10, 5 * SECOND);
}

static void a_refusal_tells_how_long_it_holds(void **state)
{
	(void)state;
	open_it();
	now += SECOND;
	assert_false(admits());
	assert_int_equal(breaker_wait_us(&breaker, now), breaker.until_us - now);
	now = breaker.until_us - 1;
	assert_false(admits());
	now++;
	assert_true(admits());
	assert_int_equal(breaker_wait_us(&breaker, now), 0);
}

/* A backend that was down for two minutes waited up to five minutes more when it failed once again. */
static void a_good_probe_ends_the_doubling(void **state)
{
	(void)state;
	open_it();
	for (unsigned i = 0; i < 4; i++) {
		wait_for_probe();
		run(FAILURE_IS_FAILED);
	}
	assert_int_equal(breaker.opened, 5);
	wait_for_probe();
	run(FAILURE_IS_GOOD);
	run(FAILURE_IS_FAILED);
	assert_int_equal(breaker.opened, 1);
	assert_in_range(breaker.until_us, now + 5 * SECOND / 2, now + 5 * SECOND);
}

static void open_at_pace(bool alone, uint64_t took_us)
{
	breaker_init(&breaker, &options, alone, 1);
	for (unsigned opened = 0; opened < 6; opened++) {
		if (breaker.state == HEALTH_BREAKER_OPEN)
			now = breaker.until_us;
		do {
			struct health_call call = {.started_us = now};
			breaker_enter(&breaker, &call, now);
			now += took_us;
			breaker_leave(&breaker, &call, FAILURE_IS_FAILED, now);
		} while (breaker.state != HEALTH_BREAKER_OPEN);
	}
}

static void a_target_without_alternative_that_fails_at_once_is_back_within_two_seconds(void **state)
{
	(void)state;
	open_at_pace(true, 1000);
	assert_in_range(breaker.until_us - now, SECOND, 2 * SECOND);
	open_at_pace(true, 2 * SECOND);
	assert_true(breaker.until_us - now > 2 * SECOND);
	open_at_pace(false, 1000);
	assert_true(breaker.until_us - now > 2 * SECOND);
}

/* ---- half-open ---- */

static void one_then_two_then_four_probes_run_at_once(void **state)
{
	(void)state;
	struct health_call calls[7];
	open_it();
	wait_for_probe();
	calls[0] = enter();
	assert_int_equal(breaker.state, HEALTH_BREAKER_HALF_OPEN);
	assert_true(calls[0].probe);
	assert_false(admits());
	breaker_content(&breaker, &calls[0], now);
	calls[1] = enter();
	calls[2] = enter();
	assert_false(admits());
	breaker_content(&breaker, &calls[1], now);
	for (unsigned i = 3; i < 6; i++)
		calls[i] = enter();
	assert_false(admits());
	assert_int_equal(breaker.state, HEALTH_BREAKER_HALF_OPEN);
}

static void three_successes_close_it(void **state)
{
	(void)state;
	open_it();
	wait_for_probe();
	run_many(2, FAILURE_IS_GOOD);
	assert_int_equal(breaker.state, HEALTH_BREAKER_HALF_OPEN);
	run(FAILURE_IS_GOOD);
	assert_int_equal(breaker.state, HEALTH_BREAKER_CLOSED);
	assert_int_equal(breaker_window(&breaker, now).outcomes, 0);
	run_many(4, FAILURE_IS_FAILED);
	assert_int_equal(breaker.state, HEALTH_BREAKER_CLOSED);
	assert_int_equal(breaker.changes[HEALTH_BREAKER_OPEN], 1);
	assert_int_equal(breaker.changes[HEALTH_BREAKER_HALF_OPEN], 1);
	assert_int_equal(breaker.changes[HEALTH_BREAKER_CLOSED], 1);
}

static void one_failed_probe_opens_it_again(void **state)
{
	(void)state;
	open_it();
	wait_for_probe();
	run_many(2, FAILURE_IS_GOOD);
	run(FAILURE_IS_UNREACHABLE);
	expect_opened(BREAKER_PROBE);
}

static void content_is_the_success_and_its_break_the_failure_of_a_probe(void **state)
{
	(void)state;
	open_it();
	wait_for_probe();
	struct health_call call = enter();
	breaker_content(&breaker, &call, now);
	assert_int_equal(breaker.successes, 1);
	assert_int_equal(breaker.probes, 0);
	leave(&call, FAILURE_IS_FAILED);
	expect_opened(BREAKER_PROBE);
}

static void content_and_a_good_end_are_one_success(void **state)
{
	(void)state;
	open_it();
	wait_for_probe();
	for (unsigned i = 1; i <= 2; i++) {
		run_content(FAILURE_IS_GOOD);
		assert_int_equal(breaker.successes, i);
		assert_int_equal(breaker.probes, 0);
	}
}

static void an_answer_without_verdict_gives_a_probes_place_back(void **state)
{
	(void)state;
	open_it();
	wait_for_probe();
	for (unsigned i = 0; i < 10; i++) {
		run(FAILURE_IS_ANSWERED);
		assert_int_equal(breaker.state, HEALTH_BREAKER_HALF_OPEN);
		assert_int_equal(breaker.successes, 0);
		assert_int_equal(breaker.probes, 0);
	}
	struct health_call call = enter();
	breaker_content(&breaker, &call, now);
	leave(&call, FAILURE_IS_NEUTRAL);
	assert_int_equal(breaker.successes, 1);
	assert_int_equal(breaker.probes, 0);
}

static void a_client_that_leaves_gives_no_place_back(void **state)
{
	(void)state;
	open_it();
	wait_for_probe();
	run(FAILURE_IS_NEUTRAL);
	assert_false(admits());
	now += SECOND - 1;
	assert_false(admits());
	now++;
	assert_true(admits());
}

static void a_slow_probe_holds_others_up_for_a_second(void **state)
{
	(void)state;
	open_it();
	wait_for_probe();
	struct health_call slow = enter();
	now += SECOND / 4;
	assert_false(admits());
	uint64_t wait = breaker_wait_us(&breaker, now);
	assert_int_equal(wait, SECOND * 3 / 4);
	now += wait;
	struct health_call quick = enter();
	assert_false(admits());
	breaker_content(&breaker, &slow, now); /* its place is another's: two may probe, one does */
	assert_int_equal(breaker.probes, 1);
	enter();
	assert_false(admits());
	breaker_content(&breaker, &quick, now);
	assert_int_equal(breaker.successes, 2);
}

/* Three clients poll and leave, a fourth one stays for its answer: whoever comes is let through by chance. */
static void without_alternative_a_share_of_all_calls_is_let_through(void **state)
{
	enum { CALLS_OF_EACH = 1000 };
	(void)state;
	for (uint64_t seed = 1; seed <= 50; seed++) {
		unsigned through[4] = {0};
		breaker_init(&breaker, &options, true, seed);
		open_it();
		wait_for_probe();
		for (unsigned i = 0; i < CALLS_OF_EACH * 4; i++) {
			now += SECOND / 100;
			if (!admits()) {
				breaker_refuse(&breaker);
				continue;
			}
			run(FAILURE_IS_NEUTRAL);
			through[i % 4]++;
		}
		for (unsigned i = 0; i < 4; i++)
			assert_in_range(through[i], CALLS_OF_EACH / 8, CALLS_OF_EACH / 2);
	}
}

static void a_share_that_hangs_is_bounded(void **state)
{
	(void)state;
	unsigned out = 0;
	breaker_init(&breaker, &options, true, 1);
	open_it();
	wait_for_probe();
	for (unsigned i = 0; i < 100000; i++) {
		if (admits()) {
			enter();
			out++;
		} else {
			breaker_refuse(&breaker);
		}
	}
	assert_int_equal(out, BREAKER_ALONE_MOST);
}

static void what_belongs_to_an_earlier_state_judges_nobody(void **state)
{
	(void)state;
	struct health_call good = enter();
	struct health_call bad = enter();
	struct health_call broken = enter();
	breaker_content(&breaker, &broken, now);
	open_it();
	leave(&good, FAILURE_IS_GOOD);
	assert_int_equal(breaker.state, HEALTH_BREAKER_OPEN);
	wait_for_probe();
	struct health_call probe = enter();
	leave(&bad, FAILURE_IS_FAILED);
	leave(&broken, FAILURE_IS_FAILED);
	assert_int_equal(breaker.state, HEALTH_BREAKER_HALF_OPEN);
	assert_int_equal(breaker.probes, 1);
	leave(&probe, FAILURE_IS_GOOD);
	assert_int_equal(breaker.successes, 1);
}

static void a_clock_that_is_behind_takes_nothing_back(void **state)
{
	(void)state;
	run_many(4, FAILURE_IS_FAILED);
	now -= 90 * SECOND;
	run(FAILURE_IS_GOOD);
	assert_int_equal(breaker_window(&breaker, now).outcomes, 5);
	now += 90 * SECOND;
	assert_int_equal(breaker_window(&breaker, now).outcomes, 5);
}

/* ---- random histories ---- */

enum { CALLS = 24, STEPS = 200000, HISTORY = 1 << 18 };

/* The model: everything that ever happened in the present state. */
struct outcome {
	uint64_t at_us;
	int call; /* whose success may be taken back, or -1 */
	bool failed;
	bool counts; /* false: taken back */
};

struct model {
	enum health_breaker state;
	unsigned era; /* states so far */
	struct outcome history[HISTORY];
	size_t count;
	unsigned failures, breaks, unreachable;
	unsigned good_probes;
	unsigned left;      /* places of probes whose clients left */
	uint64_t probed_us; /* when the last one was let through */
	uint64_t until_us, closed_us;
	unsigned opened;
};

struct model_call {
	struct health_call ticket;
	bool running;
	bool place; /* it holds one of those for probes, if it is one */
	unsigned era;
	bool content;
};

static struct model model;
static struct model_call calls[CALLS];

static void model_enter_state(enum health_breaker state)
{
	model.state = state;
	model.era++;
	model.count = 0;
	model.failures = model.breaks = model.unreachable = 0;
	model.good_probes = model.left = 0;
	if (state == HEALTH_BREAKER_CLOSED)
		model.closed_us = now;
}

/* Six stretches of time, the present one included. */
static void model_window(unsigned *outcomes, unsigned *failed)
{
	uint64_t width = options.window_us / 6;
	*outcomes = *failed = 0;
	for (size_t i = 0; i < model.count; i++) {
		const struct outcome *outcome = &model.history[i];
		if (!outcome->counts || outcome->at_us / width + 6 <= now / width)
			continue;
		*outcomes += 1;
		*failed += outcome->failed;
	}
}

/* It opened: the wait is the breaker's own, if it may be. */
static void model_open(void)
{
	model.opened++;
	uint64_t full = options.wait_us;
	for (unsigned i = 1; i < model.opened; i++)
		full = full * 2 > options.wait_most_us ? options.wait_most_us : full * 2;
	assert_in_range(breaker.until_us, now + full / 2, now + full);
	model.until_us = breaker.until_us;
	model_enter_state(HEALTH_BREAKER_OPEN);
}

static void model_note(int call, bool failed)
{
	assert_true(model.count < HISTORY);
	model.history[model.count++] = (struct outcome){now, call, failed, true};
}

static bool model_should_open(void)
{
	unsigned outcomes;
	unsigned failed;
	model_window(&outcomes, &failed);
	return model.unreachable >= options.unreachable || model.failures >= options.consecutive ||
	       model.breaks >= options.consecutive ||
	       (outcomes >= options.calls && failed * 100 >= outcomes * options.percent);
}

static unsigned model_probes_out(void)
{
	unsigned out = model.left;
	for (unsigned i = 0; i < CALLS; i++)
		out += calls[i].running && calls[i].place && calls[i].era == model.era && !calls[i].content;
	return out;
}

static bool model_probes_hold(void)
{
	return now - model.probed_us < SECOND;
}

/* A probe is let through: those of more than a second ago hold no place any more. */
static void model_probe(void)
{
	for (unsigned i = 0; i < CALLS && !model_probes_hold(); i++)
		calls[i].place = false;
	if (!model_probes_hold())
		model.left = 0;
	model.probed_us = now;
}

static bool model_admits(void)
{
	static const unsigned at_once[] = {1, 2, 4};
	if (model.state == HEALTH_BREAKER_OPEN)
		return now >= model.until_us;
	return model.state == HEALTH_BREAKER_CLOSED || model_probes_out() < at_once[model.good_probes] ||
	       !model_probes_hold();
}

static void model_success(int call)
{
	if (model.state == HEALTH_BREAKER_HALF_OPEN) {
		model.opened = 0;
		if (++model.good_probes == 3)
			model_enter_state(HEALTH_BREAKER_CLOSED);
		return;
	}
	model_note(call, false);
	model.failures = model.unreachable = 0;
}

static void model_failure(int call, bool unreachable)
{
	if (model.state == HEALTH_BREAKER_HALF_OPEN) {
		model_open();
		return;
	}
	for (size_t i = 0; i < model.count; i++)
		if (model.history[i].call == call && calls[call].content)
			model.history[i].counts = false;
	model_note(-1, true);
	model.failures++;
	model.breaks += calls[call].content;
	model.unreachable = unreachable ? model.unreachable + 1 : 0;
	if (model_should_open())
		model_open();
}

static void step_enter(int call)
{
	assert_int_equal(admits(), model_admits());
	if (!admits())
		return;
	if (model.state == HEALTH_BREAKER_OPEN)
		model_enter_state(HEALTH_BREAKER_HALF_OPEN);
	if (model.state == HEALTH_BREAKER_HALF_OPEN)
		model_probe();
	calls[call] = (struct model_call){.running = true, .place = true, .era = model.era};
	breaker_enter(&breaker, &calls[call].ticket, now);
	for (size_t i = 0; i < model.count; i++) /* the place in the array is another call's now */
		if (model.history[i].call == call)
			model.history[i].call = -1;
}

static void step_content(int call)
{
	if (calls[call].content)
		return;
	bool counts = calls[call].era == model.era;
	breaker_content(&breaker, &calls[call].ticket, now);
	calls[call].content = true;
	if (counts)
		model_success(call);
}

static void step_leave(int call, enum failure_verdict outcome)
{
	bool counts = calls[call].era == model.era;
	breaker_leave(&breaker, &calls[call].ticket, outcome, now);
	calls[call].running = false;
	if (!counts)
		return;
	if (outcome == FAILURE_IS_FAILED || outcome == FAILURE_IS_UNREACHABLE) {
		model_failure(call, outcome == FAILURE_IS_UNREACHABLE);
		return;
	}
	if (outcome == FAILURE_IS_ANSWERED)
		model.unreachable = 0;
	if (outcome == FAILURE_IS_NEUTRAL && model.state == HEALTH_BREAKER_HALF_OPEN && !calls[call].content)
		model.left += calls[call].place;
	if (outcome == FAILURE_IS_GOOD) {
		model.breaks = 0;
		if (!calls[call].content)
			model_success(call);
	}
}

static void compare(void)
{
	unsigned outcomes;
	unsigned failed;
	assert_int_equal(breaker.state, model.state);
	if (model.state == HEALTH_BREAKER_HALF_OPEN)
		assert_int_equal(breaker.probes, model_probes_out());
	if (model.state != HEALTH_BREAKER_CLOSED)
		return;
	model_window(&outcomes, &failed);
	assert_int_equal(breaker_window(&breaker, now).outcomes, outcomes);
	assert_int_equal(breaker_window(&breaker, now).failed, failed);
}

/* How bad the backend is at present, percent of failures; changes now and then. */
static enum failure_verdict draw_outcome(struct seed *seed, unsigned badness)
{
	if (seed_below(seed, 100) < badness)
		return seed_below(seed, 3) == 0 ? FAILURE_IS_UNREACHABLE : FAILURE_IS_FAILED;
	static const enum failure_verdict others[] = {FAILURE_IS_GOOD, FAILURE_IS_GOOD, FAILURE_IS_GOOD,
						      FAILURE_IS_ANSWERED, FAILURE_IS_NEUTRAL};
	return others[seed_below(seed, 5)];
}

static void step(struct seed *seed, unsigned badness)
{
	int call = (int)seed_below(seed, CALLS);
	uint64_t dice = seed_below(seed, 100);
	if (dice < 10)
		now += seed_below(seed, 4 * SECOND);
	else if (dice == 99)
		now += seed_below(seed, 120 * SECOND);
	else if (!calls[call].running)
		step_enter(call);
	else if (dice < 40)
		step_content(call);
	else
		step_leave(call, draw_outcome(seed, badness));
}

static void random_histories_agree_with_the_model(void **state)
{
	static const unsigned moods[] = {2, 20, 45, 90};
	(void)state;
	struct seed seed = seed_start();
	unsigned badness = 20;
	model = (struct model){0};
	for (unsigned i = 0; i < CALLS; i++)
		calls[i].running = false;
	for (unsigned i = 0; i < STEPS; i++) {
		if (seed_below(&seed, 300) == 0)
			badness = moods[seed_below(&seed, 4)];
		step(&seed, badness);
		compare();
	}
	assert_true(breaker.changes[HEALTH_BREAKER_CLOSED] > 100); /* it saw life */
}

static bool admits_client(uint64_t client)
{
	return breaker_admits(&breaker, client, now);
}

static void run_as(uint64_t client, enum failure_verdict outcome)
{
	struct health_call call = {.use.client = client};
	assert_true(admits_client(client));
	breaker_enter(&breaker, &call, now);
	leave(&call, outcome);
}

static void failures_of_one_client_open_it_for_that_one(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++)
		run_as(7, FAILURE_IS_FAILED);
	assert_int_equal(breaker.state, HEALTH_BREAKER_OPEN);
	assert_false(admits_client(7));
	run_as(8, FAILURE_IS_GOOD);
	run_as(9, FAILURE_IS_GOOD);
	assert_false(admits_client(7));
	run_as(8, FAILURE_IS_FAILED);
	assert_false(admits_client(8));
	assert_false(admits_client(9));
}

static void failures_of_two_clients_or_without_a_connection_open_it_for_all(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++)
		run_as(7 + (uint64_t)i % 2, FAILURE_IS_FAILED);
	assert_false(admits_client(9));
	setup(state);
	for (int i = 0; i < 3; i++)
		run_as(7, FAILURE_IS_UNREACHABLE);
	assert_false(admits_client(9));
}

/* Whoever succeeded meanwhile clears the row, and a share of failures is that of the clients in the window. */
static void the_share_of_failures_is_blamed_on_those_who_failed(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++) {
		run_as(8, FAILURE_IS_GOOD);
		run_as(7, FAILURE_IS_FAILED);
	}
	assert_int_equal(breaker.state, HEALTH_BREAKER_OPEN);
	assert_false(admits_client(7));
	assert_true(admits_client(8));
}

/* One that holds for all is tried by anybody; after a good probe, a bad one holds for its client. */
static void a_good_probe_ends_what_holds_for_all(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++)
		run_as(7 + (uint64_t)i % 2, FAILURE_IS_FAILED);
	now = breaker.until_us;
	run_as(8, FAILURE_IS_GOOD);
	run_as(7, FAILURE_IS_FAILED);
	assert_int_equal(breaker.state, HEALTH_BREAKER_OPEN);
	assert_false(admits_client(7));
	assert_true(admits_client(8));
	now = breaker.until_us;
	for (int i = 0; i < BREAKER_SUCCESSES; i++)
		run_as(8, FAILURE_IS_GOOD);
	assert_int_equal(breaker.state, HEALTH_BREAKER_CLOSED);
	assert_true(admits_client(7));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(failures_of_one_client_open_it_for_that_one, setup),
	    cmocka_unit_test_setup(failures_of_two_clients_or_without_a_connection_open_it_for_all, setup),
	    cmocka_unit_test_setup(the_share_of_failures_is_blamed_on_those_who_failed, setup),
	    cmocka_unit_test_setup(a_good_probe_ends_what_holds_for_all, setup),
	    cmocka_unit_test_setup(five_failures_in_a_row_open_it, setup),
	    cmocka_unit_test_setup(a_success_interrupts_the_row, setup),
	    cmocka_unit_test_setup(content_interrupts_the_row_while_its_call_runs_on, setup),
	    cmocka_unit_test_setup(half_of_ten_outcomes_failed_opens_it, setup),
	    cmocka_unit_test_setup(less_than_half_does_not, setup),
	    cmocka_unit_test_setup(outcomes_older_than_the_window_do_not_count, setup),
	    cmocka_unit_test_setup(three_unreachable_in_a_row_open_it, setup),
	    cmocka_unit_test_setup(any_answer_interrupts_the_row_of_unreachable, setup),
	    cmocka_unit_test_setup(neutral_outcomes_count_for_nothing, setup),
	    cmocka_unit_test_setup(breaks_after_content_count_as_failures, setup),
	    cmocka_unit_test_setup(a_call_that_is_good_to_its_end_interrupts_the_row_of_breaks, setup),
	    cmocka_unit_test_setup(a_break_long_after_its_content_is_one_failure, setup),
	    cmocka_unit_test_setup(a_disabled_one_never_opens, setup),
	    cmocka_unit_test_setup(it_waits_from_half_to_full_and_doubles_up_to_the_most, setup),
	    cmocka_unit_test_setup(waits_differ_between_seeds, setup),
	    cmocka_unit_test_setup(a_refusal_tells_how_long_it_holds, setup),
	    cmocka_unit_test_setup(a_good_probe_ends_the_doubling, setup),
	    cmocka_unit_test_setup(a_target_without_alternative_that_fails_at_once_is_back_within_two_seconds, setup),
	    cmocka_unit_test_setup(one_then_two_then_four_probes_run_at_once, setup),
	    cmocka_unit_test_setup(three_successes_close_it, setup),
	    cmocka_unit_test_setup(one_failed_probe_opens_it_again, setup),
	    cmocka_unit_test_setup(content_is_the_success_and_its_break_the_failure_of_a_probe, setup),
	    cmocka_unit_test_setup(content_and_a_good_end_are_one_success, setup),
	    cmocka_unit_test_setup(an_answer_without_verdict_gives_a_probes_place_back, setup),
	    cmocka_unit_test_setup(a_client_that_leaves_gives_no_place_back, setup),
	    cmocka_unit_test_setup(a_slow_probe_holds_others_up_for_a_second, setup),
	    cmocka_unit_test_setup(without_alternative_a_share_of_all_calls_is_let_through, setup),
	    cmocka_unit_test_setup(a_share_that_hangs_is_bounded, setup),
	    cmocka_unit_test_setup(what_belongs_to_an_earlier_state_judges_nobody, setup),
	    cmocka_unit_test_setup(a_clock_that_is_behind_takes_nothing_back, setup),
	    cmocka_unit_test_setup(random_histories_agree_with_the_model, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
