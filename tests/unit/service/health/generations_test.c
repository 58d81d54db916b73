/* SPDX-License-Identifier: MIT */
/* What is known of targets, backends and models is found by their names when another configuration takes over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "service/health/health.h"
#include "service/health/limit.h"
#include "service/health/limit_table.h"

#define SECOND UINT64_C(1000000)
#define NOW (1000 * SECOND)

#define BRITTLE                                                           \
	{                                                                 \
		true, 60 * SECOND, 10, 50, 2, 3, 5 * SECOND, 300 * SECOND \
	}

/* Before: the backends a, b with one target each, the models m, n. */
static const struct config_backend backends_before[] = {
    {.name = "a", .breaker = BRITTLE, .concurrency = {.calls = 2, .queue = 4, .wait_us = SECOND}},
    {.name = "b", .breaker = BRITTLE, .concurrency = {.calls = 2, .queue = 4, .wait_us = SECOND}},
};
static const struct config_target targets_before[] = {
    {.name = "a/x", .backend = &backends_before[0]},
    {.name = "b/x", .backend = &backends_before[1]},
};
static const struct config_model models_before[] = {{.name = "m"}, {.name = "n"}};
static const struct config before = {.backends = (struct config_backend *)backends_before,
				     .backend_count = 2,
				     .targets = (struct config_target *)targets_before,
				     .target_count = 2,
				     .models = (struct config_model *)models_before,
				     .model_count = 2,
				     .retries = {20, 3}};

/* Later: b comes first, c is new, a has gone; b has other limits. */
static const struct config_backend backends_later[] = {
    {.name = "c", .breaker = BRITTLE, .concurrency = {.calls = 2, .queue = 4, .wait_us = SECOND}},
    {.name = "b", .breaker = BRITTLE, .concurrency = {.calls = 2, .queue = 4, .wait_us = SECOND}},
};
static const struct config_target targets_later[] = {
    {.name = "b/x", .backend = &backends_later[1]},
    {.name = "c/x", .backend = &backends_later[0]},
};
static const struct config_model models_later[] = {{.name = "n"}, {.name = "o"}, {.name = "m"}};
static const struct config later = {.backends = (struct config_backend *)backends_later,
				    .backend_count = 2,
				    .targets = (struct config_target *)targets_later,
				    .target_count = 2,
				    .models = (struct config_model *)models_later,
				    .model_count = 3,
				    .retries = {20, 3}};

enum { A_BEFORE = 0, B_BEFORE = 1, B_LATER = 0, C_LATER = 1 };

static struct health *first, *second;

static int setup(void **state)
{
	(void)state;
	first = health_create(&before, 1, NULL);
	second = NULL;
	return first == NULL ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	health_destroy(first);
	health_destroy(second);
	return 0;
}

static void take_over(void)
{
	second = health_create(&later, 2, first);
	assert_non_null(second);
}

static enum health_reason enter(struct health *health, struct health_call *call, size_t target)
{
	uint64_t wait_us;
	struct health_use use = {.target = target, .client = 7};
	*call = (struct health_call){0};
	return health_enter(health, call, &use, HEALTH_FIRST, NOW, &wait_us);
}

static void fail_once(struct health *health, size_t target)
{
	struct health_call call;
	assert_int_equal(enter(health, &call, target), HEALTH_OK);
	health_leave(&call, &(struct health_outcome){.code = ERROR_UPSTREAM_RESET, .kind = FAILURE_CONNECT}, NOW);
}

static struct health_report report_of(struct health *health, size_t target)
{
	struct health_report report;
	health_report(health, target, NOW, &report);
	return report;
}

static void a_breaker_stays_open_when_the_configuration_changes(void **state)
{
	(void)state;
	fail_once(first, B_BEFORE);
	fail_once(first, B_BEFORE);
	assert_int_equal(report_of(first, B_BEFORE).breaker, HEALTH_BREAKER_OPEN);
	take_over();
	assert_int_equal(report_of(second, B_LATER).breaker, HEALTH_BREAKER_OPEN);
	assert_int_equal(report_of(second, C_LATER).breaker, HEALTH_BREAKER_CLOSED);
	assert_int_equal(health_changes(second, B_LATER, HEALTH_BREAKER_OPEN), 1);
}

static void a_call_leaves_where_it_entered(void **state)
{
	struct health_call call;
	(void)state;
	assert_int_equal(enter(first, &call, B_BEFORE), HEALTH_OK);
	take_over();
	assert_int_equal(report_of(second, B_LATER).view.running, 1);
	assert_int_equal(report_of(second, C_LATER).view.running, 0);
	health_leave(&call, &(struct health_outcome){.code = ERROR_NONE}, NOW);
	assert_int_equal(report_of(second, B_LATER).view.running, 0);
}

static enum health_reason repeat(struct health *health, struct health_call *call, size_t target)
{
	uint64_t wait_us;
	struct health_use use = {.target = target, .client = 7};
	*call = (struct health_call){0};
	return health_enter(health, call, &use, HEALTH_REPEAT, NOW, &wait_us);
}

