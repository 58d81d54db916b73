/* SPDX-License-Identifier: MIT */
/*
 * Health as its callers see it: what an outcome does to whom, random calls
 * against a recount of all tickets, and four threads at once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/log.h"
#include "service/health/health_metrics.h"
#include "service/health/latency.h"
#include "service/health/quantile.h"
#include "tests/unit/seed.h"

#define SECOND 1000000ull

enum { BACKENDS = 2, TARGETS = 3, MODELS = 2 };

static struct config_backend backends[BACKENDS];
static const struct config_target targets[TARGETS] = {
    {&backends[0], "x", "a/x", false}, {&backends[0], "y", "a/y", false}, {&backends[1], "x", "b/x", false}};
static const struct config_model models[MODELS] = {{.name = "m"}, {.name = "n"}};
static struct config config;
static struct health *health;
static uint64_t now;

static int setup(void **state)
{
	(void)state;
	for (unsigned i = 0; i < BACKENDS; i++)
		backends[i] = (struct config_backend){
		    .name = i == 0 ? "a" : "b",
		    .breaker = {true, 60 * SECOND, 10, 50, 5, 3, 5 * SECOND, 300 * SECOND},
		    .probe = {.fall = 3, .rise = 2, .slow_start_us = 30 * SECOND},
		};
	config = (struct config){.backends = backends,
				 .backend_count = BACKENDS,
				 .targets = targets,
				 .target_count = TARGETS,
				 .models = models,
				 .model_count = MODELS,
				 .retries = {20, 3}};
	now = 1000 * SECOND;
	health = health_create(&config, 1, NULL);
	return health == NULL ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	health_destroy(health);
	return 0;
}

static void start_over(void)
{
	teardown(NULL);
	assert_int_equal(setup(NULL), 0);
}

static struct health_use use_of(size_t target)
{
	return (struct health_use){.target = target};
}

static void leave(struct health_call *call, enum error_code code, uint64_t retry_after_us, uint64_t at)
{
	struct health_outcome outcome = {.code = code,
					 .kind = failure_kind_of(code),
					 .retry_after_us = code == ERROR_UPSTREAM_BUSY ? retry_after_us : 0};
	health_leave(call, &outcome, at);
}

static enum health_reason enter_as(struct health_call *call, size_t target, enum health_purpose purpose)
{
	uint64_t wait;
	struct health_use use = use_of(target);
	return health_enter(health, call, &use, purpose, now, &wait);
}

/* One call to the first target. False when it was refused. */
static bool run(enum error_code outcome, uint64_t retry_after_us)
{
	struct health_call call = {0};
	if (enter_as(&call, 0, HEALTH_FIRST) != HEALTH_OK)
		return false;
	leave(&call, outcome, retry_after_us, now);
	return true;
}

static struct health_view view_of(size_t target)
{
	struct health_view view;
	struct health_use use = use_of(target);
	health_view(health, &use, now, &view);
	return view;
}

static struct health_report report_of(size_t target)
{
	struct health_report report;
	health_report(health, target, now, &report);
	return report;
}

/* ---- what an outcome does ---- */

static void only_the_backends_own_failures_count(void **state)
{
	(void)state;
	for (enum error_code code = ERROR_NONE + 1; code < ERROR_COUNT; code++) {
		start_over();
		bool counts = failure_row(failure_kind_of(code))->breaker >= FAILURE_IS_FAILED;
		for (unsigned i = 0; i < 5; i++)
			run(code, 0);
		if ((report_of(0).breaker == HEALTH_BREAKER_OPEN) != counts)
			fail_msg("%s", error_row(code)->code);
		assert_int_equal(view_of(0).running, 0);
	}
}

static void failures_to_connect_open_after_three(void **state)
{
	static const enum error_code codes[] = {ERROR_UPSTREAM_CONNECT, ERROR_UPSTREAM_CONNECT_TIMEOUT,
						ERROR_UPSTREAM_DNS, ERROR_UPSTREAM_TLS};
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		run(codes[i], 0);
		run(codes[i], 0);
		assert_int_equal(report_of(0).breaker, HEALTH_BREAKER_CLOSED);
		run(codes[i], 0);
		struct health_report report = report_of(0);
		assert_int_equal(report.breaker, HEALTH_BREAKER_OPEN);
		assert_string_equal(report.why, "unreachable");
		assert_int_equal(report.last, codes[i]);
		start_over();
	}
}

static void an_open_target_refuses_and_its_neighbours_do_not(void **state)
{
	struct health_call call = {0};
	uint64_t wait = 0;
	(void)state;
	for (unsigned i = 0; i < 5; i++)
		run(ERROR_UPSTREAM_RESET, 0);
	struct health_use use = use_of(0);
	assert_int_equal(health_enter(health, &call, &use, HEALTH_FIRST, now, &wait), HEALTH_OPEN);
	assert_in_range(wait, 5 * SECOND / 2, 5 * SECOND);
	assert_null(call.health);
	assert_int_equal(view_of(0).reason, HEALTH_OPEN);
	assert_int_equal(view_of(0).wait_us, wait);
	assert_int_equal(view_of(0).running, 0);
	assert_int_equal(report_of(0).next_probe_us, wait);
	assert_int_equal(report_of(0).last, ERROR_UPSTREAM_RESET);
	assert_int_equal(report_of(0).opened, 1);
	assert_int_equal(report_of(0).outcomes, 5);
	assert_int_equal(report_of(0).failed, 5);
	assert_int_equal(health_refused(health, 0, HEALTH_OPEN), 1);
	assert_int_equal(view_of(1).reason, HEALTH_OK);
	assert_int_equal(view_of(2).reason, HEALTH_OK);
	now += wait;
	assert_int_equal(view_of(0).reason, HEALTH_OK);
	assert_int_equal(report_of(0).breaker, HEALTH_BREAKER_OPEN);
	assert_int_equal(enter_as(&call, 0, HEALTH_FIRST), HEALTH_OK);
	assert_int_equal(report_of(0).breaker, HEALTH_BREAKER_HALF_OPEN);
	assert_int_equal(view_of(0).reason, HEALTH_OPEN);
}

