/* SPDX-License-Identifier: MIT */
/*
 * Keys of issuers from a source that a raw backend plays: it is down, slow, huge, garbage, or changes its keys.
 * Whatever it does, tokens that were good stay good.
 */
#include "tests/scenario/harness/tokens.h"

#define OK_HEAD "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

static void a_source_that_is_down_at_the_start_is_asked_again(void **state)
{
	static const struct step broken[] = {SEND("HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno"), FIN};
	static const struct step reset[] = {RST};
	struct signer signer = signer_make("ES256", "k");
	struct backend *source = backend_start();
	(void)state;
	backend_script(source, broken);
	backend_script(source, reset);
	static const struct step waits[] = {GATE, SEND("HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"), FIN};
	backend_script(source, waits);
	backend_reply(source, "application/json", jwks_of(&signer));
	struct world world = start_with_source(source, ", refresh_least: 100ms");
	struct answer answer = ask(&world, "GET", MODELS, bearer_of(&signer, ALL), NULL);
	check_error(&answer, 503, "token_keys_unavailable");
	check_header(&answer, "x-should-retry", "true");
	answer_free(&answer);
	backend_wait_requests(source, 3);
	check_status(&world, bearer_of(&signer, ALL), 503);
	backend_open_gate(source);
	wait_for_status(&world, bearer_of(&signer, ALL), 200);
	sluice_wait_idle(world.sluice);
	signer_free(&signer);
}

static void while_a_source_is_slow_nobody_waits_for_it(void **state)
{
	struct signer signer = signer_make("ES256", "k"), next = signer_make("ES256", "next");
	struct backend *source = backend_start();
	char head[128];
	(void)state;
	backend_reply(source, "application/json", jwks_of(&signer));
	snprintf(head, sizeof head, OK_HEAD "Content-Length: %zu\r\n\r\n", strlen(jwks_of(&next)));
	const struct step slow[] = {SEND(head), GATE, SEND(jwks_of(&next)), FIN};
	backend_script(source, slow);
	struct world world = start_with_source(source, ", refresh_least: 100ms");
	wait_for_status(&world, bearer_of(&signer, ALL), 200);
	check_status(&world, bearer_of(&next, ALL), 401); /* which has the keys fetched */
	backend_wait_requests(source, 2);
	for (int i = 0; i < 30; i++) {
		check_status(&world, bearer_of(&signer, ALL), 200);
		check_status(&world, bearer_of(&next, ALL), 401);
	}
	assert_int_equal(backend_requests(source), 2);
	backend_open_gate(source);
	wait_for_status(&world, bearer_of(&next, ALL), 200);
	check_status(&world, bearer_of(&signer, ALL), 401); /* its key is gone, though it was proven before */
	signer_free(&signer);
	signer_free(&next);
}

static void unknown_keys_cause_one_fetch_in_the_least_time_between_two(void **state)
{
	struct signer signer = signer_make("ES256", "k"), next = signer_make("ES256", "next");
	struct backend *source = backend_start();
	(void)state;
	backend_reply(source, "application/json", jwks_of(&signer));
	backend_reply(source, "application/json", jwks_of(&next));
	struct world world = start_with_source(source, ", refresh: 24h, refresh_least: 1h");
	wait_for_status(&world, bearer_of(&signer, ALL), 200);
	for (int i = 0; i < 100; i++)
		check_status(&world, bearer_of(&next, ALL), 401);
	check_status(&world, bearer_of(&signer, ALL), 200);
	assert_int_equal(backend_requests(source), 1);
	signer_free(&signer);
	signer_free(&next);
}

/* A set that cannot be used never takes the place of one that can. */
static void a_source_that_sends_rubbish_changes_nothing(void **state)
{
	static const struct step flood[] = {SEND(OK_HEAD "\r\n{\"keys\":["), FLOOD("          ", 1000000), FIN};
	static const struct step cut[] = {SEND(OK_HEAD "Content-Length: 999\r\n\r\n{\"keys\":[]}"), FIN};
	static const struct step redirect[] = {
	    SEND("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"), FIN};
	static const char *const bodies[] = {"",
					     "garbage",
					     "{\"keys\":[]}",
					     "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}",
					     "[1,2",
					     "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}"};
	struct signer signer = signer_make("ES256", "k"), next = signer_make("ES256", "next");
	struct backend *source = backend_start();
	struct bytes log = {0};
	(void)state;
	backend_reply(source, "application/json", jwks_of(&signer));
	backend_script(source, flood);
	backend_script(source, cut);
	backend_script(source, redirect);
	for (size_t i = 0; i < 6; i++)
		backend_reply(source, "text/html", bodies[i]);
	backend_reply(source, "application/json", jwks_of(&next));
	struct world world = start_with_source(source, ", refresh_least: 100ms");
	wait_for_status(&world, bearer_of(&signer, ALL), 200);
	struct patience patience = patience_for("the source to be well again");
	while (backend_requests(source) < 10) { /* each look at an unknown key leads to the next fetch */
		check_status(&world, bearer_of(&signer, ALL), 200);
		check_status(&world, bearer_of(&next, ALL), 401);
		patience_wait(&patience);
	}
	wait_for_status(&world, bearer_of(&next, ALL), 200);
	proc_read(world.sluice->proc, PROC_STDERR, &log);
	check_contains(&log, "larger than 256 KiB");
	check_contains(&log, "it has no key that can be used");
	check_lacks(&log, "AAAA");
	bytes_free(&log);
	sluice_wait_idle(world.sluice);
	signer_free(&signer);
	signer_free(&next);
}

static void keys_are_fetched_again_as_cache_control_says(void **state)
{
	struct signer signer = signer_make("ES256", "k"), next = signer_make("ES256", "next");
	struct backend *source = backend_start();
	char head[128];
	(void)state;
	snprintf(head, sizeof head, OK_HEAD "Cache-Control: max-age=0\r\nContent-Length: %zu\r\n\r\n",
		 strlen(jwks_of(&signer)));
	const struct step once[] = {SEND(head), SEND(jwks_of(&signer)), AGAIN};
	backend_script(source, once);
	backend_reply(source, "application/json", jwks_of(&next));
	struct world world = start_with_source(source, ", refresh: 24h, refresh_least: 100ms");
	backend_wait_requests(source, 2); /* nobody has shown a token */
	wait_for_status(&world, bearer_of(&next, ALL), 200);
	check_status(&world, bearer_of(&signer, ALL), 401);
	signer_free(&signer);
	signer_free(&next);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(a_source_that_is_down_at_the_start_is_asked_again),
	    SCENARIO(while_a_source_is_slow_nobody_waits_for_it),
	    SCENARIO(unknown_keys_cause_one_fetch_in_the_least_time_between_two),
	    SCENARIO(a_source_that_sends_rubbish_changes_nothing),
	    SCENARIO(keys_are_fetched_again_as_cache_control_says),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
