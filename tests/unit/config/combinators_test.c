/* SPDX-License-Identifier: MIT */
/* Combinators that are known by name: misspelt ones are found with everything else, those with few children, too. */
#include "tests/unit/config/fixture.h"

#include "config/combinators.h"

#define BACKENDS          \
	"listen: [h:1]\n" \
	"backends: { b: { url: http://b } }\n"

static const struct config_combinator list[] = {{"fallback", 1, false}, {"race", 2, true}, {"retry", 1, false}};

static int set(void **state)
{
	(void)state;
	config_set_combinators(list, sizeof(list) / sizeof(list[0]));
	return 0;
}

static int unset(void **state)
{
	(void)state;
	config_set_combinators(NULL, 0);
	return 0;
}

static void a_misspelt_combinator_gets_a_suggestion(void **state)
{
	(void)state;
	fixture_bad(BACKENDS "models:\n  m: { fallbak: [b/x] }\n",
		    "t.yaml:4: models.m: there is no combinator \"fallbak\"; did you mean \"fallback\"?\n");
	fixture_bad(BACKENDS "models:\n  m: { retry: { rcae: [b/x, b/y] } }\n",
		    "t.yaml:4: models.m.retry: there is no combinator \"rcae\"; did you mean \"race\"?\n");
	fixture_bad(BACKENDS "models:\n  m: { consensus: [b/x] }\n",
		    "t.yaml:4: models.m: there is no combinator \"consensus\"\n");
}

static void a_combinator_with_few_children_is_refused(void **state)
{
	(void)state;
	fixture_bad(BACKENDS "models:\n  m: { race: [b/x] }\n  n: { race: b/x }\n",
		    "t.yaml:4: models.m: race needs at least 2 children; got 1\n"
		    "t.yaml:5: models.n: race needs at least 2 children; got 1\n");
	config_drop(fixture_good(BACKENDS "models:\n  m: { race: [b/x, b/y] }\n  n: { retry: b/x }\n"));
}

static void every_mistake_is_found_in_one_pass(void **state)
{
	(void)state;
	fixture_bad(BACKENDS
		    "models:\n  m: { fallbak: [b/x] }\n  n: { race: [b/x] }\n  o: { retry: c/x }\nworkres: 3\n",
		    "t.yaml:4: models.m: there is no combinator \"fallbak\"; did you mean \"fallback\"?\n"
		    "t.yaml:5: models.n: race needs at least 2 children; got 1\n"
		    "t.yaml:6: models.o.retry: no backend is named \"c\"\n"
		    "t.yaml:7: workres: unknown key; did you mean \"workers\"?\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_misspelt_combinator_gets_a_suggestion, set, unset),
	    cmocka_unit_test_setup_teardown(a_combinator_with_few_children_is_refused, set, unset),
	    cmocka_unit_test_setup_teardown(every_mistake_is_found_in_one_pass, set, unset),
	};
	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
