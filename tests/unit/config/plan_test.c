/* SPDX-License-Identifier: MIT */
/* Plan expressions: how they are read, and what is refused. */
#include "tests/unit/config/fixture.h"

#include "config/plan.h"

#define BACKENDS                       \
	"listen: [h:1]\n"              \
	"backends:\n"                  \
	"  alpha: { url: http://a }\n" \
	"  beta: { url: http://b }\n"

static void a_string_is_a_target_split_at_the_first_slash(void **state)
{
	(void)state;
	const struct config *config = fixture_good(BACKENDS "models: { m: beta/org/model:7b }\n");
	const struct config_plan *plan = config->models[0].plan;
	assert_null(plan->combinator);
	assert_ptr_equal(plan->backend, &config->backends[1]);
	assert_string_equal(plan->target_model, "org/model:7b");
	assert_string_equal(plan->target, "beta/org/model:7b");
	assert_int_equal(plan->child_count, 0);
	assert_int_equal(plan->line, 5);
	config_drop(config);
}

static void combinators_nest_in_the_order_written(void **state)
{
	(void)state;
	const struct config *config = fixture_good(BACKENDS "models:\n"
							    "  m:\n"
							    "    all:\n"
							    "      - fallback: [alpha/x, beta/x]\n"
							    "      - some_future_name:\n"
							    "          - alpha/y\n");
	const struct config_plan *plan = config->models[0].plan;
	assert_string_equal(plan->combinator, "all");
	assert_int_equal(plan->line, 7);
	assert_int_equal(plan->child_count, 2);
	assert_string_equal(plan->children[0]->combinator, "fallback");
	assert_string_equal(plan->children[0]->children[1]->target, "beta/x");
	assert_string_equal(plan->children[1]->combinator, "some_future_name");
	assert_string_equal(plan->children[1]->children[0]->target_model, "y");
	assert_int_equal(plan->children[1]->children[0]->line, 10);
	config_drop(config);
}

static void models_may_come_before_backends(void **state)
{
	(void)state;
	const struct config *config =
	    fixture_good("models: { m: a/x }\nbackends: { a: { url: http://a } }\nlisten: [h:1]\n");
	assert_ptr_equal(config->models[0].plan->backend, &config->backends[0]);
	config_drop(config);
}

static void equal_targets_are_one_however_many_plans_use_them(void **state)
{
	(void)state;
	const struct config *config =
	    fixture_good(BACKENDS "models:\n"
				  "  one: beta/x\n"
				  "  two: { all: [alpha/y, { fallback: [beta/x, alpha/x] }] }\n"
				  "  three: { all: [beta/x, beta/x/y] }\n");
	static const char *const names[] = {"alpha/x", "alpha/y", "beta/x", "beta/x/y"};
	assert_int_equal(config->target_count, 4);
	for (size_t i = 0; i < 4; i++)
		assert_string_equal(config->targets[i].name, names[i]);
	assert_ptr_equal(config->targets[3].backend, &config->backends[1]);
	assert_string_equal(config->targets[3].model, "x/y");
	const struct config_plan *two = config->models[1].plan;
	assert_int_equal(config->models[0].plan->target_index, 2);
	assert_int_equal(two->children[0]->target_index, 1);
	assert_int_equal(two->children[1]->children[0]->target_index, 2);
	assert_int_equal(two->children[1]->children[1]->target_index, 0);
	assert_int_equal(config->models[2].plan->children[1]->target_index, 3);
	config_drop(config);
}

static void an_unknown_backend_is_named_with_a_suggestion(void **state)
{
	(void)state;
	fixture_bad(BACKENDS "models:\n  m: alhpa/x\n",
		    "t.yaml:6: models.m: no backend is named \"alhpa\"; did you mean \"alpha\"?\n");
	fixture_bad(BACKENDS "models:\n  m: { fallback: [alpha/x, nowhere/y] }\n",
		    "t.yaml:6: models.m.fallback[1]: no backend is named \"nowhere\"\n");
}

#define EXPECTED "expected a target such as backend/model, or one combinator such as fallback: [a/model, b/model]\n"

