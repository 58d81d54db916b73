/* SPDX-License-Identifier: MIT */
/* Advice about files that load: each piece once, and none about what is fine. */
#include "tests/unit/config/fixture.h"

#define HEAD                                                                              \
	"listen: [127.0.0.1:8080]\n"                                                      \
	"backends:\n"                                                                     \
	"  quick: { url: http://q/v1, timeouts: { first_content: 5s } }\n"                \
	"  slow: { url: http://s/v1, timeouts: { first_content: 60s } }\n"                \
	"  whole: { url: http://w/v1, timeouts: { first_content: 5s }, prefill: true }\n" \
	"models:\n"

/* The file loads with exactly this advice. */
static void expect_advice(const char *yaml, const char *advice)
{
	const struct config *config = fixture_good(yaml);
	struct buf out;
	buf_init(&out, 1 << 16);
	config_write_advices(config, &out);
	if (!span_is(buf_span(&out), advice))
		fail_msg("\n got %.*s\nwant %s", SPAN_ARG(buf_span(&out)), advice);
	buf_fini(&out);
	config_drop(config);
}

static void a_url_that_ends_in_an_operation_gets_advice(void **state)
{
	(void)state;
	expect_advice(
	    "listen: [h:1]\nmodels: { m: b/x }\nbackends:\n  b: { url: http://h/v1/chat/completions/ }\n",
	    "t.yaml:4: backends.b.url: warning: it ends in /chat/completions, which every call appends again; "
	    "expected the part in front of it\n");
	expect_advice("listen: [h:1]\nmodels: { m: b/x }\nbackends:\n  b: { url: http://h/v1/embeddings }\n",
		      "t.yaml:4: backends.b.url: warning: it ends in /embeddings, which every call appends again; "
		      "expected the part in front of it\n");
	expect_advice("listen: [h:1]\nmodels: { m: b/x }\nbackends:\n  b: { url: http://chat/completions/v1 }\n", "");
}

static void a_listener_that_is_listed_twice_gets_advice(void **state)
{
	(void)state;
	expect_advice("listen:\n- h:1\n- h:2\n- address: h:1\nmodels: { m: b/x }\nbackends: { b: { url: http://h } }\n",
		      "t.yaml:4: listen[2]: warning: the address is listed already, at line 2\n");
	expect_advice("listen: [h:0, h:0, i:1, h:1]\nmodels: { m: b/x }\nbackends: { b: { url: http://h } }\n", "");
}

static void a_queue_that_its_wait_cannot_serve_gets_advice(void **state)
{
	(void)state;
	expect_advice(
	    "listen: [h:1]\nmodels: { m: b/x }\nbackends:\n"
	    "  b: { url: http://h, concurrency: { calls: 2, queue: 400, wait: 10s } }\n",
	    "t.yaml:4: backends.b.concurrency: warning: 400 requests may wait for 2 calls at once, but each for "
	    "10s only: the last ones get no place unless a call takes less than 50 ms; expected a shorter queue "
	    "or a longer wait\n");
	expect_advice("listen: [h:1]\nmodels: { m: b/x }\nbackends:\n"
		      "  b: { url: http://h, concurrency: { calls: 2, queue: 200, wait: 10s } }\n"
		      "  c: { url: http://h, concurrency: { calls: 64, queue: 32, wait: 1ms } }\n"
		      "  d: { url: http://h, concurrency: { queue: 100000, wait: 1ms } }\n",
		      "");
}

static void a_spare_that_starts_too_late_gets_advice(void **state)
{
	(void)state;
	expect_advice(
	    HEAD "  m: { hedge: [quick/a, slow/b], after: 5s }\n",
	    "t.yaml:7: models.m: warning: hedge waits 5s for its spare, but its first child gives up after 5s "
	    "(timeouts.first_content); expected a shorter \"after\"\n");
	expect_advice(
	    HEAD "  m: { fallback: [slow/a, { hedge: [{ retry: quick/a }, slow/b], after: 7500ms }] }\n",
	    "t.yaml:7: models.m: warning: hedge waits 7500ms for its spare, but its first child gives up after "
	    "5s (timeouts.first_content); expected a shorter \"after\"\n");
	expect_advice(HEAD "  m: { hedge: [quick/a, slow/b], after: 4999ms }\n"
			   "  n: { hedge: [slow/a, quick/b], after: 5s }\n"
			   "  o: { hedge: [{ race: [quick/a, slow/b] }, quick/b], after: 5s }\n"
			   "  p: { hedge: [quick/a, slow/b] }\n",
		      "");
}

