/* SPDX-License-Identifier: MIT */
/* Which key floods: requests, refusals and tokens by key in /metrics, over all workers, with a bounded number of keys.
 */
#include <stdio.h>
#include <string.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/client_key.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sim.h"

#define CHAT "/v1/chat/completions"

/* The keys in the order of their first use; TWO have series of their own. */
enum { LIMITED, NARROW, THIRD, FOURTH, KEYS, TWO = 2, ROUNDS = 8, TOKENS = 5 };

static char keys[KEYS][CLIENT_KEY_SIZE];

static int ask(const struct sluice *sluice, const char *key, const char *model)
{
	const struct h2_header headers[] = {{"x-api-key", key}, {NULL, NULL}};
	struct answer answer;
	client_ask(sluice, VIA_H1, "POST", CHAT, headers, chat_body(model, false), &answer);
	int status = answer.status;
	answer_free(&answer);
	return status;
}

/* The value of a series of a key: its id follows the prefix of the key. */
static double of_key(const struct sluice *sluice, const char *metric, const char *key, const char *label)
{
	char sample[160];
	snprintf(sample, sizeof sample, "%s{key=\"%.8s\",%s}", metric, key + strlen("sk-sluice-"), label);
	return sluice_metric(sluice, sample);
}

static double of_others(const struct sluice *sluice, const char *metric, const char *label)
{
	char sample[160];
	snprintf(sample, sizeof sample, "%s{key=\"other\",%s}", metric, label);
	return sluice_metric(sluice, sample);
}

static struct sluice *start(const char *most)
{
	static const char *const more[KEYS] = {", limits: { requests: 3/hour }", ", models: [none]", "", ""};
	struct bytes yaml = {0};
	char hash[CLIENT_KEY_HASH_SIZE];
	struct sim *sim = sim_start(NULL);
	for (size_t i = 0; i < KEYS; i++) {
		char name[8];
		snprintf(name, sizeof name, "k%zu", i);
		client_key_make(name, keys[i], hash);
		bytes_printf(&yaml, "  %s: { hash: '%s'%s }\n", name, hash, more[i]);
	}
	struct sluice *sluice =
	    sluice_start("metrics: { keys: %s }\nauth: { pepper: '${SLUICE_PEPPER}', failures: 1000 }\n"
			 "keys:\n%sbackends:\n  sim: { url: 'http://127.0.0.1:%d/v1' }\n"
			 "models: { m: sim/count;tokens=%d }\ncache: { policy: off }\n",
			 most, bytes_text(&yaml), sim->port, TOKENS);
	bytes_free(&yaml);
	return sluice;
}

static void a_flood_is_seen_by_its_key(void **state)
{
	static const char requests[] = "sluice_key_requests_total", tokens[] = "sluice_key_tokens_total";
	static const char good[] = "code=\"200\"", limited[] = "code=\"limit_reached\"",
			  scope[] = "code=\"missing_scope\"", said[] = "type=\"completion\"";
	(void)state;
	struct sluice *sluice = start("2");
	for (int i = 0; i < ROUNDS; i++)
		assert_int_equal(ask(sluice, keys[LIMITED], "m"), i < 3 ? 200 : 429);
	for (int i = 0; i < ROUNDS; i++)
		assert_int_equal(ask(sluice, keys[NARROW], "m"), 403);
	for (int i = 0; i < ROUNDS; i++)
		assert_int_equal(ask(sluice, keys[THIRD + i % 2], "m"), 200);
	assert_int_equal(ask(sluice, "sk-sluice-unknown", "m"), 401);
	assert_int_equal(of_key(sluice, requests, keys[LIMITED], good), 3);
	assert_int_equal(of_key(sluice, requests, keys[LIMITED], limited), ROUNDS - 3);
	assert_int_equal(of_key(sluice, tokens, keys[LIMITED], said), 3 * TOKENS);
	assert_int_equal(of_key(sluice, requests, keys[NARROW], scope), ROUNDS);
	assert_int_equal(of_key(sluice, requests, keys[THIRD], good), 0);
	assert_int_equal(of_others(sluice, requests, good), ROUNDS);
	assert_int_equal(of_others(sluice, tokens, said), ROUNDS * TOKENS);
	sluice_wait_idle(sluice);
}

static void keys_are_not_counted_where_that_is_switched_off(void **state)
{
	struct answer answer;
	(void)state;
	struct sluice *sluice = start("0");
	assert_int_equal(ask(sluice, keys[THIRD], "m"), 200);
	sluice_get(sluice, "/metrics", &answer);
	check_lacks(&answer.body, "{key=");
	answer_free(&answer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(a_flood_is_seen_by_its_key),
	    SCENARIO(keys_are_not_counted_where_that_is_switched_off),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