static void what_is_no_plan_is_refused(void **state)
{
	(void)state;
	fixture_bad(BACKENDS "models:\n  m: alpha\n", "t.yaml:6: models.m: got \"alpha\"; " EXPECTED);
	fixture_bad(BACKENDS "models:\n  m: alpha/\n", "t.yaml:6: models.m: got \"alpha/\"; " EXPECTED);
	fixture_bad(BACKENDS "models:\n  m: /x\n", "t.yaml:6: models.m: got \"/x\"; " EXPECTED);
	fixture_bad(BACKENDS "models:\n  m:\n", "t.yaml:6: models.m: got nothing; " EXPECTED);
	fixture_bad(BACKENDS "models:\n  m: [alpha/x]\n", "t.yaml:6: models.m: got a list; " EXPECTED);
	const char *one =
	    "t.yaml:6: models.m: a mapping here must have exactly one key that is no option, the name of a "
	    "combinator; ";
	char text[512];
	snprintf(text, sizeof(text), "%s" EXPECTED, one);
	fixture_bad(BACKENDS "models:\n  m: {}\n", text);
	fixture_bad(BACKENDS "models:\n  m: { all: [alpha/x], race: [beta/x] }\n", text);
	fixture_bad(BACKENDS "models:\n  m: { \"\": [alpha/x] }\n", text);
	const char *nothing =
	    "t.yaml:6: models.m: all takes a plan, or a list of at least one, such as [a/model, b/model]\n";
	fixture_bad(BACKENDS "models:\n  m: { all: [] }\n", nothing);
	fixture_bad(BACKENDS "models:\n  m: { all: }\n", nothing);
	fixture_bad(BACKENDS "models:\n  m: { all: alpha }\n", "t.yaml:6: models.m.all: got \"alpha\"; " EXPECTED);
}

static void one_plan_needs_no_list(void **state)
{
	(void)state;
	const struct config *config =
	    fixture_good(BACKENDS "models: { m: { retry: { fallback: [alpha/x, beta/y] } } }\n");
	const struct config_plan *plan = config->models[0].plan;
	assert_string_equal(plan->combinator, "retry");
	assert_int_equal(plan->child_count, 1);
	assert_string_equal(plan->children[0]->combinator, "fallback");
	assert_string_equal(plan->children[0]->children[1]->target, "beta/y");
	config_drop(config);
}

static void children_may_have_names(void **state)
{
	(void)state;
	const struct config *config = fixture_good(
	    BACKENDS "models:\n"
		     "  m:\n"
		     "    race:\n"
		     "      - alpha/x\n"
		     "      - { name: cheap.1, plan: alpha/x }\n"
		     "      - { plan: { all: { name: only, plan: beta/y } }, name: \"${SLUICE_UNSET:-two}\" }\n");
	const struct config_plan *plan = config->models[0].plan;
	assert_null(plan->name);
	assert_null(plan->children[0]->name);
	assert_string_equal(plan->children[1]->name, "cheap.1");
	assert_string_equal(plan->children[1]->target, "alpha/x");
	assert_string_equal(plan->children[2]->name, "two");
	assert_string_equal(plan->children[2]->combinator, "all");
	assert_string_equal(plan->children[2]->children[0]->name, "only");
	assert_int_equal(config->target_count, 2);
	assert_int_equal(plan->children[2]->children[0]->target_index, 1);
	config_drop(config);
}

#define NAMED \
	"only a child of a combinator has a name, with its plan beside it, such as { name: first, plan: a/model }\n"

static void names_that_are_out_of_place_are_refused(void **state)
{
	(void)state;
	fixture_bad(BACKENDS "models:\n  m: { name: n, plan: alpha/x }\n", "t.yaml:6: models.m.name: unknown key\n");
	fixture_bad(BACKENDS "models:\n  m: { plan: { plan: alpha/x } }\n", "t.yaml:6: models.m.plan: " NAMED);
	fixture_bad(BACKENDS "models:\n  m: { all: [{ name: n, race: [alpha/x] }] }\n",
		    "t.yaml:6: models.m.all[0]: " NAMED);
	fixture_bad(BACKENDS "models:\n  m: { all: [{ name: a b, plan: alpha/x }] }\n",
		    "t.yaml:6: models.m.all[0].name: got \"a b\"; expected 1 to 64 letters, digits, \".\", \"_\" and "
		    "\"-\"\n");
	fixture_bad(BACKENDS "models:\n  m: { all: [{ name: n, plan: alpha/x, attempts: 3 }] }\n",
		    "t.yaml:6: models.m.all[0].attempts: unknown key; expected nothing but \"name\" beside \"plan\"\n");
	fixture_bad(BACKENDS "models:\n  m: { all: [{ name: n, plan: { name: o, plan: alpha/x } }] }\n",
		    "t.yaml:6: models.m.all[0].plan: " NAMED);
	fixture_bad(BACKENDS "models:\n  m:\n    all:\n      - { name: n, plan: alpha/x }\n"
			     "      - beta/x\n      - { name: n, plan: beta/x }\n",
		    "t.yaml:10: models.m: two children have the name \"n\"\n");
	fixture_bad(BACKENDS "models:\n  m: { all: [{ name: n, name: o, plan: alpha/x }] }\n",
		    "t.yaml:6: models.m.all[0].name: given twice; the first is at line 6\n");
}