static void backpressure_cools_the_target_down_within_bounds(void **state)
{
	static const struct {
		uint64_t said, cools;
	} rows[] = {
	    {0, 0}, {1, SECOND}, {7 * SECOND, 7 * SECOND}, {3600 * SECOND, 300 * SECOND}, {UINT64_MAX, 300 * SECOND}};
	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		start_over();
		assert_true(run(ERROR_UPSTREAM_BUSY, rows[i].said));
		assert_int_equal(report_of(0).cooling_us, rows[i].cools);
		assert_int_equal(report_of(0).outcomes, 0);
		assert_int_equal(view_of(0).wait_us, rows[i].cools);
		assert_int_equal(view_of(0).reason, rows[i].cools == 0 ? HEALTH_OK : HEALTH_COOLING);
		assert_int_equal(run(ERROR_NONE, 0), rows[i].cools == 0);
		assert_int_equal(view_of(1).reason, HEALTH_OK);
		now += rows[i].cools;
		assert_true(run(ERROR_NONE, 0));
	}
}

static void a_shorter_pause_does_not_end_a_longer_one(void **state)
{
	struct health_call call = {0};
	(void)state;
	enter_as(&call, 0, HEALTH_FIRST);
	run(ERROR_UPSTREAM_BUSY, 60 * SECOND);
	leave(&call, ERROR_UPSTREAM_BUSY, 2 * SECOND, now);
	assert_int_equal(report_of(0).cooling_us, 60 * SECOND);
}

static enum health_reason enter_of(uint64_t client, struct health_call *call)
{
	struct health_use use = {.target = 0, .client = client};
	uint64_t wait;
	return health_enter(health, call, &use, HEALTH_FIRST, now, &wait);
}

/* One 429 with Retry-After: 300 closed the target to every tenant for five minutes. */
static void a_pause_is_its_clients_until_another_is_asked_for_it(void **state)
{
	struct health_call call = {0};
	(void)state;
	assert_int_equal(enter_of(1, &call), HEALTH_OK);
	leave(&call, ERROR_UPSTREAM_BUSY, 300 * SECOND, now);
	assert_int_equal(enter_of(1, &call), HEALTH_COOLING);
	assert_int_equal(enter_of(2, &call), HEALTH_OK);
	leave(&call, ERROR_NONE, 0, now);
	assert_int_equal(enter_of(2, &call), HEALTH_OK);
	leave(&call, ERROR_UPSTREAM_BUSY, 300 * SECOND, now);
	assert_int_equal(enter_of(3, &call), HEALTH_COOLING);
	now += 300 * SECOND;
	assert_int_equal(enter_of(2, &call), HEALTH_OK);
	leave(&call, ERROR_UPSTREAM_BUSY, 10 * SECOND, now);
	assert_int_equal(enter_of(1, &call), HEALTH_OK); /* a new pause, and again of one client */
	leave(&call, ERROR_NONE, 0, now);
}

static void a_target_without_alternative_is_asked_again_after_five_seconds(void **state)
{
	static const struct config_target alone[TARGETS] = {
	    {&backends[0], "x", "a/x", true}, {&backends[0], "y", "a/y", false}, {&backends[1], "x", "b/x", false}};
	struct health_call call = {0};
	(void)state;
	health_destroy(health);
	config.targets = alone;
	health = health_create(&config, 1, NULL);
	assert_int_equal(enter_of(1, &call), HEALTH_OK);
	leave(&call, ERROR_UPSTREAM_BUSY, 300 * SECOND, now);
	now += 5 * SECOND - 1;
	assert_int_equal(enter_of(1, &call), HEALTH_COOLING);
	now++;
	assert_int_equal(enter_of(1, &call), HEALTH_OK);
	leave(&call, ERROR_NONE, 0, now);
}

static void failures_make_a_target_less_wanted_and_time_heals(void **state)
{
	(void)state;
	assert_true(view_of(0).failing == 0);
	for (unsigned i = 0; i < 30; i++)
		run(ERROR_UPSTREAM_BUSY, 0);
	assert_true(view_of(0).failing > 0.9);
	now += 60 * SECOND;
	assert_true(view_of(0).failing < 0.01);
	for (unsigned i = 0; i < 30; i++)
		run(ERROR_UPSTREAM_REJECTED, 0); /* the clients' own faults */
	assert_true(view_of(0).failing < 0.01);
}

static void no_probe_goes_into_a_pause(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 5; i++)
		run(ERROR_UPSTREAM_RESET, 0);
	now += report_of(0).next_probe_us;
	assert_true(run(ERROR_UPSTREAM_BUSY, 60 * SECOND));
	assert_int_equal(report_of(0).breaker, HEALTH_BREAKER_HALF_OPEN);
	assert_false(run(ERROR_NONE, 0));
	assert_int_equal(health_refused(health, 0, HEALTH_COOLING), 1);
	now += 60 * SECOND;
	assert_true(run(ERROR_NONE, 0));
}

