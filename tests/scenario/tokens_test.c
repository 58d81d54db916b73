/* SPDX-License-Identifier: MIT */
/*
 * JSON Web Tokens, end to end: real signatures, keys from files and from a source that a raw backend plays. The source
 * is down, slow, huge, garbage, or changes its keys; whatever it does, tokens that were good stay good.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/scenario/harness/backend.h"
#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/mass.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sim.h"
#include "tests/tokens/signer.h"

#define CHAT "/v1/chat/completions"
#define MODELS "/v1/models"
#define ALL "sluice:chat sluice:models"

enum { CLAIMS = 1024, BEARER = SIGNER_TOKEN + 8, JWKS = 3 * SIGNER_JWK, HOUR = 3600 };

struct world {
	struct sim *sim;
	struct sluice *sluice;
	struct backend *source; /* of keys; NULL = a file */
};

/* With a single issuer, corp. more: further members of it, and lines of the file after that. */
static struct world start(const char *keys, const char *more, const char *lines)
{
	struct world world = {.sim = sim_start(NULL)};
	world.sluice = sluice_start(
	    "auth:\n  failures: 100000\n  jwt:\n    corp: { issuer: 'https://id', audience: [sluice], %s%s }\n"
	    "backends:\n  sim: { url: 'http://127.0.0.1:%d/v1' }\n"
	    "models:\n  m: sim/one;tokens=2\n  secret: sim/two;tokens=2\ncache: { policy: always }\n%s",
	    keys, more, world.sim->port, lines);
	return world;
}

/* With the signer's key in a file, which is read at the start. */
static struct world start_with_file(const struct signer *signer, const char *more, const char *lines)
{
	char path[] = "/tmp/sluice-keys-XXXXXX", keys[128];
	close(mkstemp(path));
	signer_write_pem(signer, path);
	snprintf(keys, sizeof keys, "keys: '%s'", path);
	struct world world = start(keys, more, lines);
	unlink(path);
	return world;
}

static struct world start_with_source(struct backend *source, const char *more)
{
	char keys[128];
	snprintf(keys, sizeof keys, "jwks: 'http://127.0.0.1:%d/keys'", backend_port(source));
	struct world world = start(keys, more, "");
	world.source = source;
	return world;
}

static const char *jwks_of(const struct signer *signer)
{
	static char text[JWKS];
	char jwk[SIGNER_JWK];
	signer_jwk(signer, ",\"use\":\"sig\"", jwk);
	snprintf(text, sizeof text, "{\"keys\":[%s]}", jwk);
	return text;
}

/* "Bearer " and a token that ends so many seconds from now. more: further claims, each with a comma before it. */
static const char *bearer_until(const struct signer *signer, const char *subject, const char *scope, long seconds,
				const char *more)
{
	static char bearer[BEARER];
	char claims[CLAIMS], token[SIGNER_TOKEN];
	snprintf(claims, sizeof claims,
		 "{\"iss\":\"https://id\",\"aud\":\"sluice\",\"sub\":\"%s\",\"scope\":\"%s\",\"exp\":%ld%s}", subject,
		 scope, (long)time(NULL) + seconds, more);
	signer_token(signer, claims, token);
	snprintf(bearer, sizeof bearer, "Bearer %s", token);
	return bearer;
}

static const char *bearer_of(const struct signer *signer, const char *scope)
{
	return bearer_until(signer, "ann", scope, HOUR, "");
}

static struct answer ask_via(const struct world *world, enum via via, const char *method, const char *path,
			     const char *authorization, const char *body)
{
	const struct h2_header headers[] = {{"authorization", authorization}, {NULL, NULL}};
	struct answer answer;
	client_ask(world->sluice, via, method, path, headers, body, &answer);
	return answer;
}

static struct answer ask(const struct world *world, const char *method, const char *path, const char *authorization,
			 const char *body)
{
	return ask_via(world, VIA_H1, method, path, authorization, body);
}

static int status_of(const struct world *world, const char *authorization)
{
	struct answer answer = ask(world, "GET", MODELS, authorization, NULL);
	int status = answer.status;
	answer_free(&answer);
	return status;
}

static void check_status(const struct world *world, const char *authorization, int status)
{
	struct answer answer = ask(world, "GET", MODELS, authorization, NULL);
	if (answer.status != status)
		fail_msg("status %d: %s", answer.status, bytes_text(&answer.body));
	answer_free(&answer);
}

static void wait_for_status(const struct world *world, const char *authorization, int status)
{
	struct patience patience = patience_for("a token to be judged otherwise");
	while (status_of(world, authorization) != status)
		patience_wait(&patience);
}

static void check_refused(struct answer *answer, int status, const char *code, const char *text)
{
	check_error(answer, status, code);
	check_contains(&answer->body, text);
	check_header(answer, "www-authenticate",
		     status == 401 ? "Bearer realm=\"sluice\", error=\"invalid_token\"" : NULL);
	answer_free(answer);
}

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

/* ---- sources of keys ---- */

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
	    SCENARIO(a_source_that_is_down_at_the_start_is_asked_again),
	    SCENARIO(while_a_source_is_slow_nobody_waits_for_it),
	    SCENARIO(unknown_keys_cause_one_fetch_in_the_least_time_between_two),
	    SCENARIO(a_source_that_sends_rubbish_changes_nothing),
	    SCENARIO(keys_are_fetched_again_as_cache_control_says),
	    SCENARIO(one_thirty_and_three_hundred_at_once_are_judged_each_for_itself),
	    SCENARIO(tokens_are_in_nothing_that_the_process_emits),
	    SCENARIO(a_file_of_keys_that_cannot_be_used_is_reported_at_the_start),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
