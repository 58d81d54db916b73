/* SPDX-License-Identifier: MIT */
/*
 * JSON Web Tokens, end to end: real signatures over every version of HTTP, what claims allow, and what refusals say.
 * token_sources_test.c has the sources of keys.
 */
#include "tests/scenario/harness/mass.h"
#include "tests/scenario/harness/tokens.h"

/* ---- who may come in ---- */

static void a_token_is_taken_over_every_version_of_http(void **state)
{
	static const char *const algorithms[] = {"RS256", "PS256", "ES256", "EdDSA"};
	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct signer signer = signer_make(algorithms[i], "k");
		struct world world = start_with_file(&signer, "", "");
		for (enum via via = 0; via < VIA_COUNT; via++) {
			struct answer answer =
			    ask_via(&world, via, "POST", CHAT, bearer_of(&signer, ALL), chat_body("m", via % 2 == 0));
			assert_int_equal(answer.status, 200);
			answer_free(&answer);
		}
		const struct h2_header key[] = {{"x-api-key", bearer_of(&signer, ALL) + strlen("Bearer ")},
						{NULL, NULL}};
		struct answer answer;
		client_ask(world.sluice, VIA_H1, "GET", MODELS, key, NULL, &answer);
		assert_int_equal(answer.status, 200);
		answer_free(&answer);
		sluice_wait_idle(world.sluice);
		signer_free(&signer);
	}
}

static void a_token_that_is_no_good_is_refused_for_what_is_wrong(void **state)
{
	struct signer signer = signer_make("ES256", "k"), thief = signer_make("ES256", "k");
	char token[BEARER] = "Bearer ";
	(void)state;
	struct world world = start_with_file(&signer, "", "");
	struct answer answer = ask(&world, "GET", MODELS, bearer_until(&signer, "ann", ALL, -31, ""), NULL);
	check_refused(&answer, 401, "expired_token", "The token has expired");
	answer = ask(&world, "GET", MODELS, bearer_until(&signer, "ann", ALL, HOUR, ",\"nbf\":99999999999"), NULL);
	check_refused(&answer, 401, "invalid_token", "not valid yet");
	answer = ask(&world, "GET", MODELS, bearer_of(&thief, ALL), NULL);
	check_refused(&answer, 401, "invalid_token", "signature");
	answer = ask_via(&world, VIA_H2_TLS, "POST", CHAT, "Bearer eyJhbGciOiJub25lIn0.e30.", chat_body("m", false));
	check_refused(&answer, 401, "invalid_token", "malformed");
	answer = ask(&world, "GET", MODELS, "Bearer eyJhbGciOiJub25lIn0.e30.AAAA", NULL);
	check_refused(&answer, 401, "invalid_token", "algorithm");
	answer = ask(&world, "GET", MODELS, bearer_until(&signer, "ann", ALL, HOUR, ",\"exp\":9"), NULL);
	check_refused(&answer, 401, "invalid_token", "duplicate");
	memset(token + strlen("Bearer "), 'a', 9000);
	token[100] = '.';
	answer = ask(&world, "GET", MODELS, token, NULL);
	check_refused(&answer, 401, "invalid_token", "longer than 8 KiB");
	answer = ask(&world, "GET", MODELS, "Bearer sk-sluice-abc", NULL);
	check_refused(&answer, 401, "invalid_api_key", "mistyped");
	assert_int_equal(sim_call_count(world.sim, "one"), 0);
	sluice_wait_idle(world.sluice);
	signer_free(&signer);
	signer_free(&thief);
}

static void a_scope_says_what_a_token_may(void **state)
{
	struct signer signer = signer_make("EdDSA", "k");
	(void)state;
	struct world world = start_with_file(&signer, "", "");
	struct answer answer = ask(&world, "GET", MODELS, bearer_of(&signer, "sluice:chat"), NULL);
	check_refused(&answer, 403, "missing_scope",
		      "The token of corp:ann may not use GET /v1/models: it lacks the scope `sluice:models`.");
	answer =
	    ask(&world, "POST", CHAT, bearer_of(&signer, "sluice:chat sluice:model:m*"), chat_body("secret", false));
	check_refused(&answer, 403, "missing_scope",
		      "The token of corp:ann may not use the model `secret`: its scope allows m*.");
	answer = ask(&world, "POST", CHAT, bearer_of(&signer, "sluice:chat sluice:model:m*"), chat_body("m", false));
	assert_int_equal(answer.status, 200);
	answer_free(&answer);
	answer = ask(&world, "GET", MODELS, bearer_of(&signer, "sluice:models sluice:model:m"), NULL);
	assert_int_equal(answer.status, 200);
	check_lacks(&answer.body, "secret");
	answer_free(&answer);
	answer = ask(&world, "GET", "/admin/cache", bearer_of(&signer, ALL), NULL); /* public in scenarios */
	check_refused(&answer, 403, "missing_scope", "it lacks the scope `sluice:admin`");
	answer = ask(&world, "GET", "/admin/cache", bearer_of(&signer, "sluice:admin"), NULL);
	assert_int_equal(answer.status, 200);
	answer_free(&answer);
	signer_free(&signer);
}

