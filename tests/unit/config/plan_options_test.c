/* SPDX-License-Identifier: MIT */
/* Options that stand beside a combinator: where they go, and what is refused. */
#include "config/plan_options.h"

#include "tests/unit/config/fixture.h"

#define BACKENDS                       \
	"listen: [h:1]\n"              \
	"backends:\n"                  \
	"  alpha: { url: http://a }\n" \
	"  beta: { url: http://b }\n"  \
	"models:\n"

/* The options of a plan; drop the configuration. */
static const struct config *load(const char *plan, struct config_plan_options *options)
{
	char yaml[1024];
	snprintf(yaml, sizeof(yaml), BACKENDS "  m: %s\n", plan);
	const struct config *config = fixture_good(yaml);
	*options = config->models[0].plan->options;
	return config;
}

/* One finding for that plan, all of it on line 6. */
static void refuses(const char *plan, const char *finding)
{
	char yaml[1024];
	char expected[1024];
	snprintf(yaml, sizeof(yaml), BACKENDS "  m: %s\n", plan);
	snprintf(expected, sizeof(expected), "t.yaml:6: models.m%s\n", finding);
	fixture_bad(yaml, expected);
}

static void every_combinator_has_the_defaults(void **state)
{
	(void)state;
	struct config_plan_options options;
	const struct config *config = load("{ whatever: alpha/x }", &options);
	assert_int_equal(options.by, CONFIG_BALANCE_P2C);
	assert_null(options.weights);
	assert_int_equal(options.attempts, 2);
	assert_int_equal(options.after_us, 0);
	assert_int_equal(options.hedges, 5);
	assert_int_equal(options.agree, 0);
	config_drop(config);
}

static void options_stand_before_or_behind_the_combinator(void **state)
{
	(void)state;
	struct config_plan_options options;
	const struct config *config = load("{ attempts: 10, retry: alpha/x }", &options);
	assert_string_equal(config->models[0].plan->combinator, "retry");
	assert_int_equal(options.attempts, 10);
	config_drop(config);
}

static void a_balance_is_by_load_by_weights_or_by_prefix(void **state)
{
	(void)state;
	struct config_plan_options options;
	config_drop(load("{ balance: [alpha/x, beta/x], by: p2c }", &options));
	assert_int_equal(options.by, CONFIG_BALANCE_P2C);
	config_drop(load("{ balance: [alpha/x, beta/x], by: prefix }", &options));
	assert_int_equal(options.by, CONFIG_BALANCE_PREFIX);
	const struct config *config = load("{ weights: [3, 1], balance: [alpha/x, beta/x], by: weighted }", &options);
	assert_int_equal(options.by, CONFIG_BALANCE_WEIGHTED);
	assert_int_equal(options.weights[0], 3);
	assert_int_equal(options.weights[1], 1);
	config_drop(config);
}

static void the_options_of_hedge_and_quorum(void **state)
{
	(void)state;
	struct config_plan_options options;
	config_drop(load("{ hedge: [alpha/x, beta/x], after: 250ms, hedges: 100% }", &options));
	assert_int_equal(options.after_us, 250000);
	assert_int_equal(options.hedges, 100);
	config_drop(load("{ hedge: [alpha/x, beta/x], after: p95, hedges: 0% }", &options));
	assert_int_equal(options.after_us, 0);
	assert_int_equal(options.hedges, 0);
	config_drop(load("{ quorum: [alpha/x, beta/x], agree: 2 }", &options));
	assert_int_equal(options.agree, 2);
	config_drop(load("{ quorum: [alpha/x, beta/x], agree: majority }", &options));
	assert_int_equal(options.agree, 0);
}

static void each_combinator_of_a_plan_has_its_own_options(void **state)
{
	(void)state;
	struct config_plan_options options;
	const struct config *config =
	    load("{ retry: { retry: alpha/x, attempts: 5 }, attempts: \"${SLUICE_UNSET:-3}\" }", &options);
	assert_int_equal(options.attempts, 3);
	assert_int_equal(config->models[0].plan->children[0]->options.attempts, 5);
	config_drop(config);
}

static void values_out_of_type_or_bounds_are_refused(void **state)
{
	(void)state;
	refuses("{ retry: alpha/x, attempts: 11 }", ".attempts: got \"11\"; expected a number from 1 to 10");
	refuses("{ retry: alpha/x, attempts: 0 }", ".attempts: got \"0\"; expected a number from 1 to 10");
	refuses("{ retry: alpha/x, attempts: [2] }", ".attempts: got a list; expected a number such as 64");
	refuses("{ balance: [alpha/x], by: prefx }",
		".by: got \"prefx\"; expected one of p2c, weighted, prefix; did you mean \"prefix\"?");
	refuses("{ balance: [alpha/x], by: }", ".by: got nothing; expected one of p2c, weighted, prefix");
	refuses("{ hedge: [alpha/x], after: p99 }",
		".after: got \"p99\"; expected p95 or a duration such as 250ms, 2s, 10m or 1h");
	refuses("{ hedge: [alpha/x], after: 2h }", ".after: got \"2h\"; expected p95 or a duration from 1ms to 1h");
	refuses("{ hedge: [alpha/x], hedges: 5 }", ".hedges: got \"5\"; expected a share such as 5%");
	refuses("{ hedge: [alpha/x], hedges: 101% }", ".hedges: got \"101%\"; expected a share from 0% to 100%");
	refuses("{ quorum: [alpha/x], agree: 0 }", ".agree: got \"0\"; expected majority or a number from 1 to 64");
	refuses("{ balance: [alpha/x], by: weighted, weights: 3 }",
		".weights: got a single value; expected a list of numbers such as [3, 1]");
	refuses("{ balance: [alpha/x, beta/x], by: weighted, weights: [3, 1001] }",
		".weights[1]: got \"1001\"; expected a number from 1 to 1000");
}