static void a_ticket_that_is_not_entered_does_no_harm(void **state)
{
	struct health_call call = {0};
	(void)state;
	health_first_content(&call, now);
	leave(&call, ERROR_UPSTREAM_RESET, 0, now);
	assert_int_equal(enter_as(&call, 0, HEALTH_FIRST), HEALTH_OK);
	leave(&call, ERROR_NONE, 0, now);
	leave(&call, ERROR_NONE, 0, now);
	assert_int_equal(view_of(0).running, 0);
	assert_int_equal(report_of(0).outcomes, 1);
}

static void content_tells_the_latency_once(void **state)
{
	struct health_call call = {0};
	(void)state;
	for (unsigned i = 1; i <= LATENCY_SAMPLES; i++) {
		assert_int_equal(view_of(0).latency_us, 0);
		enter_as(&call, 0, HEALTH_FIRST);
		now += 250000;
		health_first_content(&call, now);
		health_first_content(&call, now);
		assert_int_equal(report_of(0).outcomes, i);
	}
	assert_int_equal(view_of(0).latency_us, 250000);
	now += SECOND;
	health_first_content(&call, now);
	assert_true(view_of(0).latency_us < 250000);
	assert_int_equal(report_of(0).outcomes, LATENCY_SAMPLES);
	assert_int_equal(view_of(1).latency_us, 0);
}

/* Otherwise nobody would ever learn how slow a target is whose calls lose every race. */
static void a_call_that_was_given_up_tells_how_long_it_took_at_least(void **state)
{
	static const enum error_code outcomes[] = {ERROR_CLIENT_CLOSED, ERROR_UPSTREAM_FIRST_CONTENT,
						   ERROR_UPSTREAM_TOTAL};
	struct health_call call = {0};
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		for (unsigned samples = 0; samples < LATENCY_SAMPLES; samples++) {
			enter_as(&call, i, HEALTH_FIRST);
			now += 250000;
			leave(&call, outcomes[i], 0, now);
		}
		assert_int_equal(view_of(i).latency_us, 250000);
	}
	enter_as(&call, 0, HEALTH_FIRST);
	now += 1000;
	uint64_t before = view_of(0).latency_us;
	leave(&call, ERROR_CLIENT_CLOSED, 0, now);
	assert_int_equal(view_of(0).latency_us, before);
}

static void a_failure_tells_no_latency(void **state)
{
	struct health_call call = {0};
	(void)state;
	enter_as(&call, 0, HEALTH_FIRST);
	now += 2000;
	leave(&call, ERROR_UPSTREAM_CONNECT, 0, now);
	assert_int_equal(view_of(0).latency_us, 0);
}

/* ---- budgets ---- */

static void repeats_are_bounded_at_each_backend_and_starve_no_other(void **state)
{
	struct health_call calls[64] = {0};
	unsigned used = 0;
	(void)state;
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(enter_as(&calls[used++], 0, HEALTH_REPEAT), HEALTH_OK);
	assert_int_equal(enter_as(&calls[used], 0, HEALTH_REPEAT), HEALTH_BUDGET);
	assert_null(calls[used].health);
	assert_int_equal(enter_as(&calls[used], 1, HEALTH_REPEAT), HEALTH_BUDGET); /* a model of the same backend */
	assert_int_equal(enter_as(&calls[used++], 2, HEALTH_REPEAT), HEALTH_OK);   /* of another one */
	assert_int_equal(health_extra(health, 0), 3);
	assert_int_equal(report_of(0).extra, 3);
	assert_int_equal(report_of(2).extra, 1);
	while (used < 20) /* 16 first calls of 19 at a: the fourth repeat is one of 20 */
		assert_int_equal(enter_as(&calls[used++], 0, HEALTH_FIRST), HEALTH_OK);
	assert_int_equal(enter_as(&calls[used++], 1, HEALTH_REPEAT), HEALTH_OK);
	assert_int_equal(enter_as(&calls[used], 1, HEALTH_REPEAT), HEALTH_BUDGET);
	assert_int_equal(enter_as(&calls[used++], 0, HEALTH_HEDGE), HEALTH_OK);
	leave(&calls[0], ERROR_NONE, 0, now);
	assert_int_equal(enter_as(&calls[used++], 1, HEALTH_REPEAT), HEALTH_OK);
	assert_int_equal(health_refused(health, 0, HEALTH_BUDGET), 1);
	assert_int_equal(health_refused(health, 1, HEALTH_BUDGET), 2);
}

/* A standby of which nothing is known gets three scouts; the rest follow the first content. */
static void calls_from_elsewhere_follow_the_first_that_has_content(void **state)
{
	struct health_call calls[8] = {0};
	(void)state;
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(enter_as(&calls[i], 0, HEALTH_DIVERTED), HEALTH_OK);
	assert_int_equal(enter_as(&calls[3], 0, HEALTH_DIVERTED), HEALTH_UNPROVEN);
	assert_int_equal(enter_as(&calls[3], 0, HEALTH_FIRST), HEALTH_OK);
	assert_int_equal(enter_as(&calls[4], 0, HEALTH_OVERDUE), HEALTH_OK);
	health_first_content(&calls[1], now);
	for (unsigned i = 5; i < 8; i++)
		assert_int_equal(enter_as(&calls[i], 0, HEALTH_DIVERTED), HEALTH_OK);
	assert_int_equal(health_refused(health, 0, HEALTH_UNPROVEN), 0);
	health_give_up(health, 0);
	assert_int_equal(health_refused(health, 0, HEALTH_UNPROVEN), 1);
}

