/* SPDX-License-Identifier: MIT */
/* The balance combinator: whom it chooses, and what becomes of a refusal. Health is the real one, on a fake clock. */
#include "tests/unit/service/fake_plan.h"

#include "schemas/openai/prefix.h"
#include "service/health/health.h"
#include "service/plan/balance.h"

enum { CHILDREN = 4 };

static struct plan root;
static struct config config;
static struct config_backend backends[1];
static struct config_target targets[CHILDREN];
static struct health_call tickets[64];
static unsigned ticket_count;

/* Breakers open at the first failure, for at least half of that long; n targets. */
static void know(size_t count, enum config_balance by, const unsigned *weights)
{
	static const char *const names[] = {"a/0", "a/1", "a/2", "a/3"};
	backends[0].name = "a";
	backends[0].breaker = (struct config_breaker){.enabled = true,
						      .window_us = 60 * (uint64_t)FAKE_SECOND,
						      .calls = 10,
						      .percent = 50,
						      .consecutive = 1,
						      .unreachable = 1,
						      .wait_us = 8 * (uint64_t)FAKE_SECOND,
						      .wait_most_us = 300 * (uint64_t)FAKE_SECOND};
	for (size_t i = 0; i < count; i++)
		targets[i] = (struct config_target){.backend = &backends[0], .model = "m", .name = names[i]};
	config = (struct config){.backends = backends, .backend_count = 1, .targets = targets, .target_count = count};
	fake_worker.config = &config;
	fake_worker.health = health_create(&config, 1, NULL);
	assert_non_null(fake_worker.health);
	fake_root_source.options = (struct config_plan_options){.by = by, .weights = weights};
	fake_now = FAKE_SECOND;
	ticket_count = 0;
}

static struct run *begin(size_t count)
{
	return fake_setup(&root, &plan_kind_balance, count, true);
}

static void forget(void)
{
	fake_teardown();
	health_destroy(fake_worker.health);
	fake_worker.health = NULL;
}

static struct health_call *run_one(size_t target)
{
	uint64_t wait;
	struct health_call *ticket = &tickets[ticket_count++];
	*ticket = (struct health_call){.health = NULL};
	struct health_use use = {.target = target};
	assert_int_equal(health_enter(fake_worker.health, ticket, &use, HEALTH_FIRST, FAKE_SECOND, &wait), HEALTH_OK);
	return ticket;
}

static void break_one(size_t target)
{
	struct health_outcome outcome = {.code = ERROR_UPSTREAM_RESET, .kind = FAILURE_BROKEN};
	health_leave(run_one(target), &outcome, FAKE_SECOND);
}

static size_t chosen(size_t count)
{
	size_t which = count;
	for (size_t i = 0; i < count; i++) {
		if (fake_leaf[i] != NULL && fake_leaf[i]->started) {
			assert_int_equal(which, count);
			which = i;
		}
	}
	assert_true(which < count);
	return which;
}

static void exactly_one_child_starts_even_when_nothing_is_known(void **state)
{
	(void)state;
	fake_root_source.options = (struct config_plan_options){.by = CONFIG_BALANCE_P2C};
	begin(3);
	chosen(3);
	fake_teardown();
}

static void of_two_the_less_busy_one_is_chosen(void **state)
{
	(void)state;
	know(2, CONFIG_BALANCE_P2C, NULL);
	run_one(1);
	for (int i = 0; i < 8; i++) {
		begin(2);
		assert_int_equal(chosen(2), 0);
		fake_teardown();
	}
	begin(2);
	forget();
}

static struct balance_candidate candidate(size_t child, unsigned running, uint64_t latency_us, double share)
{
	return (struct balance_candidate){
	    .child = child,
	    .view = {.reason = HEALTH_OK, .running = running, .latency_us = latency_us, .share = share}};
}

static void of_two_that_are_as_busy_the_faster_one_is_chosen(void **state)
{
	struct balance_candidate two[] = {candidate(0, 2, 900, 1), candidate(1, 2, 300, 1)};
	(void)state;
	for (uint64_t random = 0; random < 16; random++)
		assert_int_equal(balance_by_p2c(two, 2, random << 32 | random), 1);
}

