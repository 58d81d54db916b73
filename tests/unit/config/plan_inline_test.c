/* SPDX-License-Identifier: MIT */
/* Plans that clients send: the same grammar as in the file over names of models, bounded, and told where they are
 * wrong. */
#include "config/plan_inline.h"

#include "lib/arena.h"
#include "lib/json.h"
#include "tests/unit/config/fixture.h"

static const char file[] = "listen: [h:1]\n"
			   "backends: { a: { url: http://a }, b: { url: http://b } }\n"
			   "models:\n"
			   "  small: a/s\n"
			   "  large: { retry: b/l, attempts: 7 }\n"
			   "  '5': b/five\n"
			   "  '${HOME}': b/home\n"
			   "  a/s: b/slash\n";

static const struct config *config;
static struct arena arena;
static struct config_plan_finding finding;

static int setup(void **state)
{
	fixture_setup(state);
	config = fixture_good(file);
	arena_init(&arena, 0);
	return 0;
}

static int teardown(void **state)
{
	arena_fini(&arena);
	config_drop(config);
	return fixture_teardown(state);
}

/* Reads the member "plan" of a body, as the service does. */
static const struct config_plan *read_with(const char *plan, unsigned depth, unsigned width)
{
	struct json json;
	struct json_error error;
	const struct config_fanout limits = {depth, width};
	struct span body = arena_printf(&arena, "{\"other\":[1],\"plan\":%s,\"more\":{}}", plan);
	if (!json_parse(&json, &arena, body, 64, &error))
		fail_msg("%s: %s", plan, error.what);
	finding = (struct config_plan_finding){.path = NULL};
	return config_plan_read_json(config, &json, json_member(&json, 0, "plan"), &limits, NULL, &arena, &finding);
}

static const struct config_plan *good(const char *plan)
{
	const struct config_plan *read = read_with(plan, 4, 8);
	if (read == NULL)
		fail_msg("%s: %s: %s", plan, finding.path, finding.text);
	assert_null(finding.path);
	return read;
}

static void refuses(const char *plan, const char *path, const char *text)
{
	assert_null(read_with(plan, 4, 8));
	assert_string_equal(finding.path, path);
	assert_string_equal(finding.text, text);
}

/* Those of the models count, too. */
static void retries_inside_each_other_are_bounded(void **state)
{
	(void)state;
	good("{\"retry\":\"large\",\"attempts\":2}");
	refuses(
	    "{\"race\":[\"small\",{\"retry\":\"large\",\"attempts\":3}]}", "plan.race[1].retry",
	    "retries inside each other come to 21 attempts; expected at most 16 (retries.attempts): lower \"attempts\" "
	    "here or around it, or take a retry out");
}

static void a_string_is_the_plan_of_a_model(void **state)
{
	(void)state;
	const struct config_plan *plan = good("\"small\"");
	assert_string_equal(plan->target, "a/s");
	assert_int_equal(plan->target_index, config_find_model(config, SPAN("small"))->plan->target_index);
	assert_string_equal(plan->name, "small");
	plan = good("\"l\\u0061rge\"");
	assert_string_equal(plan->combinator, "retry");
	assert_string_equal(plan->name, "large");
	assert_int_equal(plan->options.attempts, 7);
	assert_string_equal(plan->children[0]->target, "b/l");
	assert_null(config_find_model(config, SPAN("large"))->plan->name);
}

static void a_name_with_a_slash_is_a_model_and_never_a_target(void **state)
{
	(void)state;
	assert_string_equal(good("\"a/s\"")->target, "b/slash");
	assert_null(read_with("\"b/l\"", 4, 8));
}

static void combinators_nest_and_have_options(void **state)
{
	(void)state;
	const struct config_plan *plan =
	    good("{\"balance\":[\"small\",{\"hedge\":[\"small\",\"large\"],\"hedges\":\"50%\","
		 "\"after\":\"p95\"}],\"by\":\"weighted\",\"weights\":[3,1]}");
	assert_string_equal(plan->combinator, "balance");
	assert_int_equal(plan->options.by, CONFIG_BALANCE_WEIGHTED);
	assert_int_equal(plan->options.weights[0], 3);
	assert_int_equal(plan->options.weights[1], 1);
	assert_int_equal(plan->child_count, 2);
	assert_string_equal(plan->children[0]->target, "a/s");
	assert_string_equal(plan->children[1]->combinator, "hedge");
	assert_int_equal(plan->children[1]->options.hedges, 50);
	assert_string_equal(plan->children[1]->children[1]->combinator, "retry");
	assert_int_equal(good("{\"quorum\":[\"small\",\"large\"],\"agree\":2}")->options.agree, 2);
	assert_int_equal(good("{\"quorum\":[\"small\",\"large\"],\"agree\":\"majority\"}")->options.agree, 0);
}