static void calls_from_elsewhere_pass_a_standby_over_that_fails(void **state)
{
	struct health_call calls[4] = {0};
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(enter_as(&calls[i], 0, HEALTH_DIVERTED), HEALTH_OK);
		leave(&calls[i], ERROR_UPSTREAM_RESET, 0, now);
	}
	assert_int_equal(enter_as(&calls[0], 0, HEALTH_DIVERTED), HEALTH_OK); /* hardly anything else runs */
	leave(&calls[0], ERROR_UPSTREAM_RESET, 0, now);
	for (unsigned i = 0; i < 4; i++)
		health_plan_begins(health);
	assert_int_equal(enter_as(&calls[0], 0, HEALTH_DIVERTED), HEALTH_FAILING);
	assert_int_equal(enter_as(&calls[0], 0, HEALTH_OVERDUE), HEALTH_FAILING);
	assert_int_equal(health_refused(health, 0, HEALTH_FAILING), 2);
	now += SECOND;
	assert_int_equal(enter_as(&calls[0], 0, HEALTH_DIVERTED), HEALTH_OK); /* one tries it now and then */
	assert_int_equal(enter_as(&calls[1], 0, HEALTH_DIVERTED), HEALTH_FAILING);
	health_first_content(&calls[0], now);
	assert_int_equal(enter_as(&calls[1], 0, HEALTH_DIVERTED), HEALTH_OK);
}

/* Failures of hours ago kept all but one request from a healthy standby until that one had content. */
static void a_standby_that_failed_long_ago_is_one_of_which_nothing_is_known(void **state)
{
	struct health_call calls[4] = {0};
	(void)state;
	for (unsigned i = 0; i < 4; i++)
		health_plan_begins(health);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(enter_as(&calls[i], 0, HEALTH_DIVERTED), HEALTH_OK);
		leave(&calls[i], ERROR_UPSTREAM_RESET, 0, now);
	}
	now += 11 * SECOND;
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(enter_as(&calls[i], 0, HEALTH_DIVERTED), HEALTH_OK);
	assert_int_equal(enter_as(&calls[3], 0, HEALTH_DIVERTED), HEALTH_UNPROVEN);
	leave(&calls[0], ERROR_UPSTREAM_RESET, 0, now);
	assert_int_equal(enter_as(&calls[0], 0, HEALTH_DIVERTED), HEALTH_OK); /* one failure, not the fourth */
}

/* A client that has its own words in a 400 could fail a standby for everybody. */
static void a_400_fails_no_standby_whatever_its_words(void **state)
{
	struct health_call call = {0};
	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		struct health_outcome outcome = {
		    .code = ERROR_UPSTREAM_STATUS, .kind = FAILURE_MODEL, .status = i % 2 == 0 ? 400 : 422};
		assert_int_equal(enter_as(&call, 0, HEALTH_DIVERTED), HEALTH_OK);
		health_leave(&call, &outcome, now);
	}
	assert_true(view_of(0).failing == 0);
	for (unsigned i = 0; i < 10; i++) {
		struct health_outcome outcome = {.code = ERROR_UPSTREAM_STATUS, .kind = FAILURE_MODEL, .status = 404};
		assert_int_equal(enter_as(&call, 0, HEALTH_FIRST), HEALTH_OK);
		health_leave(&call, &outcome, now);
	}
	assert_true(view_of(0).failing > 0.5);
}

/* SDKs repeat what fails: a probe of theirs that failed left the breaker half-open, and the next call went through. */
static void a_probe_that_fails_opens_the_breaker_again_also_when_it_is_a_repetition(void **state)
{
	struct health_outcome repeated = {.code = ERROR_UPSTREAM_STATUS, .kind = FAILURE_SERVER, .repeat = true};
	struct health_call call = {0};
	(void)state;
	for (unsigned i = 0; i < 5; i++)
		run(ERROR_UPSTREAM_RESET, 0);
	now += report_of(0).next_probe_us;
	assert_int_equal(enter_as(&call, 0, HEALTH_FIRST), HEALTH_OK);
	health_leave(&call, &repeated, now);
	assert_int_equal(report_of(0).breaker, HEALTH_BREAKER_OPEN);
}

/* A context that is too long says nothing of the standby. */
static void what_is_the_requests_own_fault_fails_no_standby(void **state)
{
	struct health_call call = {0};
	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		struct health_outcome outcome = {.code = ERROR_CONTEXT_LENGTH, .kind = FAILURE_CONTEXT};
		assert_int_equal(enter_as(&call, 0, HEALTH_DIVERTED), HEALTH_OK);
		health_leave(&call, &outcome, now);
	}
	assert_int_equal(report_of(0).breaker, HEALTH_BREAKER_CLOSED);
}

static void repeats_of_one_request_count_once(void **state)
{
	struct health_call call = {0};
	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		struct health_outcome outcome = {
		    .code = ERROR_UPSTREAM_STATUS, .kind = FAILURE_SERVER, .repeat = i > 0};
		enter_as(&call, 0, HEALTH_FIRST);
		health_leave(&call, &outcome, now);
	}
	assert_int_equal(report_of(0).breaker, HEALTH_BREAKER_CLOSED);
	assert_int_equal(report_of(0).failed, 1);
}

static void operations_of_a_target_have_breakers_of_their_own(void **state)
{
	struct health_use embeddings = {.target = 0, .operation = 2};
	struct health_outcome failed = {.code = ERROR_UPSTREAM_STATUS, .kind = FAILURE_SERVER};
	struct health_call call = {0};
	uint64_t wait;
	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(health_enter(health, &call, &embeddings, HEALTH_FIRST, now, &wait), HEALTH_OK);
		health_leave(&call, &failed, now);
	}
	assert_int_equal(health_enter(health, &call, &embeddings, HEALTH_FIRST, now, &wait), HEALTH_OPEN);
	assert_int_equal(report_of(0).breaker, HEALTH_BREAKER_OPEN);
	assert_int_equal(report_of(0).operation, 2);
	assert_true(run(ERROR_NONE, 0));
}