static void one_whose_latency_is_not_known_is_judged_by_its_calls_alone(void **state)
{
	struct balance_candidate two[] = {candidate(0, 1, 900, 1), candidate(1, 0, 0, 1)};
	(void)state;
	assert_int_equal(balance_by_p2c(two, 2, 0), 1);
	two[1].view.running = 2;
	assert_int_equal(balance_by_p2c(two, 2, 0), 0);
}

static void one_that_starts_slowly_is_chosen_less(void **state)
{
	struct balance_candidate two[] = {candidate(0, 1, 300, 0.1), candidate(1, 9, 300, 1)};
	(void)state;
	assert_int_equal(balance_by_p2c(two, 2, 0), 1);
}

/* Its failures cost no time, so it is idle, fast and has free places. */
static void one_that_mostly_fails_is_worse_than_one_that_is_slow_busy_or_full(void **state)
{
	struct balance_candidate two[] = {candidate(0, 0, 1000, 1), candidate(1, 90, 4000000, 1)};
	(void)state;
	two[0].view.failing = 0.5;
	two[1].view.full = true;
	for (uint64_t random = 0; random < 16; random++)
		assert_int_equal(balance_by_p2c(two, 2, random << 32 | random), 1);
	two[1].view.failing = 0.9; /* when both do, the better one of them */
	assert_int_equal(balance_by_p2c(two, 2, 0), 0);
}

static void those_that_mostly_fail_are_kept_only_when_all_do(void **state)
{
	struct balance_candidate three[] = {candidate(0, 0, 0, 1), candidate(1, 0, 0, 1), candidate(2, 0, 0, 1)};
	(void)state;
	three[0].view.failing = three[2].view.failing = 0.6;
	three[1].view.failing = 0.49;
	assert_int_equal(balance_keep_working(three, 3), 1);
	assert_int_equal(three[0].child, 1);
	for (size_t i = 0; i < 3; i++)
		three[i].view.failing = 0.5;
	assert_int_equal(balance_keep_working(three, 3), 3);
}

static void every_pair_is_drawn(void **state)
{
	struct balance_candidate three[] = {candidate(0, 0, 0, 1), candidate(1, 1, 0, 1), candidate(2, 2, 0, 1)};
	unsigned count[3] = {0};
	(void)state;
	for (uint64_t first = 0; first < 3; first++) {
		for (uint64_t second = 0; second < 2; second++) {
			uint64_t random = second << 32;
			while (random % 3 != first)
				random++;
			count[balance_by_p2c(three, 3, random)]++;
		}
	}
	assert_int_equal(count[0], 4);
	assert_int_equal(count[1], 2);
	assert_int_equal(count[2], 0);
}

static void weights_share_the_requests_smoothly(void **state)
{
	static const unsigned weights[] = {5, 1, 1};
	static const size_t expected[] = {0, 0, 1, 0, 2, 0, 0};
	struct balance_candidate three[] = {candidate(0, 0, 0, 1), candidate(1, 0, 0, 1), candidate(2, 0, 0, 1)};
	double credits[3] = {0};
	(void)state;
	for (size_t i = 0; i < 14; i++)
		assert_int_equal(balance_by_weight(three, 3, weights, credits), expected[i % 7]);
}

static void turns_are_remembered_from_request_to_request(void **state)
{
	static const unsigned weights[] = {1, 3};
	unsigned count[2] = {0};
	(void)state;
	know(2, CONFIG_BALANCE_WEIGHTED, weights);
	begin(2);
	for (int i = 0; i < 8; i++) {
		memset(fake_leaf, 0, sizeof(fake_leaf));
		struct run *run = plan_create_run(&root, &fake_context, &fake_sink);
		run->ops->start(run);
		count[chosen(2)]++;
	}
	assert_in_range(count[0], 1, 3);
	assert_int_equal(count[0] + count[1], 8);
	forget();
}

