/* SPDX-License-Identifier: MIT */
/* Weights of tenants in the file. */
#include "tests/unit/config/fixture.h"

static void check_weight(const struct config *config, const char *path, unsigned weight)
{
	assert_int_equal(config_tenant_weight(config, span_of(path)), weight);
}

static void a_tenant_has_its_weight_and_others_have_one(void **state)
{
	(void)state;
	const struct config *config =
	    fixture_good(LEAST "tenants:\n  b: { weight: 1000 }\n  acme/search/bot: { weight: 7 "
			       "}\n  acme: { weight: 3 }\n  acme/search: {}\n");
	assert_int_equal(config->tenant_count, 4);
	check_weight(config, "acme", 3);
	check_weight(config, "acme/search", 1);
	check_weight(config, "acme/search/bot", 7);
	check_weight(config, "b", 1000);
	check_weight(config, "acm", 1);
	check_weight(config, "acme/searches", 1);
	check_weight(config, "c", 1);
	config_drop(config);
}

static void without_tenants_all_weigh_the_same(void **state)
{
	(void)state;
	const struct config *config = fixture_good(LEAST);
	check_weight(config, "acme", 1);
	config_drop(config);
}

static void what_is_wrong_is_named_with_its_place_limit_and_fix(void **state)
{
	(void)state;
	fixture_bad(LEAST "tenants: { acme: { weight: 0 } }\n",
		    "t.yaml:8: tenants.acme.weight: got \"0\"; expected a number from 1 to 1000\n");
	fixture_bad(LEAST "tenants: { acme: { weight: 1001 } }\n",
		    "t.yaml:8: tenants.acme.weight: got \"1001\"; expected a number from 1 to 1000\n");
	fixture_bad(LEAST "tenants: { acme: { weight: much } }\n",
		    "t.yaml:8: tenants.acme.weight: got \"much\"; expected a number such as 64\n");
	fixture_bad(LEAST "tenants: { a/b/c/d: { weight: 2 } }\n",
		    "t.yaml:8: tenants.a/b/c/d: it is no tenant; expected one to three names by slashes, such as "
		    "acme/search/crawler, each of at most 64 letters, digits, \".\", \"_\" and \"-\"\n");
	fixture_bad(LEAST "tenants: { acme: { wieght: 2 } }\n",
		    "t.yaml:8: tenants.acme.wieght: unknown key; did you mean \"weight\"?\n");
	fixture_bad(LEAST "tenants: { acme: { weight: 2 }, acme: { weight: 3 } }\n",
		    "t.yaml:8: tenants.acme: given twice; the first is at line 8\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_tenant_has_its_weight_and_others_have_one),
	    cmocka_unit_test(without_tenants_all_weigh_the_same),
	    cmocka_unit_test(what_is_wrong_is_named_with_its_place_limit_and_fix),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