static void a_refusal_for_the_budget_leaves_no_probe_out(void **state)
{
	struct health_call calls[4] = {0};
	(void)state;
	for (unsigned i = 0; i < 3; i++)
		enter_as(&calls[i], 1, HEALTH_REPEAT);
	for (unsigned i = 0; i < 5; i++)
		run(ERROR_UPSTREAM_RESET, 0);
	now += report_of(0).next_probe_us;
	assert_int_equal(enter_as(&calls[3], 0, HEALTH_REPEAT), HEALTH_BUDGET);
	assert_int_equal(report_of(0).breaker, HEALTH_BREAKER_OPEN);
	assert_true(run(ERROR_NONE, 0));
	assert_int_equal(report_of(0).breaker, HEALTH_BREAKER_HALF_OPEN);
}

/* ---- probes, slow start, models ---- */

static void failing_probes_take_all_targets_of_a_backend_out(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++)
		assert_false(health_probed(health, 0, false, now));
	assert_true(health_probed(health, 0, false, now));
	assert_int_equal(view_of(0).reason, HEALTH_DOWN);
	assert_int_equal(view_of(1).reason, HEALTH_DOWN);
	assert_int_equal(view_of(2).reason, HEALTH_OK);
	assert_true(report_of(1).probed_down);
	assert_false(run(ERROR_NONE, 0));
	assert_int_equal(health_refused(health, 0, HEALTH_DOWN), 1);
	health_probed(health, 0, true, now);
	assert_true(health_probed(health, 0, true, now));
	assert_true(run(ERROR_NONE, 0));
}

static void a_real_success_of_any_target_outranks_failing_probes(void **state)
{
	struct health_call call = {0};
	(void)state;
	enter_as(&call, 1, HEALTH_FIRST);
	for (unsigned i = 0; i < 3; i++)
		health_probed(health, 0, false, now);
	assert_int_equal(view_of(0).reason, HEALTH_DOWN);
	health_first_content(&call, now);
	assert_int_equal(view_of(0).reason, HEALTH_OK);
	for (unsigned i = 0; i < 10; i++)
		assert_false(health_probed(health, 0, false, now));
}

static void a_probe_does_not_close_a_breaker(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 5; i++)
		run(ERROR_UPSTREAM_RESET, 0);
	for (unsigned i = 0; i < 10; i++)
		health_probed(health, 0, true, now);
	assert_int_equal(view_of(0).reason, HEALTH_OPEN);
}

static void what_recovered_gets_a_growing_share(void **state)
{
	(void)state;
	assert_true(view_of(0).share == 1);
	for (unsigned i = 0; i < 5; i++)
		run(ERROR_UPSTREAM_RESET, 0);
	assert_true(view_of(0).share == 0.1);
	now += report_of(0).next_probe_us;
	for (unsigned i = 0; i < 3; i++)
		run(ERROR_NONE, 0);
	assert_int_equal(report_of(0).breaker, HEALTH_BREAKER_CLOSED);
	assert_true(view_of(0).share == 0.1);
	assert_true(view_of(1).share == 1);
	now += 30 * SECOND;
	assert_true(view_of(0).share == 1);
	for (unsigned i = 0; i < 3; i++)
		health_probed(health, 0, false, now);
	health_probed(health, 0, true, now);
	health_probed(health, 0, true, now);
	assert_true(view_of(0).share == 0.1);
	assert_true(view_of(1).share == 0.1);
	assert_true(view_of(2).share == 1);
}

static const struct health_kind whole = {.size = 100};
static const struct health_kind streamed = {.stream = true, .size = 100};

/* So many answers of the same time, which make a quantile known. */
static void note_contents(size_t model, const struct health_kind *kind, uint64_t took_us)
{
	for (unsigned i = 0; i < QUANTILE_LEAST; i++)
		health_model_content(health, model, kind, took_us, now);
}

static void each_model_has_its_own_quantile_and_hedges(void **state)
{
	(void)state;
	note_contents(1, &streamed, 400000);
	for (unsigned i = 0; i < 20; i++)
		health_hedge_request(health, 1);
	assert_int_equal(health_model_p95_us(health, 0, &streamed), 0);
	assert_in_range(health_model_p95_us(health, 1, &streamed), 400000, 425000);
	assert_false(health_hedge_take(health, 0, 5));
	assert_true(health_hedge_take(health, 1, 5));
	assert_false(health_hedge_take(health, 1, 5));
}

/* Twelve slow answers of 150 once raised everybody's delay to theirs. */
static void each_kind_of_request_has_a_quantile_of_its_own(void **state)
{
	static const struct health_kind long_prompt = {.stream = true, .size = 100 << 10};
	static const struct health_kind huge_prompt = {.stream = true, .size = 1 << 20};
	static const struct health_kind embedding = {.operation = HEALTH_OPERATIONS - 1, .size = 100};
	(void)state;
	note_contents(1, &whole, 8 * SECOND);
	note_contents(1, &long_prompt, 4 * SECOND);
	note_contents(1, &huge_prompt, 16 * SECOND);
	assert_int_equal(health_model_p95_us(health, 1, &streamed), 0);
	assert_int_equal(health_model_p95_us(health, 1, &embedding), 0);
	note_contents(1, &streamed, 400000);
	note_contents(1, &embedding, 20000);
	assert_in_range(health_model_p95_us(health, 1, &streamed), 400000, 425000);
	assert_in_range(health_model_p95_us(health, 1, &embedding), 20000, 21250);
	assert_in_range(health_model_p95_us(health, 1, &whole), 8 * SECOND, 8 * SECOND + SECOND / 2);
	assert_in_range(health_model_p95_us(health, 1, &long_prompt), 4 * SECOND, 4 * SECOND + SECOND / 4);
	assert_in_range(health_model_p95_us(health, 1, &huge_prompt), 16 * SECOND, 17 * SECOND);
}