static void children_are_named_by_the_client_or_by_their_model(void **state)
{
	(void)state;
	const struct config_plan *plan = good("{\"race\":[\"small\",{\"name\":\"second\",\"plan\":\"small\"},{\"plan\":"
					      "{\"retry\":\"large\"}},\"small\"]}");
	assert_string_equal(plan->children[0]->name, "small");
	assert_string_equal(plan->children[1]->name, "second");
	assert_string_equal(plan->children[1]->target, "a/s");
	assert_null(plan->children[2]->name);
	assert_string_equal(plan->children[2]->children[0]->name, "large");
}

#define A_PLAN \
	"expected the name of a model, or an object with one combinator such as {\"race\": [\"small\", \"large\"]}"

static void what_is_no_plan_is_told_by_its_path(void **state)
{
	(void)state;
	refuses("null", "plan", "got null; " A_PLAN);
	refuses("[\"small\"]", "plan", "got an array; " A_PLAN);
	refuses("5", "plan", "got 5; " A_PLAN);
	refuses("true", "plan", "got true; " A_PLAN);
	refuses("\"smal\"", "plan", "no model is named \"smal\"; did you mean \"small\"?; " A_PLAN);
	refuses("\"\"", "plan", "no model is named \"\"; " A_PLAN);
	refuses("{\"race\":[\"small\",\"nowhere-near\"]}", "plan.race[1]",
		"no model is named \"nowhere-near\"; " A_PLAN);
	refuses("{\"race\":[\"small\",{\"name\":\"n\",\"plan\":{\"retry\":7}}]}", "plan.race[1].plan.retry",
		"got 7; " A_PLAN);
	refuses("{\"race\":[\"small\"],\"all\":[\"small\"]}", "plan",
		"an object here must have exactly one key that is no option, the name of a combinator; " A_PLAN);
	refuses("{\"race\":[]}", "plan",
		"race takes a plan, or an array of at least one, such as [\"small\", \"large\"]");
	refuses("{\"name\":\"n\",\"plan\":\"small\"}", "plan",
		"only a child of a combinator has a name, with its plan beside it, such as {\"name\": \"first\", "
		"\"plan\": \"small\"}");
}

static void the_options_of_a_file_are_checked_here_too(void **state)
{
	(void)state;
	refuses("{\"retry\":\"small\",\"atempts\":3}", "plan.atempts", "unknown key; did you mean \"attempts\"?");
	refuses("{\"race\":[\"small\"],\"attempts\":3}", "plan.attempts",
		"race does not take it; it is an option of retry");
	refuses("{\"race\":[{\"retry\":\"small\",\"attempts\":11}]}", "plan.race[0].attempts",
		"got 11; expected a number from 1 to 10");
	refuses("{\"quorum\":[\"small\",\"large\"],\"agree\":3}", "plan.agree",
		"got 3; expected at most 2, the number of children");
}

static void types_are_those_of_json(void **state)
{
	(void)state;
	refuses("{\"retry\":\"small\",\"attempts\":\"3\"}", "plan.attempts", "got \"3\"; expected a number such as 64");
	refuses("{\"retry\":\"small\",\"attempts\":3.0}", "plan.attempts", "got 3.0; expected a number such as 64");
	refuses("{\"retry\":\"small\",\"attempts\":true}", "plan.attempts", "got true; expected a number such as 64");
	refuses("{\"balance\":[\"small\"],\"by\":\"weighted\",\"weights\":[\"1\"]}", "plan.weights[0]",
		"got \"1\"; expected a number such as 64");
	refuses("{\"balance\":[\"small\"],\"by\":\"weighted\",\"weights\":{}}", "plan.weights",
		"got an object; expected a list of numbers such as [3, 1]");
	refuses("{\"hedge\":[\"small\"],\"hedges\":5}", "plan.hedges", "got 5; expected a share such as 5%");
	refuses("{\"race\":[{\"name\":5,\"plan\":\"small\"}]}", "plan.race[0].name",
		"got 5; expected 1 to 64 letters, digits, \".\", \"_\" and \"-\"");
}