static void options_are_checked_against_the_children(void **state)
{
	(void)state;
	refuses("{ balance: [alpha/x, beta/x], by: weighted, weights: [3] }",
		".weights: got 1; expected 2, one for each child");
	refuses("{ balance: [alpha/x], by: weighted, weights: [] }", ".weights: got 0; expected 1, one for each child");
	refuses("{ balance: [alpha/x], weights: [3] }",
		".weights: they mean nothing here; expected \"by\" beside them to be \"weighted\"");
	refuses("{ quorum: [alpha/x, beta/x], agree: 3 }", ".agree: got 3; expected at most 2, the number of children");
}

static void an_option_of_another_combinator_says_where_it_belongs(void **state)
{
	(void)state;
	refuses("{ race: [alpha/x, beta/x], attempts: 3 }",
		".attempts: race does not take it; it is an option of retry");
	refuses("{ retry: alpha/x, weights: [1] }", ".weights: retry does not take it; it is an option of balance");
}

static void a_misspelt_option_gets_a_suggestion_at_its_line(void **state)
{
	(void)state;
	refuses("{ retry: alpha/x, atempts: 3 }", ".atempts: unknown key; did you mean \"attempts\"?");
	refuses("{ hedge: [alpha/x], hedgs: 3%, aftr: p95 }",
		".hedgs: unknown key; did you mean \"hedges\"?\n"
		"t.yaml:6: models.m.aftr: unknown key; did you mean \"after\"?");
	fixture_bad(BACKENDS "  m:\n    atempts: 3\n    retry: alpha/x\n",
		    "t.yaml:7: models.m.atempts: unknown key; did you mean \"attempts\"?\n");
	refuses("{ retry: alpha/x, retry: beta/x }",
		".retry: given twice; the first is at line 6\n"
		"t.yaml:6: models.m: a mapping here must have exactly one key that is no option, the name of a "
		"combinator; expected a target such as backend/model, or one combinator such as fallback: [a/model, "
		"b/model]");
	refuses("{ retry: alpha/x, attempts: 3, attempts: 4 }", ".attempts: given twice; the first is at line 6");
	refuses("{ attempts: 3 }",
		": a mapping here must have exactly one key that is no option, the name of a combinator; expected a "
		"target such as backend/model, or one combinator such as fallback: [a/model, b/model]");
}

static void every_option_has_readable_defaults_bounds_and_a_sentence(void **state)
{
	(void)state;
	struct arena arena;
	arena_init(&arena, 0);
	for (size_t i = 0; i < plan_options_count; i++) {
		const struct key *key = &plan_options_table[i].key;
		struct key entry = *key;
		struct value value;
		char expected[VALUE_EXPECTED_MAX];
		if (key->type == KEY_NUMBERS)
			entry.type = KEY_UNSIGNED;
		const char *const texts[] = {key->standard, key->least, key->most};
		for (size_t t = 0; t < 3; t++)
			if (texts[t] != NULL)
				assert_true(value_read(&arena, &entry, span_of(texts[t]), "", &value, expected));
		assert_true((key->least == NULL) == (key->most == NULL));
		assert_true((key->type == KEY_WORD || key->type == KEY_KINDS) == (key->least == NULL));
		assert_true(key->text[strlen(key->text) - 1] == '.');
		assert_ptr_equal(plan_option_find(span_of(key->path)), &plan_options_table[i]);
	}
	arena_fini(&arena);
}

static void the_reference_tells_whose_every_option_is(void **state)
{
	(void)state;
	struct buf out;
	buf_init(&out, 1 << 16);
	config_describe_options(&out);
	for (size_t i = 0; i < plan_options_count; i++) {
		const struct plan_option *option = &plan_options_table[i];
		const char *at = option->combinators;
		char cells[256];
		int used = snprintf(cells, sizeof(cells), "| `%s` |%s", option->key.path,
				    at == NULL ? " every combinator" : "");
		for (struct span word; at != NULL && key_next_word(&at, &word);)
			used += snprintf(cells + used, sizeof(cells) - (size_t)used, "%s `%.*s`",
					 word.at == option->combinators ? "" : ",", SPAN_ARG(word));
		snprintf(cells + used, sizeof(cells) - (size_t)used, " | ");
		if (memmem(buf_span(&out).at, buf_len(&out), cells, strlen(cells)) == NULL)
			fail_msg("the reference lacks %s", cells);
	}
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_combinator_has_the_defaults),
	    cmocka_unit_test(options_stand_before_or_behind_the_combinator),
	    cmocka_unit_test(a_balance_is_by_load_by_weights_or_by_prefix),
	    cmocka_unit_test(the_options_of_hedge_and_quorum),
	    cmocka_unit_test(each_combinator_of_a_plan_has_its_own_options),
	    cmocka_unit_test(values_out_of_type_or_bounds_are_refused),
	    cmocka_unit_test(options_are_checked_against_the_children),
	    cmocka_unit_test(an_option_of_another_combinator_says_where_it_belongs),
	    cmocka_unit_test(a_misspelt_option_gets_a_suggestion_at_its_line),
	    cmocka_unit_test(every_option_has_readable_defaults_bounds_and_a_sentence),
	    cmocka_unit_test(the_reference_tells_whose_every_option_is),
	};
	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