/* ---- what is told ---- */

static void each_change_of_a_breaker_is_one_log_line(void **state)
{
	char text[8192];
	int pipes[2];
	(void)state;
	assert_int_equal(pipe(pipes), 0);
	log_setup(pipes[1], LOG_INFO);
	for (unsigned i = 0; i < 8; i++)
		run(ERROR_UPSTREAM_RESET, 0);
	now += report_of(0).next_probe_us;
	for (unsigned i = 0; i < 8; i++)
		run(ERROR_NONE, 0);
	log_teardown();
	close(pipes[1]);
	ssize_t got = read(pipes[0], text, sizeof(text) - 1);
	close(pipes[0]);
	assert_true(got > 0);
	text[got] = '\0';
	unsigned lines = 0;
	for (const char *at = text; *at != '\0'; at++)
		lines += *at == '\n';
	assert_int_equal(lines, 3);
	assert_non_null(strstr(text, "\"msg\":\"breaker changed\",\"target\":\"a/x\",\"operation\":\"chat\","
				     "\"from\":\"closed\",\"to\":\"open\",\"why\":\"consecutive\",\"error\":\"upstream_"
				     "reset\",\"next_probe_ms\":"));
	assert_non_null(strstr(text, "\"from\":\"open\",\"to\":\"half_open\""));
	assert_non_null(strstr(text, "\"from\":\"half_open\",\"to\":\"closed\""));
}

static double value_of(enum metric metric, uint32_t a, uint32_t b)
{
	struct metrics_reader reader = health_metrics_reader(health);
	double value = -1;
	return reader.read(reader.context, metric, (uint32_t[3]){a, b, 0}, &value) ? value : -1;
}

static void metrics_tell_what_health_knows(void **state)
{
	struct health_call call = {0};
	(void)state;
	assert_int_equal(enter_as(&call, 2, HEALTH_REPEAT), HEALTH_OK);
	for (unsigned i = 0; i < 8; i++)
		run(ERROR_UPSTREAM_RESET, 0);
	assert_true(value_of(METRIC_BREAKER, 0, 0) == 1);
	assert_true(value_of(METRIC_BREAKER, 1, 0) == 0);
	assert_true(value_of(METRIC_BREAKER_CHANGES, 0, HEALTH_BREAKER_OPEN) == 1);
	assert_true(value_of(METRIC_BREAKER_CHANGES, 0, HEALTH_BREAKER_CLOSED) == 0);
	assert_true(value_of(METRIC_REFUSED_CALLS, 0, HEALTH_OPEN) == 3);
	assert_true(value_of(METRIC_REFUSED_CALLS, 1, HEALTH_OPEN) == 0);
	assert_true(value_of(METRIC_RETRIES_IN_FLIGHT, 1, 0) == 1);
	assert_true(value_of(METRIC_RETRIES_IN_FLIGHT, 0, 0) == 0);
	assert_true(value_of(METRIC_BREAKER, TARGETS, 0) == -1);
	assert_true(value_of(METRIC_RETRIES_IN_FLIGHT, BACKENDS, 0) == -1);
	assert_true(value_of(METRIC_LOG_DROPPED, 0, 0) == -1);
	leave(&call, ERROR_NONE, 0, now);
	assert_true(value_of(METRIC_RETRIES_IN_FLIGHT, 1, 0) == 0);
}

static void names_are_those_of_the_labels(void **state)
{
	struct metrics_names names = {.model_count = 7};
	(void)state;
	health_metrics_names(&names);
	assert_int_equal(names.breaker_count, 3);
	assert_string_equal(names.breakers[HEALTH_BREAKER_HALF_OPEN], "half_open");
	assert_int_equal(names.refusal_count, HEALTH_REASON_COUNT);
	assert_string_equal(names.refusals[HEALTH_BUDGET], "budget");
	assert_int_equal(names.model_count, 7);
}

/* ---- random calls ---- */

enum { CALLS = 60, STEPS = 150000, PAUSES = 1024 };

/* The model: the tickets that are out and the last pauses, looked through each time. */
struct model {
	struct {
		bool running, extra;
		size_t target;
	} calls[CALLS];
	struct {
		size_t target;
		uint64_t until_us;
	} pauses[PAUSES]; /* in turn */
	size_t pause_count;
	bool down[BACKENDS];
	unsigned row[BACKENDS];
	uint64_t proven_us[BACKENDS];
};

static struct model model;
static struct health_call tickets[CALLS];

static size_t backend_of_target(size_t target)
{
	return target < 2 ? 0 : 1;
}

/* Of a backend, or of all of them (BACKENDS). */
static void recount(size_t backend, unsigned *running, unsigned *extra)
{
	*running = *extra = 0;
	for (unsigned i = 0; i < CALLS; i++) {
		bool ours = backend == BACKENDS || backend_of_target(model.calls[i].target) == backend;
		*running += model.calls[i].running && ours;
		*extra += model.calls[i].running && ours && model.calls[i].extra;
	}
}

static bool room_for_extra(size_t backend)
{
	unsigned running;
	unsigned extra;
	recount(backend, &running, &extra);
	return extra < 3 || (extra + 1) * 5 <= running + 1;
}