static void kept_answers_are_the_tenants(void **state)
{
	struct signer signer = signer_make("EdDSA", "k");
	(void)state;
	struct world world = start_with_file(&signer, ", claims: { tenant: team }", "");
	static const struct {
		const char *subject, *team;
		unsigned calls;
	} rows[] = {{"ann", "red", 1}, {"bob", "red", 1}, {"ann", "blue", 2}, {"ann", "red", 2}};
	for (size_t i = 0; i < 4; i++) {
		char more[64];
		snprintf(more, sizeof more, ",\"team\":\"%s\"", rows[i].team);
		struct answer answer =
		    ask(&world, "POST", CHAT, bearer_until(&signer, rows[i].subject, ALL, HOUR, more),
			chat_body("m", false));
		assert_int_equal(answer.status, 200);
		answer_free(&answer);
		assert_int_equal(sim_call_count(world.sim, "one"), rows[i].calls);
	}
	struct answer answer = ask(&world, "POST", CHAT, bearer_of(&signer, ALL), chat_body("m", false));
	check_refused(&answer, 401, "invalid_token", "auth.jwt.corp.claims.tenant");
	signer_free(&signer);
}

static void quotas_count_all_tokens_of_a_subject_together(void **state)
{
	struct signer signer = signer_make("EdDSA", "k");
	(void)state;
	struct world world =
	    start_with_file(&signer, "", "quotas: { q: { keys: 'corp:*', each: key, requests: 2/day } }\n");
	for (long i = 0; i < 3; i++) { /* each a token of its own */
		struct answer answer =
		    ask(&world, "POST", CHAT, bearer_until(&signer, "ann", ALL, HOUR + i, ""), chat_body("m", false));
		assert_int_equal(answer.status, i < 2 ? 200 : 429);
		answer_free(&answer);
	}
	struct answer answer =
	    ask(&world, "POST", CHAT, bearer_until(&signer, "bob", ALL, HOUR, ""), chat_body("m", false));
	assert_int_equal(answer.status, 200);
	answer_free(&answer);
	signer_free(&signer);
}

static void wrong_tokens_are_limited_by_network_and_good_ones_are_served_all_the_same(void **state)
{
	struct signer signer = signer_make("EdDSA", "k"), thief = signer_make("EdDSA", "k");
	char path[] = "/tmp/sluice-keys-XXXXXX";
	(void)state;
	close(mkstemp(path));
	signer_write_pem(&signer, path);
	struct world world = {.sim = sim_start(NULL)};
	world.sluice =
	    sluice_start("auth:\n  failures: 2\n  jwt: { corp: { issuer: 'https://id', audience: sluice, keys: "
			 "'%s' } }\nbackends:\n  sim: { url: 'http://127.0.0.1:%d/v1' }\nmodels: { m: sim/one }\n",
			 path, world.sim->port);
	unlink(path);
	for (int i = 0; i < 4; i++) {
		check_status(&world, bearer_of(&thief, ALL), i < 2 ? 401 : 429);
		check_status(&world, bearer_until(&signer, "ann", ALL, -100, ""), 401); /* was good once: no guess */
		check_status(&world, bearer_of(&signer, ALL), 200);
	}
	signer_free(&signer);
	signer_free(&thief);
}

/* ---- crowds and secrets ---- */

/* Good, expired, forged and malformed tokens take turns. */
static void check_crowd(const struct world *world, const struct signer *signer, const struct signer *thief,
			size_t count)
{
	static const int statuses[] = {200, 401, 401, 401, 200};
	struct mass_job *jobs = mass_jobs(count, chat_body("m", true));
	char *bearers[5];
	struct mass mass = {.sluice = world->sluice,
			    .via = MASS_MIXED,
			    .connections = count < 100 ? count : 100,
			    .streams = 4,
			    .jobs = jobs,
			    .count = count};
	bearers[0] = strdup(bearer_of(signer, ALL));
	bearers[1] = strdup(bearer_until(signer, "ann", ALL, -100, ""));
	bearers[2] = strdup(bearer_of(thief, ALL));
	bearers[3] = strdup("Bearer a.b.c");
	bearers[4] = strdup(bearer_until(signer, "bob", ALL, HOUR, ""));
	for (size_t i = 0; i < count; i++)
		jobs[i].authorization = bearers[i % 5];
	mass_run(&mass);
	for (size_t i = 0; i < count; i++)
		if (jobs[i].answer.status != statuses[i % 5])
			fail_msg("job %zu: status %d: %s", i, jobs[i].answer.status, bytes_text(&jobs[i].answer.body));
	mass_free_answers(&mass);
	free(jobs);
	for (size_t i = 0; i < 5; i++)
		free(bearers[i]);
	sluice_wait_idle(world->sluice);
}