static void the_same_prefix_goes_to_the_same_child_while_that_has_room(void **state)
{
	static const uint64_t names[] = {11, 22, 33, 44};
	struct balance_candidate four[CHILDREN];
	unsigned count[CHILDREN] = {0};
	(void)state;
	for (size_t i = 0; i < CHILDREN; i++)
		four[i] = candidate(i, 2, 0, 1);
	for (uint64_t prefix = 0; prefix < 400; prefix++) {
		size_t which = balance_by_prefix(four, CHILDREN, prefix, names);
		assert_int_equal(balance_by_prefix(four, CHILDREN, prefix, names), which);
		count[which]++;
	}
	for (size_t i = 0; i < CHILDREN; i++)
		assert_in_range(count[i], 60, 140);
	size_t home = balance_by_prefix(four, CHILDREN, 7, names);
	for (size_t i = 0; i < CHILDREN; i++)
		assert_false(four[i].full);
	four[home].view.running = 9;
	assert_int_not_equal(balance_by_prefix(four, CHILDREN, 7, names), home);
	for (size_t i = 0; i < CHILDREN; i++)
		assert_int_equal(four[i].full, i == home);
}

static void a_child_that_goes_moves_only_its_own_prefixes(void **state)
{
	static const uint64_t names[] = {11, 22, 33, 44};
	struct balance_candidate four[CHILDREN];
	(void)state;
	for (size_t i = 0; i < CHILDREN; i++)
		four[i] = candidate(i, 0, 0, 1);
	for (uint64_t prefix = 0; prefix < 200; prefix++) {
		size_t before = four[balance_by_prefix(four, CHILDREN, prefix, names)].child;
		size_t after = four[balance_by_prefix(four, CHILDREN - 1, prefix, names)].child;
		assert_true(after == before || before == CHILDREN - 1);
	}
}

static void a_child_whose_breaker_is_open_is_not_chosen(void **state)
{
	static const enum config_balance ways[] = {CONFIG_BALANCE_P2C, CONFIG_BALANCE_WEIGHTED, CONFIG_BALANCE_PREFIX};
	(void)state;
	for (size_t way = 0; way < 3; way++) {
		know(2, ways[way], NULL);
		break_one(1);
		for (int i = 0; i < 8; i++) {
			begin(2);
			assert_int_equal(chosen(2), 0);
			fake_teardown();
		}
		begin(2);
		forget();
	}
}

static void when_fewer_than_half_are_available_all_have_their_chance(void **state)
{
	unsigned others = 0;
	(void)state;
	know(3, CONFIG_BALANCE_WEIGHTED, NULL);
	break_one(1);
	break_one(2);
	begin(3);
	for (int i = 0; i < 6; i++) {
		memset(fake_leaf, 0, sizeof(fake_leaf));
		struct run *run = plan_create_run(&root, &fake_context, &fake_sink);
		run->ops->start(run);
		others += chosen(3) != 0;
	}
	assert_int_equal(others, 4);
	forget();
}

static void a_refusal_hands_on_to_the_next_choice_for_the_same_reason(void **state)
{
	(void)state;
	fake_root_source.options = (struct config_plan_options){.by = CONFIG_BALANCE_P2C};
	begin(2);
	size_t first = chosen(2);
	fake_refuse(first, "5");
	assert_true(fake_leaf[1 - first]->started);
	assert_int_equal(fake_leaf[1 - first]->reason, CALL_FIRST);
	fake_chunk(1 - first, CARRIES_ROLE, "role");
	assert_string_equal(fake_text, "chunk role;");
	fake_teardown();
}

static void when_all_refuse_the_one_that_is_over_first_is_told(void **state)
{
	(void)state;
	fake_root_source.options = (struct config_plan_options){.by = CONFIG_BALANCE_P2C};
	begin(2);
	size_t first = chosen(2);
	fake_refuse(first, "5");
	fake_refuse(1 - first, "9");
	assert_string_equal(fake_text, "error upstream_unavailable;");
	assert_string_equal(fake_failure.retry_after.at, "5");
	assert_true(fake_failure.refused);
	fake_teardown();
}

static void a_failure_of_a_call_is_the_requests(void **state)
{
	(void)state;
	fake_root_source.options = (struct config_plan_options){.by = CONFIG_BALANCE_P2C};
	begin(2);
	size_t first = chosen(2);
	fake_error(first, ERROR_UPSTREAM_RESET, true);
	assert_string_equal(fake_text, "error upstream_reset;");
	assert_null(fake_leaf[1 - first]);
	fake_teardown();
}

