/* SPDX-License-Identifier: MIT */
/* Quotas, limits of keys and prices in the file. */
#include "tests/unit/config/fixture.h"

#include "config/quota_values.h"

#define HEAD                                                                                  \
	"listen: [127.0.0.1:1]\nbackends: { b: { url: 'http://h:1' } }\nmodels: { m: b/x }\n" \
	"auth: { pepper: 0123456789abcdef0123456789abcdef }\nkeys:\n  k:\n    hash: "         \
	"'aaaaaaaa:0000000000000000000000000000000000000000000000000000000000000000'\n"

static void a_key_has_limits_of_its_own(void **state)
{
	(void)state;
	const struct config *config = fixture_good(
	    HEAD "    limits: { requests: 60/minute, tokens: [100000/minute, 2000000/day], spend: 5.50/month, "
		 "concurrent: 8 }\n");
	assert_non_null(config);
	const struct config_quota *limits = &config->keys[0].limits;
	assert_string_equal(limits->name, "keys.k");
	assert_int_equal(limits->concurrent, 8);
	assert_int_equal(limits->rates[QUOTA_REQUESTS].count, 1);
	assert_int_equal(limits->rates[QUOTA_REQUESTS].list[0].limit, 60);
	assert_int_equal(limits->rates[QUOTA_REQUESTS].list[0].window, QUOTA_MINUTE);
	assert_int_equal(limits->rates[QUOTA_TOKENS].count, 2);
	assert_int_equal(limits->rates[QUOTA_TOKENS].list[1].limit, 2000000);
	assert_int_equal(limits->rates[QUOTA_TOKENS].list[1].window, QUOTA_DAY);
	assert_int_equal(limits->rates[QUOTA_SPEND].list[0].limit, 5500000000);
	assert_int_equal(limits->rates[QUOTA_SPEND].list[0].window, QUOTA_MONTH);
	config_drop(config);
}

static void a_quota_says_whom_and_what_it_is_for(void **state)
{
	(void)state;
	const struct config *config =
	    fixture_good(HEAD "quotas:\n  team: { tenant: acme/search, keys: [a, 'b*'], models: m, each: "
			      "[key, model], output_tokens: 7/hour }\n  all: { concurrent: 3 }\n");
	assert_non_null(config);
	assert_int_equal(config->quota_count, 2);
	const struct config_quota *team = &config->quotas[0], *all = &config->quotas[1];
	assert_string_equal(team->name, "team");
	assert_string_equal(team->tenant, "acme/search");
	assert_int_equal(team->key_count, 2);
	assert_string_equal(team->models[0], "m");
	assert_int_equal(team->each, 1u << QUOTA_EACH_KEY | 1u << QUOTA_EACH_MODEL);
	assert_int_equal(team->rates[QUOTA_OUTPUT_TOKENS].list[0].limit, 7);
	assert_null(all->tenant);
	assert_int_equal(all->each, 0);
	assert_int_equal(all->concurrent, 3);
	config_drop(config);
}

static void a_quota_guarantees_shares_to_children_of_its_tenant(void **state)
{
	(void)state;
	const struct config *config = fixture_good(
	    HEAD "quotas:\n  team: { shares: { acme/search: 40%, acme/chat: { share: 60% } }, tenant: acme, "
		 "tokens: 5/minute, each: model }\n  all: { concurrent: 3 }\n");
	assert_non_null(config);
	const struct config_quota *team = &config->quotas[0];
	assert_int_equal(team->share_count, 2);
	assert_string_equal(team->shares[0].tenant, "acme/search");
	assert_int_equal(team->shares[0].percent, 40);
	assert_string_equal(team->shares[1].tenant, "acme/chat");
	assert_int_equal(team->shares[1].percent, 60);
	assert_int_equal(config->quotas[1].share_count, 0);
	config_drop(config);
}

static void prices_are_in_billionths_and_in_the_order_of_the_file(void **state)
{
	(void)state;
	const struct config *config = fixture_good(
	    HEAD "prices:\n  b/x: { input: 2.5, output: 10, cache_read: 0.000000001 }\n  '*': { input: 0, output: "
		 "0, request: 0.01 }\n");
	assert_non_null(config);
	assert_int_equal(config->price_count, 2);
	assert_string_equal(config->prices[0].target, "b/x");
	assert_int_equal(config->prices[0].input, 2500000000);
	assert_int_equal(config->prices[0].cache_read, 1);
	assert_true(config->prices[0].reads);
	assert_false(config->prices[0].writes);
	assert_int_equal(config->prices[1].request, 10000000);
	config_drop(config);
}

