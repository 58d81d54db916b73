/* SPDX-License-Identifier: MIT */
/* What calls cost, by the prices of targets. */
#include "tests/unit/config/fixture.h"

#include "service/quotas/price.h"

#define YAML                                                                                        \
	"listen: [127.0.0.1:1]\nbackends: { a: { url: 'http://h:1' }, b: { url: 'http://h:2' } }\n" \
	"models: { m: a/x, n: { fallback: [b/y, a/x] }, o: b/z }\n"                                 \
	"prices:\n  a/x: { input: 2, output: 10, cache_read: 0.5, cache_write: 3 }\n"               \
	"  'b/*': { input: 4, output: 4, request: 0.000000007 }\n"

static void tokens_cost_what_their_kind_costs(void **state)
{
	static const struct {
		size_t model;
		struct price_tokens tokens;
		uint64_t parts;
	} rows[] = {
	    {0, {.input = 1000000}, 2000000000},
	    {0, {.output = 1000000}, 10000000000},
	    {0, {.input = 100, .cache_read = 40, .cache_write = 10}, 50 * 2000 + 40 * 500 + 10 * 3000},
	    {0, {.input = 100, .cache_read = 400}, 100 * 500},     /* more than there are: all of them */
	    {2, {.input = 100, .cache_read = 40}, 100 * 4000 + 7}, /* no price of its own */
	    {2, {.input = 0}, 7},
	    {0, {.input = UINT64_MAX, .output = UINT64_MAX}, 2000000000000 + 10000000000000},
	};
	(void)state;
	const struct config *config = fixture_good(YAML);
	struct prices *prices = prices_create(config);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(prices_of(prices, config->models[rows[i].model].plan, &rows[i].tokens), rows[i].parts);
	prices_destroy(prices);
	config_drop(config);
}

static void the_dearest_target_of_a_plan_counts_before_it_is_known(void **state)
{
	(void)state;
	const struct config *config = fixture_good(YAML);
	struct prices *prices = prices_create(config);
	struct price_tokens input = {.input = 1000000}, output = {.output = 1000000};
	assert_int_equal(prices_most(prices, config->models[1].plan, &input), 4000000007);
	assert_int_equal(prices_most(prices, config->models[1].plan, &output), 10000000000);
	assert_int_equal(prices_most(prices, NULL, &output), 10000000000);
	prices_destroy(prices);
	config_drop(config);
}

static void the_smallest_use_costs_something(void **state)
{
	(void)state;
	const struct config *config =
	    fixture_good("listen: [127.0.0.1:1]\nbackends: { a: { url: 'http://h:1' } }\n"
			 "models: { m: a/x }\nprices: { a/x: { input: 0.000000001, output: 0 } }\n");
	struct prices *prices = prices_create(config);
	assert_int_equal(prices_of(prices, config->models[0].plan, &(struct price_tokens){.input = 1}), 1);
	prices_destroy(prices);
	config_drop(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(tokens_cost_what_their_kind_costs),
	    cmocka_unit_test(the_dearest_target_of_a_plan_counts_before_it_is_known),
	    cmocka_unit_test(the_smallest_use_costs_something),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