/* The first child is a pair of targets 0 and 1, of which one is open and one idle; the second is target 2, busy. */
static void the_health_of_a_subtree_is_that_of_its_best_leaf(void **state)
{
	(void)state;
	for (size_t open = 0; open < 2; open++) {
		know(3, CONFIG_BALANCE_P2C, NULL);
		break_one(open);
		run_one(2);
		begin(3);
		struct plan pair = fake_plan[1];
		const struct plan *children[] = {&pair, &fake_plan[2]};
		pair.children = fake_children;
		pair.child_count = 2;
		root.children = children;
		root.child_count = 2;
		assert_null(plan_kind_balance.prepare(&root, &fake_arena));
		memset(fake_leaf, 0, sizeof(fake_leaf));
		struct run *run = plan_create_run(&root, &fake_context, &fake_sink);
		run->ops->start(run);
		assert_non_null(fake_leaf[1]);
		assert_null(fake_leaf[2]);
		forget();
	}
}

static void count_choices(void)
{
	static const char *const names[] = {"a/0", "a/1", "a/2", "a/3"};
	struct metrics_names labels = {0};
	labels.targets = names;
	labels.target_count = CHILDREN;
	assert_true(metrics_setup(1, &labels));
	fake_worker.metrics = metrics_cells_of(0);
}

static void stop_counting(void)
{
	forget();
	fake_worker.metrics = NULL;
	metrics_teardown();
}

static void choices_and_who_was_passed_over_are_counted_by_target(void **state)
{
	(void)state;
	count_choices();
	know(3, CONFIG_BALANCE_P2C, NULL);
	break_one(1);
	begin(3);
	size_t first = chosen(3);
	assert_int_equal(metrics_sum(METRIC_BALANCE_CHOICES, (uint32_t)first, METRICS_BALANCE_HEALTHY, 0), 1);
	assert_int_equal(metrics_sum(METRIC_BALANCE_SKIPS, 1, METRICS_SKIP_UNHEALTHY, 0), 1);
	fake_refuse(first, "5");
	assert_int_equal(metrics_sum(METRIC_BALANCE_CHOICES, (uint32_t)(2 - first), METRICS_BALANCE_HEALTHY, 0), 1);
	assert_int_equal(metrics_sum(METRIC_BALANCE_SKIPS, 1, METRICS_SKIP_UNHEALTHY, 0), 2);
	fake_refuse(2 - first, "5"); /* only the one that takes no calls is left */
	assert_int_equal(metrics_sum(METRIC_BALANCE_CHOICES, 1, METRICS_BALANCE_PANIC, 0), 1);
	assert_int_equal(metrics_sum(METRIC_BALANCE_SKIPS, 1, METRICS_SKIP_UNHEALTHY, 0), 2);
	stop_counting();
}

static void choices_among_all_because_too_few_take_calls_are_counted_apart(void **state)
{
	(void)state;
	count_choices();
	know(3, CONFIG_BALANCE_WEIGHTED, NULL);
	break_one(1);
	break_one(2);
	begin(3);
	assert_int_equal(metrics_sum(METRIC_BALANCE_CHOICES, (uint32_t)chosen(3), METRICS_BALANCE_PANIC, 0), 1);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(metrics_sum(METRIC_BALANCE_SKIPS, i, METRICS_SKIP_UNHEALTHY, 0), 0);
	stop_counting();
}

static void one_that_is_passed_over_for_its_load_is_counted(void **state)
{
	(void)state;
	count_choices();
	know(2, CONFIG_BALANCE_PREFIX, NULL);
	begin(2);
	size_t home = chosen(2);
	for (int i = 0; i < 8; i++)
		run_one(home);
	memset(fake_leaf, 0, sizeof(fake_leaf));
	struct run *run = plan_create_run(&root, &fake_context, &fake_sink);
	run->ops->start(run);
	assert_int_equal(chosen(2), 1 - home);
	assert_int_equal(metrics_sum(METRIC_BALANCE_SKIPS, (uint32_t)home, METRICS_SKIP_LOAD, 0), 1);
	assert_int_equal(metrics_sum(METRIC_BALANCE_SKIPS, (uint32_t)(1 - home), METRICS_SKIP_LOAD, 0), 0);
	stop_counting();
}

static uint64_t prefix_of(enum endpoint endpoint, const char *body)
{
	struct request request;
	struct findings findings = {.count = 0};
	struct arena arena;
	arena_init(&arena, 0);
	assert_true(openai_request_decode(&request, endpoint, &arena, span_of(body), &JSON_DEPTH(64), &findings));
	uint64_t prefix = openai_request_prefix(&request);
	arena_fini(&arena);
	return prefix;
}