static void what_is_no_quota_is_named_by_its_place(void **state)
{
	static const struct {
		const char *text, *said;
	} rows[] = {
	    {"quotas: { q: { tenant: acme } }\n", "quotas.q: it limits nothing"},
	    {"quotas: { q: { requests: 60 } }\n", "quotas.q.requests"},
	    {"quotas: { q: { requests: 0/minute } }\n", "quotas.q.requests"},
	    {"quotas: { q: { requests: [1/minute, 1/week] } }\n", "quotas.q.requests[1]"},
	    {"quotas: { q: { requests: [1/minute, 2/day, 100/minute] } }\n",
	     "quotas.q.requests: there are two limits per minute"},
	    {"quotas: { keys.a: { requests: 1/minute } }\n", "quotas.keys.a: names that begin with \"keys.\""},
	    {"quotas: { q: { spend: 1.2.3/day } }\n", "quotas.q.spend"},
	    {"quotas: { q: { concurrent: 0 } }\n", "quotas.q.concurrent"},
	    {"quotas: { 'a b': { concurrent: 1 } }\n", "a quota's name"},
	    {"quotas: { q: { token: 1/day } }\n", "did you mean"},
	    {"quotas: { q: { requests: 9/day, shares: { a/b: 10% } } }\n", "quotas.q.shares: a quota without a tenant"},
	    {"quotas: { q: { tenant: a, requests: 9/day, shares: { b/c: 20% } } }\n",
	     "quotas.q.shares.b/c: it is no child of the quota's tenant a; expected one such as a/search"},
	    {"quotas: { q: { tenant: a, requests: 9/day, shares: { a: 20% } } }\n",
	     "quotas.q.shares.a: it is no child"},
	    {"quotas: { q: { tenant: a, requests: 9/day, shares: { ab: 20% } } }\n",
	     "quotas.q.shares.ab: it is no child"},
	    {"quotas: { q: { tenant: a, requests: 9/day, shares: { a/b: 60%, a/c: 41% } } }\n",
	     "quotas.q.shares: together the shares are 101%; expected at most 100%"},
	    {"quotas: { q: { tenant: a, requests: 9/day, shares: { a/b: 20%, a/b: 20% } } }\n", "quotas.q.shares"},
	    {"quotas: { q: { tenant: a, requests: 9/day, shares: { a/b: 20%, a/b/c: 20% } } }\n",
	     "quotas.q.shares.a/b/c: it is within a/b, which has a share too"},
	    {"quotas: { q: { tenant: a, requests: 9/day, shares: { a/b: 11% } } }\n",
	     "quotas.q.shares.a/b: 11% of 9 requests/day is less than one; expected at least 12%"},
	    {"quotas: { q: { tenant: a, concurrent: 4, shares: { a/b: 24% } } }\n",
	     "24% of 4 requests at once is less than one; expected at least 25%"},
	    {"quotas: { q: { tenant: a, each: [key, model], requests: 9/day, shares: { a/b: 20% } } }\n",
	     "quotas.q.shares: each tenant or key has limits of its own"},
	    {"quotas: { q: { tenant: a, requests: 9/day, shares: { a/b: 0% } } }\n", "quotas.q.shares.a/b"},
	    {"quotas: { q: { tenant: a, requests: 9/day, shares: { a/b: 101% } } }\n", "a share from 1% to 100%"},
	    {"quotas: { q: { tenant: a, requests: 9/day, shares: { a/b: 5 } } }\n", "a share such as 5%"},
	    {"quotas: { q: { tenant: a, requests: 9/day, shares: { 'a b': 50% } } }\n", "it is no tenant"},
	    {"quotas: { q: { tenant: a, requests: 9/day, shares: [a/b] } }\n", "acme/search: 40%"},
	    {"quotas: { q: { tenant: a, requests: 999/day, shares: { a/1: 1%, a/2: 1%, a/3: 1%, a/4: 1%, a/5: 1%, a/6: "
	     "1%, "
	     "a/7: 1%, a/8: 1%, a/9: 1%, a/10: 1%, a/11: 1%, a/12: 1%, a/13: 1%, a/14: 1%, a/15: 1%, a/16: 1%, a/17: "
	     "1% } "
	     "} }\n",
	     "quotas.q.shares: there are 17 shares; expected at most 16"},
	    {"prices: { b/x: { input: 1 } }\n", "prices.b/x.output"},
	    {"prices: { b/x: { input: -1, output: 1 } }\n", "prices.b/x.input"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char yaml[2048];
		snprintf(yaml, sizeof(yaml), "%s%s", HEAD, rows[i].text);
		assert_null(fixture_load(yaml));
		if (strstr(fixture_findings(), rows[i].said) == NULL)
			fail_msg("row %zu: %s", i, fixture_findings());
	}
}

static void money_is_read_to_the_last_digit(void **state)
{
	static const struct {
		const char *text;
		uint64_t parts; /* UINT64_MAX: refused */
	} rows[] = {
	    {"0", 0},
	    {"1", 1000000000},
	    {"0.5", 500000000},
	    {"0.000000001", 1},
	    {"1000000", 1000000000000000},
	    {"0.0000000001", UINT64_MAX},
	    {"1000001", UINT64_MAX},
	    {"1.", UINT64_MAX},
	    {".5", UINT64_MAX},
	    {"", UINT64_MAX},
	    {"1e3", UINT64_MAX},
	    {"$1", UINT64_MAX},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t parts = 0;
		bool read = quota_value_money(span_of(rows[i].text), &parts);
		assert_int_equal(read, rows[i].parts != UINT64_MAX);
		if (read)
			assert_int_equal(parts, rows[i].parts);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_key_has_limits_of_its_own),
	    cmocka_unit_test(a_quota_says_whom_and_what_it_is_for),
	    cmocka_unit_test(a_quota_guarantees_shares_to_children_of_its_tenant),
	    cmocka_unit_test(prices_are_in_billionths_and_in_the_order_of_the_file),
	    cmocka_unit_test(what_is_no_quota_is_named_by_its_place),
	    cmocka_unit_test(money_is_read_to_the_last_digit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
