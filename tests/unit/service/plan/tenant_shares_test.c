/* SPDX-License-Identifier: MIT */
/* From a tenant's path to its levels and their weights. */
#include "tests/unit/config/fixture.h"

#include "service/plan/tenant_shares.h"

static const struct config *config;

static int set_up(void **state)
{
	(void)state;
	config =
	    fixture_good(LEAST "tenants: { acme: { weight: 3 }, acme/search: { weight: 5 }, search: { weight: 7 } }\n");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	config_drop(config);
	return 0;
}

static struct queue_tenant shares_of(const char *path)
{
	struct queue_tenant shares;
	assert_true(tenant_shares_read(&shares, config, span_of(path)));
	return shares;
}

static void each_level_has_the_weight_of_its_path(void **state)
{
	(void)state;
	struct queue_tenant shares = shares_of("acme/search/bot");
	assert_int_equal(shares.count, 3);
	assert_int_equal(shares.levels[0].weight, 3);
	assert_int_equal(shares.levels[1].weight, 5);
	assert_int_equal(shares.levels[2].weight, 1);
	shares = shares_of("search");
	assert_int_equal(shares.count, 1);
	assert_int_equal(shares.levels[0].weight, 7);
}

static void a_level_has_one_name_wherever_the_path_ends(void **state)
{
	(void)state;
	struct queue_tenant whole = shares_of("acme/search/bot"), team = shares_of("acme/search");
	assert_int_equal(team.count, 2);
	for (unsigned i = 0; i < team.count; i++)
		assert_true(whole.levels[i].name == team.levels[i].name);
	assert_true(whole.levels[0].name != whole.levels[1].name);
	assert_true(shares_of("acm").levels[0].name != whole.levels[0].name);
}

static void no_path_has_no_shares(void **state)
{
	struct queue_tenant shares;
	(void)state;
	assert_false(tenant_shares_read(&shares, config, (struct span){NULL, 0}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(each_level_has_the_weight_of_its_path, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_level_has_one_name_wherever_the_path_ends, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(no_path_has_no_shares, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