static void a_stream_that_nobody_can_continue_gets_advice(void **state)
{
	(void)state;
	expect_advice(
	    HEAD "  m: { plan: { fallback: [quick/a, slow/b], resume: continue } }\n",
	    "t.yaml:7: models.m: warning: \"resume: continue\" needs a target whose backend has \"prefill\", and "
	    "fallback has none\n");
	expect_advice(HEAD "  m: { fallback: [quick/a, { retry: whole/b }], resume: continue }\n"
			   "  n: { fallback: [quick/a, slow/b], resume: replay }\n"
			   "  o: { fallback: [quick/a, slow/b], resume: either }\n",
		      "");
}

#define LIMITED                                                          \
	"listen: [127.0.0.1:1]\nbackends: { b: { url: http://b/v1 } }\n" \
	"models: { small: b/x, large: { fallback: [b/y, b/z] } }\n"      \
	"auth: { pepper: 0123456789abcdef0123456789abcdef }\nkeys:\n"    \
	"  k: { tenant: acme/search, limits: { spend: 5/day }, "         \
	"hash: 'aaaaaaa0:0000000000000000000000000000000000000000000000000000000000000000' }\n"

static void limits_that_count_nothing_get_advice(void **state)
{
	(void)state;
	expect_advice(
	    LIMITED "prices: { b/y: { input: 1, output: 2 }, b/x: { input: 1, output: 2 } }\n"
		    "quotas:\n"
		    "  one: { models: [small, gpt-*], keys: [k, l*], tenant: acme/chat, requests: 1/day }\n"
		    "  two: { models: [small], spend: 1/day }\n"
		    "tenants:\n"
		    "  acme: { weight: 2 }\n"
		    "  acme/chat: { weight: 2 }\n",
	    "t.yaml:6: keys.k.limits.spend: warning: \"b/z\" has no price, so its answers cost nothing; expected "
	    "one in \"prices\"\n"
	    "t.yaml:9: quotas.one.models: warning: no model has the name \"gpt-*\"\n"
	    "t.yaml:9: quotas.one.keys: warning: no key has the name \"l*\"\n"
	    "t.yaml:9: quotas.one.tenant: warning: no key is one of the tenant \"acme/chat\"\n"
	    "t.yaml:13: tenants.acme/chat: warning: no key is one of that tenant\n");
	expect_advice(LIMITED "prices: { '*': { input: 1, output: 2 } }\n"
			      "quotas: { one: { models: ['*'], keys: ['k*'], tenant: acme, spend: 1/day } }\n"
			      "tenants: { acme/search: { weight: 2 } }\n",
		      "");
}

static void advice_stands_among_errors_in_the_order_of_lines(void **state)
{
	(void)state;
	fixture_bad(
	    "listen: [h:1, h:1]\nworkers: many\nmodels: { m: b/x }\nbackends:\n  b: { url: http://h/v1/completions }\n",
	    "t.yaml:1: listen[1]: warning: the address is listed already, at line 1\n"
	    "t.yaml:2: workers: got \"many\"; expected auto or a number such as 64\n"
	    "t.yaml:5: backends.b.url: warning: it ends in /completions, which every call appends again; expected "
	    "the part in front of it\n");
}

static void a_plan_over_backends_that_are_wrong_gets_none(void **state)
{
	(void)state;
	fixture_bad(
	    "listen: [h:1]\nbackends: nothing\nmodels:\n  m: { hedge: [b/x, b/y], after: 1s, resume: continue }\n",
	    "t.yaml:2: backends: got a single value; expected a mapping of names to backends, such as local: {url: "
	    "\"http://127.0.0.1:8000/v1\"}\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_url_that_ends_in_an_operation_gets_advice),
	    cmocka_unit_test(a_listener_that_is_listed_twice_gets_advice),
	    cmocka_unit_test(a_queue_that_its_wait_cannot_serve_gets_advice),
	    cmocka_unit_test(a_spare_that_starts_too_late_gets_advice),
	    cmocka_unit_test(a_stream_that_nobody_can_continue_gets_advice),
	    cmocka_unit_test(a_plan_over_backends_that_are_wrong_gets_none),
	    cmocka_unit_test(limits_that_count_nothing_get_advice),
	    cmocka_unit_test(advice_stands_among_errors_in_the_order_of_lines),
	};
	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