static void nothing_is_expanded(void **state)
{
	(void)state;
	assert_string_equal(good("\"${HOME}\"")->target, "b/home");
	refuses("\"${file:/etc/hostname}\"", "plan", "no model is named \"${file:/etc/hostname}\"; " A_PLAN);
	refuses("{\"balance\":[\"small\"],\"by\":\"${HOME:-p2c}\"}", "plan.by",
		"got \"${HOME:-p2c}\"; expected one of p2c, weighted, prefix");
}

static void names_of_siblings_differ(void **state)
{
	(void)state;
	refuses("{\"race\":[{\"name\":\"n\",\"plan\":\"small\"},{\"name\":\"n\",\"plan\":\"large\"}]}", "plan",
		"two children have the name \"n\"");
	refuses("{\"race\":[\"small\",{\"name\":\"small\",\"plan\":\"large\"}]}", "plan",
		"two children have the name \"small\"");
}

static void depth_and_width_are_bounded_and_a_model_counts_as_one(void **state)
{
	(void)state;
	assert_non_null(read_with("{\"all\":{\"all\":{\"all\":\"large\"}}}", 4, 1));
	assert_null(read_with("{\"all\":{\"all\":{\"all\":{\"all\":\"large\"}}}}", 4, 1));
	assert_string_equal(finding.path, "plan.all.all.all.all");
	assert_string_equal(finding.text, "the plan is nested deeper than 4 levels (fanout.depth)");
	assert_non_null(read_with("{\"all\":[\"large\",{\"all\":[\"small\",\"small\"]}]}", 4, 3));
	assert_null(read_with("{\"all\":[\"large\",{\"all\":[\"small\",\"small\"]}]}", 4, 2));
	assert_string_equal(finding.path, "plan.all[1].all[1]");
	assert_string_equal(finding.text, "the plan has more than 2 models (fanout.width)");
	assert_non_null(read_with("\"large\"", 1, 1));
}

static void a_plan_of_very_many_members_is_refused_before_it_is_read(void **state)
{
	(void)state;
	struct buf text;
	buf_init(&text, 1 << 20);
	buf_append(&text, SPAN("{\"all\":[["));
	for (int i = 0; i < 4096; i++)
		buf_append(&text, SPAN("0,"));
	buf_append(&text, SPAN("0]]}\0"));
	refuses(buf_span(&text).at, "plan", "the plan has too many members");
	buf_fini(&text);
}

static void running_out_of_memory_is_told_at_every_allocation(void **state)
{
	(void)state;
	struct json json;
	struct json_error error;
	const struct config_fanout limits = {4, 8};
	static const char text[] =
	    "{\"balance\":[\"small\",{\"name\":\"n\",\"plan\":\"l\\u0061rge\"}],\"by\":\"weighted\","
	    "\"weights\":[1,2]}";
	assert_true(json_parse(&json, &arena, SPAN(text), 64, &error));
	bool done = false;
	for (size_t limit = 1; !done && limit < 1 << 16; limit += 64) {
		struct arena small;
		arena_init(&small, limit);
		done = config_plan_read_json(config, &json, 0, &limits, NULL, &small, &finding) != NULL;
		if (!done)
			assert_string_equal(finding.text, "out of memory");
		arena_fini(&small);
	}
	assert_true(done);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(retries_inside_each_other_are_bounded, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_string_is_the_plan_of_a_model, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_name_with_a_slash_is_a_model_and_never_a_target, setup, teardown),
	    cmocka_unit_test_setup_teardown(combinators_nest_and_have_options, setup, teardown),
	    cmocka_unit_test_setup_teardown(children_are_named_by_the_client_or_by_their_model, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_is_no_plan_is_told_by_its_path, setup, teardown),
	    cmocka_unit_test_setup_teardown(the_options_of_a_file_are_checked_here_too, setup, teardown),
	    cmocka_unit_test_setup_teardown(types_are_those_of_json, setup, teardown),
	    cmocka_unit_test_setup_teardown(nothing_is_expanded, setup, teardown),
	    cmocka_unit_test_setup_teardown(names_of_siblings_differ, setup, teardown),
	    cmocka_unit_test_setup_teardown(depth_and_width_are_bounded_and_a_model_counts_as_one, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_plan_of_very_many_members_is_refused_before_it_is_read, setup, teardown),
	    cmocka_unit_test_setup_teardown(running_out_of_memory_is_told_at_every_allocation, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