static uint64_t pause_left(size_t target)
{
	uint64_t left = 0;
	for (size_t i = 0; i < PAUSES; i++)
		if (model.pauses[i].target == target && model.pauses[i].until_us > now + left)
			left = model.pauses[i].until_us - now;
	return left;
}

static enum health_reason expected(size_t target, bool extra)
{
	size_t backend = backend_of_target(target);
	if (model.down[backend])
		return HEALTH_DOWN;
	if (pause_left(target) != 0)
		return HEALTH_COOLING;
	return extra && !room_for_extra(backend) ? HEALTH_BUDGET : HEALTH_OK;
}

static void model_prove(size_t backend)
{
	model.proven_us[backend] = now;
	model.down[backend] = false;
	model.row[backend] = 0;
}

static void step_enter(unsigned i, struct seed *seed)
{
	size_t target = seed_below(seed, TARGETS);
	static const enum health_purpose purposes[] = {HEALTH_FIRST, HEALTH_REPEAT, HEALTH_HEDGE};
	enum health_purpose purpose = purposes[seed_below(seed, 3)];
	struct health_use use = use_of(target);
	uint64_t wait = 0;
	enum health_reason want = expected(target, purpose == HEALTH_REPEAT);
	assert_int_equal(health_enter(health, &tickets[i], &use, purpose, now, &wait), want);
	if (want == HEALTH_COOLING)
		assert_int_equal(wait, pause_left(target));
	if (want != HEALTH_OK)
		return;
	model.calls[i].running = true;
	model.calls[i].extra = purpose == HEALTH_REPEAT;
	model.calls[i].target = target;
}

static void step_leave(unsigned i, struct seed *seed)
{
	static const enum error_code outcomes[] = {ERROR_NONE, ERROR_NONE, ERROR_UPSTREAM_RESET, ERROR_CLIENT_CLOSED,
						   ERROR_UPSTREAM_BUSY};
	enum error_code outcome = outcomes[seed_below(seed, 5)];
	uint64_t pause = seed_below(seed, 4) == 0 ? seed_below(seed, 400 * SECOND) : 0;
	size_t target = model.calls[i].target;
	leave(&tickets[i], outcome, pause, now);
	assert_null(tickets[i].health);
	model.calls[i].running = false;
	if (outcome == ERROR_NONE)
		model_prove(backend_of_target(target));
	if (outcome != ERROR_UPSTREAM_BUSY || pause == 0)
		return;
	pause = pause < SECOND ? SECOND : pause > 300 * SECOND ? 300 * SECOND : pause;
	model.pauses[model.pause_count % PAUSES].target = target;
	model.pauses[model.pause_count++ % PAUSES].until_us = now + pause;
}

static void step_probe(struct seed *seed)
{
	size_t backend = seed_below(seed, BACKENDS);
	bool alive = seed_below(seed, 3) == 0;
	bool trusted =
	    !model.down[backend] && model.proven_us[backend] != 0 && now - model.proven_us[backend] < 5 * SECOND;
	bool against = alive == model.down[backend] && !trusted;
	model.row[backend] = against ? model.row[backend] + 1 : 0;
	bool changes = model.row[backend] == (model.down[backend] ? 2 : 3);
	assert_int_equal(health_probed(health, backend, alive, now), changes);
	if (changes) {
		model.down[backend] = !model.down[backend];
		model.row[backend] = 0;
	}
}

static void compare(void)
{
	for (size_t target = 0; target < TARGETS; target++) {
		unsigned running = 0;
		for (unsigned i = 0; i < CALLS; i++)
			running += model.calls[i].running && model.calls[i].target == target;
		assert_int_equal(view_of(target).running, running);
		assert_int_equal(view_of(target).reason, expected(target, false));
	}
}

static void step(struct seed *seed)
{
	unsigned i = (unsigned)seed_below(seed, CALLS);
	uint64_t dice = seed_below(seed, 100);
	if (dice < 15)
		now += seed_below(seed, 2 * SECOND);
	else if (dice == 15)
		now += seed_below(seed, 200 * SECOND);
	else if (dice < 24)
		step_probe(seed);
	else if (!model.calls[i].running)
		step_enter(i, seed);
	else if (dice < 36) {
		if (!tickets[i].content)
			model_prove(backend_of_target(model.calls[i].target));
		health_first_content(&tickets[i], now);
	} else if (dice < 76)
		step_leave(i, seed);
}

static uint64_t refused_at_all(enum health_reason reason)
{
	uint64_t refused = 0;
	for (size_t target = 0; target < TARGETS; target++)
		refused += health_refused(health, target, reason);
	return refused;
}

static void random_calls_agree_with_a_recount_of_their_tickets(void **state)
{
	(void)state;
	struct seed seed = seed_start();
	model = (struct model){0};
	memset(tickets, 0, sizeof(tickets));
	health_destroy(health);
	for (unsigned i = 0; i < BACKENDS; i++)
		backends[i].breaker.enabled = false; /* it has its own test */
	health = health_create(&config, 1, NULL);
	for (unsigned i = 0; i < STEPS; i++) {
		step(&seed);
		compare();
	}
	for (unsigned reason = HEALTH_COOLING; reason <= HEALTH_BUDGET; reason++)
		assert_true(refused_at_all((enum health_reason)reason) > 100); /* it saw life */
}

/* ---- threads ---- */

enum { THREADS = 4, THREAD_STEPS = 20000, THREAD_CALLS = 8 };

static atomic_ullong shared_now;