static void one_thirty_and_three_hundred_at_once_are_judged_each_for_itself(void **state)
{
	struct signer signer = signer_make("RS256", "k"), thief = signer_make("RS256", "k");
	(void)state;
	struct world world = start_with_file(&signer, "", "");
	check_crowd(&world, &signer, &thief, 1);
	check_crowd(&world, &signer, &thief, 30);
	check_crowd(&world, &signer, &thief, 300);
	signer_free(&signer);
	signer_free(&thief);
}

static void tokens_are_in_nothing_that_the_process_emits(void **state)
{
	struct signer signer = signer_make("EdDSA", "k"), thief = signer_make("EdDSA", "k");
	static const char *const paths[] = {"/metrics", "/admin/backends", "/openapi.json"};
	struct bytes all = {0};
	(void)state;
	struct world world = start_with_file(&signer, "", "log: { level: debug }\n");
	char *good = strdup(bearer_until(&signer, "ann@example.com", ALL, HOUR, ""));
	char *wild = strdup(bearer_until(&signer, "\\u0007evil\\n{}", ALL, HOUR, ""));
	char *forged = strdup(bearer_of(&thief, ALL));
	const char *const shown[] = {good, wild, forged};
	for (size_t i = 0; i < 3; i++) {
		struct answer answer = ask(&world, "POST", CHAT, shown[i], chat_body("m", false));
		bytes_append(&all, bytes_text(&answer.head), answer.head.len);
		bytes_append(&all, bytes_text(&answer.body), answer.body.len);
		answer_free(&answer);
		/* at the wrong places: only the one who wrote it there gets it back */
		const char *token = shown[i] + strlen("Bearer ");
		char path[1024], body[1024];
		snprintf(path, sizeof path, "/v1/%s?token=%s", token, token);
		const struct h2_header headers[] = {{"x-request-id", token}, {NULL, NULL}};
		client_ask(world.sluice, VIA_H1, "GET", path, headers, NULL, &answer);
		answer_free(&answer);
		snprintf(body, sizeof body, "{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}",
			 token);
		answer = ask(&world, "POST", CHAT, good, body);
		answer_free(&answer);
	}
	for (size_t i = 0; i < 3; i++) {
		struct answer answer;
		sluice_get(world.sluice, paths[i], &answer);
		bytes_append(&all, bytes_text(&answer.body), answer.body.len);
		answer_free(&answer);
	}
	sluice_wait_idle(world.sluice);
	proc_read(world.sluice->proc, PROC_STDERR, &all);
	cJSON *calls = sim_calls_told(world.sim);
	char *told = cJSON_PrintUnformatted(calls);
	bytes_append(&all, told, strlen(told));
	free(told);
	cJSON_Delete(calls);
	for (size_t i = 0; i < 3; i++)
		check_lacks(&all, strrchr(shown[i], '.')); /* the signature is the secret */
	check_contains(&all, "\"key\":\"corp:ann@example.com\"");
	check_contains(&all, "\"key\":\"corp:sub-");
	check_lacks(&all, "evil");
	bytes_free(&all);
	free(good);
	free(wild);
	free(forged);
	signer_free(&signer);
	signer_free(&thief);
}

static void a_file_of_keys_that_cannot_be_used_is_reported_at_the_start(void **state)
{
	char path[] = "/tmp/sluice-config-XXXXXX";
	struct bytes out = {0}, err = {0};
	(void)state;
	FILE *file = fdopen(mkstemp(path), "w");
	fprintf(
	    file,
	    "listen: [127.0.0.1:0]\nadmin: off\nbackends: { b: { url: 'http://127.0.0.1:1' } }\nmodels: { m: b/x }\n"
	    "auth: { jwt: { corp: { issuer: i, audience: a, keys: /proc/version } } }\n");
	fclose(file);
	const char *const arguments[] = {"--check", path, NULL};
	assert_int_equal(sluice_run(arguments, &out, &err), 1);
	check_contains(&err, "auth.jwt.corp.keys: it is neither JSON nor PEM");
	bytes_free(&out);
	bytes_free(&err);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(a_token_is_taken_over_every_version_of_http),
	    SCENARIO(a_token_that_is_no_good_is_refused_for_what_is_wrong),
	    SCENARIO(a_scope_says_what_a_token_may),
	    SCENARIO(kept_answers_are_the_tenants),
	    SCENARIO(quotas_count_all_tokens_of_a_subject_together),
	    SCENARIO(wrong_tokens_are_limited_by_network_and_good_ones_are_served_all_the_same),
	    SCENARIO(one_thirty_and_three_hundred_at_once_are_judged_each_for_itself),
	    SCENARIO(tokens_are_in_nothing_that_the_process_emits),
	    SCENARIO(a_file_of_keys_that_cannot_be_used_is_reported_at_the_start),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