#define CHAT(rest) "{\"model\":\"m\",\"messages\":[{\"role\":\"system\",\"content\":\"s\"}," rest "]}"
#define USER(text) "{\"role\":\"user\",\"content\":\"" text "\"}"
#define ASSISTANT(text) "{\"role\":\"assistant\",\"content\":\"" text "\"}"

static void a_conversation_keeps_its_prefix_from_turn_to_turn(void **state)
{
	(void)state;
	uint64_t first = prefix_of(ENDPOINT_CHAT, CHAT(USER("a")));
	assert_int_equal(prefix_of(ENDPOINT_CHAT, CHAT(USER("a") "," ASSISTANT("b") "," USER("c"))), first);
	assert_int_not_equal(prefix_of(ENDPOINT_CHAT, CHAT(USER("b"))), first);
	assert_int_not_equal(
	    prefix_of(ENDPOINT_CHAT,
		      "{\"model\":\"m\",\"messages\":[{\"role\":\"system\",\"content\":\"t\"}," USER("a") "]}"),
	    first);
	assert_int_not_equal(
	    prefix_of(ENDPOINT_CHAT,
		      "{\"model\":\"n\",\"messages\":[{\"role\":\"system\",\"content\":\"s\"}," USER("a") "]}"),
	    first);
}

static void of_a_prompt_only_the_beginning_counts(void **state)
{
	char text[2][600];
	(void)state;
	for (size_t i = 0; i < 2; i++)
		snprintf(text[i], sizeof(text[i]), "{\"model\":\"m\",\"prompt\":\"%0300d%s\"}", 1,
			 i == 0 ? "" : "more");
	assert_int_equal(prefix_of(ENDPOINT_COMPLETIONS, text[0]), prefix_of(ENDPOINT_COMPLETIONS, text[1]));
	assert_int_not_equal(prefix_of(ENDPOINT_COMPLETIONS, "{\"model\":\"m\",\"prompt\":\"a\"}"),
			     prefix_of(ENDPOINT_COMPLETIONS, "{\"model\":\"m\",\"prompt\":\"b\"}"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(exactly_one_child_starts_even_when_nothing_is_known),
	    cmocka_unit_test(of_two_the_less_busy_one_is_chosen),
	    cmocka_unit_test(of_two_that_are_as_busy_the_faster_one_is_chosen),
	    cmocka_unit_test(one_whose_latency_is_not_known_is_judged_by_its_calls_alone),
	    cmocka_unit_test(one_that_starts_slowly_is_chosen_less),
	    cmocka_unit_test(one_that_mostly_fails_is_worse_than_one_that_is_slow_busy_or_full),
	    cmocka_unit_test(those_that_mostly_fail_are_kept_only_when_all_do),
	    cmocka_unit_test(every_pair_is_drawn),
	    cmocka_unit_test(weights_share_the_requests_smoothly),
	    cmocka_unit_test(turns_are_remembered_from_request_to_request),
	    cmocka_unit_test(the_same_prefix_goes_to_the_same_child_while_that_has_room),
	    cmocka_unit_test(a_child_that_goes_moves_only_its_own_prefixes),
	    cmocka_unit_test(a_child_whose_breaker_is_open_is_not_chosen),
	    cmocka_unit_test(when_fewer_than_half_are_available_all_have_their_chance),
	    cmocka_unit_test(a_refusal_hands_on_to_the_next_choice_for_the_same_reason),
	    cmocka_unit_test(when_all_refuse_the_one_that_is_over_first_is_told),
	    cmocka_unit_test(a_failure_of_a_call_is_the_requests),
	    cmocka_unit_test(the_health_of_a_subtree_is_that_of_its_best_leaf),
	    cmocka_unit_test(choices_and_who_was_passed_over_are_counted_by_target),
	    cmocka_unit_test(choices_among_all_because_too_few_take_calls_are_counted_apart),
	    cmocka_unit_test(one_that_is_passed_over_for_its_load_is_counted),
	    cmocka_unit_test(a_conversation_keeps_its_prefix_from_turn_to_turn),
	    cmocka_unit_test(of_a_prompt_only_the_beginning_counts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