static void hammer_step(struct health_call *call, struct seed *seed)
{
	static const enum error_code outcomes[] = {ERROR_NONE,          ERROR_NONE,          ERROR_UPSTREAM_RESET,
						   ERROR_CLIENT_CLOSED, ERROR_UPSTREAM_BUSY, ERROR_UPSTREAM_CONNECT};
	uint64_t at = atomic_fetch_add(&shared_now, seed_below(seed, 50000));
	uint64_t wait;
	struct health_report report;
	size_t target = seed_below(seed, TARGETS);
	struct health_use use = {
	    .target = target, .operation = seed_below(seed, 3), .stream = seed_below(seed, 2) == 0};
	if (call->health == NULL)
		health_enter(health, call, &use, (enum health_purpose)seed_below(seed, 5), at, &wait);
	else if (seed_below(seed, 2) == 0)
		health_first_content(call, at);
	else
		leave(call, outcomes[seed_below(seed, 6)], seed_below(seed, 2 * SECOND), at);
	if (seed_below(seed, 16) != 0)
		return;
	health_probed(health, seed_below(seed, BACKENDS), seed_below(seed, 4) != 0, at);
	health_report(health, target, at, &report);
	health_model_content(health, 0, seed_below(seed, 2) == 0 ? &streamed : &whole, seed_below(seed, SECOND), at);
	health_model_p95_us(health, 0, &streamed);
	health_hedge_request(health, 0);
	health_hedge_take(health, 0, 50);
	value_of(METRIC_BREAKER, (uint32_t)target, 0);
}

static void *hammer(void *context)
{
	struct health_call calls[THREAD_CALLS] = {0};
	struct seed seed = {*(const uint64_t *)context};
	for (unsigned i = 0; i < THREAD_STEPS; i++)
		hammer_step(&calls[seed_below(&seed, THREAD_CALLS)], &seed);
	for (unsigned i = 0; i < THREAD_CALLS; i++)
		leave(&calls[i], ERROR_CLIENT_CLOSED, 0, atomic_load(&shared_now));
	return NULL;
}

static void nothing_leaks_between_four_threads(void **state)
{
	pthread_t threads[THREADS];
	uint64_t seeds[THREADS];
	(void)state;
	struct seed seed = seed_start();
	log_set_level(LOG_ERROR);
	atomic_store(&shared_now, now);
	for (unsigned i = 0; i < THREADS; i++) {
		seeds[i] = seed_below(&seed, UINT64_MAX);
		assert_int_equal(pthread_create(&threads[i], NULL, hammer, &seeds[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	log_set_level(LOG_INFO);
	now = atomic_load(&shared_now) + 3600 * SECOND;
	for (size_t backend = 0; backend < BACKENDS; backend++) {
		assert_int_equal(health_extra(health, backend), 0);
		for (unsigned i = 0; i < 2; i++)
			health_probed(health, backend, true, now);
	}
	for (size_t target = 0; target < TARGETS; target++) {
		struct health_call call = {0};
		assert_int_equal(view_of(target).running, 0);
		assert_int_equal(view_of(target).reason, HEALTH_OK); /* no probe's place was lost either */
		assert_int_equal(enter_as(&call, target, HEALTH_REPEAT), HEALTH_OK);
		assert_true(health_changes(health, target, HEALTH_BREAKER_OPEN) > 0);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(only_the_backends_own_failures_count),
	    TEST(failures_to_connect_open_after_three),
	    TEST(an_open_target_refuses_and_its_neighbours_do_not),
	    TEST(backpressure_cools_the_target_down_within_bounds),
	    TEST(a_shorter_pause_does_not_end_a_longer_one),
	    TEST(a_pause_is_its_clients_until_another_is_asked_for_it),
	    TEST(a_target_without_alternative_is_asked_again_after_five_seconds),
	    TEST(failures_make_a_target_less_wanted_and_time_heals),
	    TEST(no_probe_goes_into_a_pause),
	    TEST(a_ticket_that_is_not_entered_does_no_harm),
	    TEST(content_tells_the_latency_once),
	    TEST(a_call_that_was_given_up_tells_how_long_it_took_at_least),
	    TEST(a_failure_tells_no_latency),
	    TEST(repeats_are_bounded_at_each_backend_and_starve_no_other),
	    TEST(calls_from_elsewhere_follow_the_first_that_has_content),
	    TEST(calls_from_elsewhere_pass_a_standby_over_that_fails),
	    TEST(a_standby_that_failed_long_ago_is_one_of_which_nothing_is_known),
	    TEST(a_400_fails_no_standby_whatever_its_words),
	    TEST(a_probe_that_fails_opens_the_breaker_again_also_when_it_is_a_repetition),
	    TEST(what_is_the_requests_own_fault_fails_no_standby),
	    TEST(repeats_of_one_request_count_once),
	    TEST(operations_of_a_target_have_breakers_of_their_own),
	    TEST(a_refusal_for_the_budget_leaves_no_probe_out),
	    TEST(failing_probes_take_all_targets_of_a_backend_out),
	    TEST(a_real_success_of_any_target_outranks_failing_probes),
	    TEST(a_probe_does_not_close_a_breaker),
	    TEST(what_recovered_gets_a_growing_share),
	    TEST(each_model_has_its_own_quantile_and_hedges),
	    TEST(each_kind_of_request_has_a_quantile_of_its_own),
	    TEST(each_change_of_a_breaker_is_one_log_line),
	    TEST(metrics_tell_what_health_knows),
	    TEST(names_are_those_of_the_labels),
	    TEST(random_calls_agree_with_a_recount_of_their_tickets),
	    TEST(nothing_leaks_between_four_threads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