static void a_model_is_a_plan_or_a_mapping_of_its_plan_and_options(void **state)
{
	(void)state;
	const struct config *config =
	    fixture_good(BACKENDS "models:\n"
				  "  bare: alpha/x\n"
				  "  open: { plan: alpha/x, strict: false }\n"
				  "  closed: { strict: true, plan: { fallback: [alpha/x, beta/x] } }\n");
	assert_false(config->models[0].strict);
	assert_false(config->models[1].strict);
	assert_true(config->models[2].strict);
	assert_string_equal(config->models[1].plan->target, "alpha/x");
	assert_string_equal(config->models[2].plan->combinator, "fallback");
	assert_int_equal(config->target_count, 2);
	config_drop(config);
	fixture_bad(BACKENDS "models:\n  m: { plan: alpha/x, strict: perhaps }\n",
		    "t.yaml:6: models.m.strict: got \"perhaps\"; expected true or false\n");
	fixture_bad(BACKENDS "models:\n  m: { plan: alpha/x, stirct: true }\n",
		    "t.yaml:6: models.m.stirct: unknown key; did you mean \"strict\"?\n");
	fixture_bad(BACKENDS "models:\n  m: { plan: , strict: true }\n",
		    "t.yaml:6: models.m.plan: got nothing; " EXPECTED);
	fixture_bad(BACKENDS "models:\n  m: { fallback: [alpha/x], strict: true }\n",
		    "t.yaml:6: models.m: strict stands beside \"plan\", such as { plan: a/model, strict: true }\n");
}

/* A plan of that many levels, and of that many targets on the last. */
static const char *nested(unsigned levels, unsigned targets)
{
	static char text[8192];
	size_t len = (size_t)snprintf(text, sizeof(text), BACKENDS "models:\n  m: ");
	for (unsigned i = 1; i < levels; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "{ all: [ ");
	for (unsigned i = 0; i < targets; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%salpha/x", i == 0 ? "" : ", ");
	for (unsigned i = 1; i < levels; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, " ] }");
	snprintf(text + len, sizeof(text) - len, "\n");
	return text;
}

static void retries_inside_each_other_are_bounded(void **state)
{
	(void)state;
	config_drop(
	    fixture_good("listen: [h:1]\nbackends: { a: { url: http://a } }\n"
			 "models: { m: { retry: { race: [{ retry: a/b, attempts: 4 }, a/c] }, attempts: 4 } }\n"));
	assert_null(fixture_load("listen: [h:1]\nbackends: { a: { url: http://a } }\nmodels:\n"
				 "  m: { retry: { race: [a/c, { retry: a/b, attempts: 10 }] }, attempts: 10 }\n"));
	assert_non_null(
	    strstr(fixture_findings(),
		   ":4: models.m.retry.race[1]: retries inside each other come to 100 attempts; expected at "
		   "most 16 (retries.attempts): lower \"attempts\" here or around it, or take a retry out\n"));
	config_drop(fixture_good("listen: [h:1]\nbackends: { a: { url: http://a } }\nretries: { attempts: 100 }\n"
				 "models: { m: { retry: { retry: a/b, attempts: 10 }, attempts: 10 } }\n"));
}

static void sixteen_levels_are_enough(void **state)
{
	(void)state;
	config_drop(fixture_good(nested(PLAN_DEPTH_MAX, 1)));
	assert_null(fixture_load(nested(PLAN_DEPTH_MAX + 1, 1)));
	assert_non_null(strstr(fixture_findings(), "the plan is nested deeper than 16 levels\n"));
}

static void sixty_four_targets_are_enough(void **state)
{
	(void)state;
	config_drop(fixture_good(nested(2, PLAN_LEAVES_MAX)));
	fixture_bad(nested(2, PLAN_LEAVES_MAX + 3), "t.yaml:6: models.m.all[64]: the plan has more than 64 targets\n");
}

static void each_plan_counts_its_own_targets(void **state)
{
	(void)state;
	char text[16384];
	snprintf(text, sizeof(text), "%s  n: {all: [%s", nested(2, PLAN_LEAVES_MAX), "alpha/x, beta/y]}\n");
	config_drop(fixture_good(text));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_string_is_a_target_split_at_the_first_slash),
	    cmocka_unit_test(combinators_nest_in_the_order_written),
	    cmocka_unit_test(models_may_come_before_backends),
	    cmocka_unit_test(equal_targets_are_one_however_many_plans_use_them),
	    cmocka_unit_test(an_unknown_backend_is_named_with_a_suggestion),
	    cmocka_unit_test(what_is_no_plan_is_refused),
	    cmocka_unit_test(one_plan_needs_no_list),
	    cmocka_unit_test(children_may_have_names),
	    cmocka_unit_test(names_that_are_out_of_place_are_refused),
	    cmocka_unit_test(a_model_is_a_plan_or_a_mapping_of_its_plan_and_options),
	    cmocka_unit_test(retries_inside_each_other_are_bounded),
	    cmocka_unit_test(sixteen_levels_are_enough),
	    cmocka_unit_test(sixty_four_targets_are_enough),
	    cmocka_unit_test(each_plan_counts_its_own_targets),
	};
	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