static void a_backend_keeps_what_is_spent_of_its_retry_budget(void **state)
{
	enum { LEAST = 3 }; /* repeats that run at once */
	struct health_call calls[LEAST], first_call, more;
	(void)state;
	assert_int_equal(enter(first, &first_call, B_BEFORE), HEALTH_OK);
	for (size_t i = 0; i < LEAST; i++)
		assert_int_equal(repeat(first, &calls[i], B_BEFORE), HEALTH_OK);
	take_over();
	assert_int_equal(repeat(second, &more, B_LATER), HEALTH_BUDGET);
	assert_int_equal(repeat(second, &more, C_LATER), HEALTH_OK);
	health_leave(&more, &(struct health_outcome){.code = ERROR_NONE}, NOW);
	for (size_t i = 0; i < LEAST; i++)
		health_leave(&calls[i], &(struct health_outcome){.code = ERROR_NONE}, NOW);
	assert_int_equal(repeat(second, &more, B_LATER), HEALTH_OK);
	health_leave(&more, &(struct health_outcome){.code = ERROR_NONE}, NOW);
	health_leave(&first_call, &(struct health_outcome){.code = ERROR_NONE}, NOW);
}

static void what_is_known_outlives_the_earlier_configuration(void **state)
{
	(void)state;
	fail_once(first, B_BEFORE);
	take_over();
	health_destroy(first);
	first = NULL;
	fail_once(second, B_LATER); /* the second in a row */
	assert_int_equal(report_of(second, B_LATER).breaker, HEALTH_BREAKER_OPEN);
}

static void the_later_configuration_sets_the_options(void **state)
{
	static struct config_backend backends[2]; /* as long as what is known of them */
	static struct config_target targets[2];
	static struct config patient;
	(void)state;
	memcpy(backends, backends_later, sizeof(backends));
	memcpy(targets, targets_later, sizeof(targets));
	patient = later;
	backends[1].breaker.consecutive = 3;
	targets[0].backend = &backends[1];
	patient.backends = backends;
	patient.targets = targets;
	fail_once(first, B_BEFORE);
	second = health_create(&patient, 2, first);
	fail_once(second, B_LATER);
	assert_int_equal(report_of(second, B_LATER).breaker, HEALTH_BREAKER_CLOSED);
	fail_once(first, B_BEFORE);
	assert_int_equal(report_of(second, B_LATER).breaker, HEALTH_BREAKER_OPEN);
}

static void models_keep_their_times(void **state)
{
	struct health_kind kind = {.operation = 0, .stream = true};
	(void)state;
	for (unsigned i = 0; i < 100; i++)
		health_model_content(first, 1, &kind, SECOND, NOW);
	uint64_t p95_us = health_model_p95_us(first, 1, &kind);
	assert_true(p95_us > 0);
	take_over();
	assert_int_equal(health_model_p95_us(second, 0, &kind), p95_us);
	assert_int_equal(health_model_p95_us(second, 1, &kind), 0);
	assert_int_equal(health_model_p95_us(second, 2, &kind), 0);
}

static void refused_rewrites_are_remembered_by_backend(void **state)
{
	(void)state;
	assert_true(health_note_refused(first, B_BEFORE, HEALTH_REWRITE_USAGE, NOW));
	take_over();
	assert_true(health_refuses(second, B_LATER, HEALTH_REWRITE_USAGE, NOW));
	assert_false(health_refuses(second, C_LATER, HEALTH_REWRITE_USAGE, NOW));
}

static void limits_are_kept_by_name_while_their_options_are_the_same(void **state)
{
	struct config_backend backends[] = {backends_later[0], backends_later[1]};
	struct config_target targets[] = {targets_later[0], targets_later[1]};
	struct config changed = later;
	(void)state;
	struct limit_table *old = limit_table_create(&before, NULL);
	struct limit_table *kept = limit_table_create(&later, old);
	assert_ptr_equal(kept->by_target[B_LATER], old->by_target[B_BEFORE]);
	assert_ptr_not_equal(kept->by_target[C_LATER], old->by_target[A_BEFORE]);
	limit_table_destroy(old);
	backends[1].concurrency.calls = 3;
	targets[0].backend = &backends[1];
	changed.backends = backends;
	changed.targets = targets;
	struct limit_table *fresh = limit_table_create(&changed, kept);
	assert_ptr_not_equal(fresh->by_target[B_LATER], kept->by_target[B_LATER]);
	struct limit_report report;
	limit_report(kept->by_target[B_LATER], &report);
	assert_int_equal(report.limit, 2);
	limit_report(fresh->by_target[B_LATER], &report);
	assert_int_equal(report.limit, 3);
	limit_table_destroy(kept);
	limit_table_destroy(fresh);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_breaker_stays_open_when_the_configuration_changes, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_call_leaves_where_it_entered, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_backend_keeps_what_is_spent_of_its_retry_budget, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_is_known_outlives_the_earlier_configuration, setup, teardown),
	    cmocka_unit_test_setup_teardown(the_later_configuration_sets_the_options, setup, teardown),
	    cmocka_unit_test_setup_teardown(models_keep_their_times, setup, teardown),
	    cmocka_unit_test_setup_teardown(refused_rewrites_are_remembered_by_backend, setup, teardown),
	    cmocka_unit_test(limits_are_kept_by_name_while_their_options_are_the_same),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
