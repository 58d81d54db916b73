/* SPDX-License-Identifier: MIT */
/*
 * Keys of clients, end to end: made by `sluice keys`, pasted into a configuration, shown by real clients over every
 * version of HTTP. Each operation of the table is asked with every kind of key.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schemas/operations.h"
#include "tests/scenario/harness/backend.h"
#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/client_key.h"
#include "tests/scenario/harness/mass.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sim.h"

#define CHAT "/v1/chat/completions"

/* Whose keys the configuration has. */
enum holder { FULL, ADMIN, NARROW, REVOKED, EXPIRED, ELSEWHERE, TWIN, OTHER_TWIN, HOLDERS };

static const struct {
	const char *name;
	const char *more;
} holders[HOLDERS] = {
    [FULL] = {"full", ""},
    [ADMIN] = {"admin", ", admin: true"},
    [NARROW] = {"narrow", ", models: ['m*'], endpoints: [chat, fanout, models], tenant: acme/twins"},
    [REVOKED] = {"revoked", ", state: revoked"},
    [EXPIRED] = {"expired", ", expires: 2020-01-01"},
    [ELSEWHERE] = {"elsewhere", ", networks: [192.0.2.0/24, 'fd00::/8']"},
    [TWIN] = {"twin", ", tenant: acme/twins"},
    [OTHER_TWIN] = {"other-twin", ", tenant: acme/twins"},
};

struct world {
	struct sim *sim;
	struct sluice *sluice;
	char keys[HOLDERS][CLIENT_KEY_SIZE];
};

/* keeper: whose key the harness shows for /metrics; HOLDERS = none is needed. */
static struct world start_with(enum holder keeper, const char *backends, const char *models, const char *more)
{
	static char shown[CLIENT_KEY_SIZE];
	struct world world = {.sim = sim_start(NULL)};
	struct bytes keys = {0};
	char hash[CLIENT_KEY_HASH_SIZE];
	for (size_t i = 0; i < HOLDERS; i++) {
		client_key_make(holders[i].name, world.keys[i], hash);
		bytes_printf(&keys, "  %s: { hash: '%s'%s }\n", holders[i].name, hash, holders[i].more);
	}
	if (keeper != HOLDERS) {
		memcpy(shown, world.keys[keeper], CLIENT_KEY_SIZE);
		sluice_show_key(shown);
	}
	world.sluice =
	    sluice_start("auth: { pepper: '${SLUICE_PEPPER}', failures: 100000 }\nkeys:\n%s"
			 "backends:\n  sim: { url: 'http://127.0.0.1:%d/v1' }\n%s"
			 "models:\n  m: sim/one;tokens=2\n  mine: sim/two;tokens=2\n  secret: sim/three;tokens=2\n%s"
			 "cache: { policy: always }\n%s",
			 bytes_text(&keys), world.sim->port, backends, models, more);
	bytes_free(&keys);
	return world;
}

static struct world start(const char *more)
{
	return start_with(HOLDERS, "", "", more);
}

/* Asks with one more field, or without when name is NULL. */
static struct answer ask(const struct world *world, enum via via, const char *method, const char *path,
			 const char *name, const char *value, const char *body)
{
	const struct h2_header headers[] = {{name, value}, {NULL, NULL}};
	struct answer answer;
	client_ask(world->sluice, via, method, path, headers, body, &answer);
	return answer;
}

static struct answer ask_as(const struct world *world, const char *method, const char *path, const char *key,
			    const char *body)
{
	return ask(world, VIA_H1, method, path, "x-api-key", key, body);
}

static void check_refused(struct answer *answer, int status, const char *code, const char *text)
{
	check_error(answer, status, code);
	if (text != NULL)
		check_contains(&answer->body, text);
	check_header(answer, "www-authenticate",
		     status != 401                          ? NULL
		     : strcmp(code, "missing_api_key") == 0 ? "Bearer realm=\"sluice\""
							    : "Bearer realm=\"sluice\", error=\"invalid_token\"");
	check_header(answer, "x-should-retry", status == 429 ? "true" : "false");
	answer_free(answer);
}

static void check_status(struct answer *answer, int status)
{
	if (answer->status != status)
		fail_msg("status %d: %s", answer->status, bytes_text(&answer->body));
	answer_free(answer);
}

/* ---- who may come in ---- */

static void a_key_is_taken_from_three_fields_over_every_version_of_http(void **state)
{
	(void)state;
	struct world world = start("");
	char bearer[CLIENT_KEY_SIZE + 8];
	snprintf(bearer, sizeof bearer, "Bearer %s", world.keys[FULL]);
	for (enum via via = 0; via < VIA_COUNT; via++) {
		const char *const fields[][2] = {
		    {"authorization", bearer}, {"x-api-key", world.keys[FULL]}, {"api-key", world.keys[FULL]}};
		for (size_t i = 0; i < 3; i++) {
			struct answer answer =
			    ask(&world, via, "POST", CHAT, fields[i][0], fields[i][1], chat_body("m", i == 0));
			check_status(&answer, 200);
		}
		struct answer answer = ask(&world, via, "POST", CHAT, NULL, NULL, chat_body("m", false));
		check_refused(&answer, 401, "missing_api_key", NULL);
		answer = ask(&world, via, "POST", CHAT, "authorization", "Basic dTpw", chat_body("m", false));
		check_refused(&answer, 401, "invalid_api_key", "not Bearer");
	}
	sluice_wait_idle(world.sluice);
}

static void a_key_that_is_no_good_is_refused_for_what_is_wrong(void **state)
{
	static const struct {
		enum holder holder;
		int status;
		const char *code, *text;
	} rows[] = {{REVOKED, 401, "revoked_api_key", "revoked was revoked"},
		    {EXPIRED, 401, "expired_api_key", "expired has expired"},
		    {ELSEWHERE, 403, "network_not_allowed", "keys.elsewhere.networks"}};
	char key[CLIENT_KEY_SIZE], hash[CLIENT_KEY_HASH_SIZE];
	(void)state;
	struct world world = start("");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct answer answer = ask_as(&world, "POST", CHAT, world.keys[rows[i].holder], chat_body("m", false));
		check_refused(&answer, rows[i].status, rows[i].code, rows[i].text);
	}
	client_key_make("stranger", key, hash);
	struct answer answer = ask_as(&world, "GET", "/v1/models", key, NULL);
	check_refused(&answer, 401, "invalid_api_key", "not known here");
	memcpy(key, world.keys[FULL], CLIENT_KEY_SIZE);
	key[20] = key[20] == 'x' ? 'y' : 'x';
	answer = ask_as(&world, "GET", "/v1/models", key, NULL);
	check_refused(&answer, 401, "invalid_api_key", "mistyped");
	const struct h2_header both[] = {{"x-api-key", world.keys[FULL]}, {"api-key", world.keys[ADMIN]}, {NULL, NULL}};
	client_ask(world.sluice, VIA_H2_TLS, "GET", "/v1/models", both, NULL, &answer);
	check_refused(&answer, 401, "invalid_api_key", "several keys that differ");
	const struct h2_header problem[] = {{"accept", "application/problem+json"}, {NULL, NULL}};
	client_ask(world.sluice, VIA_H1, "GET", "/v1/models", problem, NULL, &answer);
	check_problem(&answer, 401, "missing_api_key");
	answer_free(&answer);
	assert_int_equal(sim_call_count(world.sim, "one"), 0);
	sluice_wait_idle(world.sluice);
}

/* A path for each row: arguments are filled in. */
static const char *path_of(const struct operation_row *row)
{
	static char path[128];
	const char *brace = strchr(row->path, '{');
	bool docs = row->argument != NULL && strcmp(row->argument->name, "file") == 0;
	snprintf(path, sizeof path, "%.*s%s%s", (int)(brace == NULL ? strlen(row->path) : (size_t)(brace - row->path)),
		 row->path,
		 brace == NULL ? ""
		 : docs        ? "docs.js"
			       : "m",
		 brace == NULL ? "" : strchr(brace, '}') + 1);
	return path;
}

static void check_free(const struct world *world, const struct operation_row *row)
{
	struct answer answer = ask(world, VIA_H1, row->method, path_of(row), NULL, NULL, NULL);
	assert_true(answer.status == 200 || answer.status == 404); /* the docs page may not be built in */
	answer_free(&answer);
}

/* Whether a request was let in: 400, its body is none; 404, nothing is stored under that id. */
static bool is_let_in(const struct operation_row *row, int status)
{
	return status == 200 || status == 400 || (strcmp(row->tag, "responses") == 0 && status == 404);
}

static void check_keyed(const struct world *world, const struct operation_row *row)
{
	const char *body = row->body == NULL ? NULL : "{\"model\":\"m\"}";
	const char *path = path_of(row), *key = world->keys[NARROW];
	char typo[CLIENT_KEY_SIZE + 1];
	bool narrow = row->right == OPERATION_RIGHT_CHAT || row->right == OPERATION_RIGHT_FANOUT ||
		      row->right == OPERATION_RIGHT_MODELS || row->right == OPERATION_RIGHT_ANY;
	struct answer answer = ask(world, VIA_H1, row->method, path, NULL, NULL, body);
	check_refused(&answer, 401, "missing_api_key", NULL);
	snprintf(typo, sizeof typo, "%s0", key);
	answer = ask(world, VIA_H2_TLS, row->method, path, "x-api-key", typo, body);
	check_refused(&answer, 401, "invalid_api_key", "mistyped");
	answer = ask(world, VIA_H1_TLS, row->method, path, "x-api-key", world->keys[REVOKED], body);
	check_refused(&answer, 401, "revoked_api_key", NULL);
	answer = ask(world, VIA_H1, row->method, path, "x-api-key", world->keys[EXPIRED], body);
	check_refused(&answer, 401, "expired_api_key", NULL);
	answer = ask(world, VIA_H2, row->method, path, "x-api-key", world->keys[ELSEWHERE], body);
	check_refused(&answer, 403, "network_not_allowed", NULL);
	answer = ask(world, VIA_H1, row->method, path, "x-api-key", key, body);
	if (narrow)
		assert_true(is_let_in(row, answer.status));
	else
		check_error(&answer, 403, "missing_scope");
	if (!narrow)
		check_contains(&answer.body, row->right == OPERATION_RIGHT_ADMIN ? "it lacks the scope `admin`"
										 : operation_right_name(row->right));
	answer_free(&answer);
	answer = ask(world, VIA_H1, row->method, path, "x-api-key", world->keys[ADMIN], body);
	if (strcmp(row->tag, "keys") == 0) /* the service of this test has no store of them */
		check_error(&answer, 404, "no_key_store");
	else
		assert_true(is_let_in(row, answer.status));
	answer_free(&answer);
}

static void every_operation_needs_a_key_or_is_listed_as_free(void **state)
{
	(void)state;
	struct world world = start("");
	for (enum operation operation = 0; operation < OPERATION_COUNT; operation++) {
		const struct operation_row *row = operation_row(operation);
		if (row->right == OPERATION_FREE)
			check_free(&world, row);
		else
			check_keyed(&world, row);
	}
	sluice_wait_idle(world.sluice);
}

static void operators_of_this_machine_need_no_key_and_the_api_does_everywhere(void **state)
{
	(void)state;
	struct world world = start("");
	struct answer answer;
	struct h1 h1;
	sluice_get(world.sluice, "/metrics", &answer);
	check_status(&answer, 200);
	sluice_get(world.sluice, "/admin/backends", &answer);
	check_status(&answer, 200);
	/* the docs page of the admin listener may try the API out: by a key */
	h1_open(&h1, world.sluice->admin_port, false);
	h1_send(&h1, "GET /v1/models HTTP/1.1\r\nhost: localhost\r\nreferer: http://localhost/docs\r\n\r\n");
	h1_wait_end(&h1);
	check_error(&h1.answer, 401, "missing_api_key");
	h1_next(&h1);
	h1_send(&h1,
		"GET /v1/models HTTP/1.1\r\nhost: localhost\r\nreferer: http://localhost/docs\r\nx-api-key: %s\r\n\r\n",
		world.keys[FULL]);
	h1_wait_end(&h1);
	assert_int_equal(h1.answer.status, 200);
	h1_close(&h1);
}

static void an_admin_listener_that_other_machines_reach_needs_a_key_with_admin(void **state)
{
	static const char *const paths[] = {"/metrics", "/admin/cache", "/admin/backends"};
	(void)state;
	struct world world = start_with(ADMIN, "", "", "admin: 0.0.0.0:0\n");
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		struct h1 h1;
		h1_open(&h1, world.sluice->admin_port, false);
		h1_send(&h1, "GET %s HTTP/1.1\r\nhost: localhost\r\n\r\n", paths[i]);
		h1_wait_end(&h1);
		check_error(&h1.answer, 401, "missing_api_key");
		h1_next(&h1);
		h1_send(&h1, "GET %s HTTP/1.1\r\nhost: localhost\r\nx-api-key: %s\r\n\r\n", paths[i], world.keys[FULL]);
		h1_wait_end(&h1);
		check_error(&h1.answer, 403, "missing_scope");
		h1_next(&h1);
		h1_send(&h1, "GET %s HTTP/1.1\r\nhost: localhost\r\nx-api-key: %s\r\n\r\n", paths[i],
			world.keys[ADMIN]);
		h1_wait_end(&h1);
		assert_int_equal(h1.answer.status, 200);
		h1_close(&h1);
	}
}

/* ---- what they may ---- */

#define FANOUT(models) "{" models ",\"request\":{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}}"

static void a_model_outside_the_scope_is_refused_by_every_way_to_it(void **state)
{
	static const char *const bodies[] = {
	    FANOUT("\"targets\":[\"m\",\"secret\"]"), FANOUT("\"plan\":\"secret\""),
	    FANOUT("\"plan\":{\"race\":[\"m\",{\"name\":\"m\",\"plan\":{\"retry\":\"secret\"}}]}"),
	    FANOUT("\"plan\":{\"fallback\":[\"m\",\"nothing\"]}")};
	(void)state;
	struct world world = start("");
	const char *key = world.keys[NARROW];
	struct answer answer = ask_as(&world, "POST", CHAT, key, chat_body("secret", false));
	check_refused(&answer, 403, "missing_scope",
		      "The key narrow may not use the model `secret`: its scope `models` has m*.");
	answer =
	    ask_as(&world, "POST", CHAT, key, chat_body("nothing", true)); /* no other answer for what is not there */
	check_refused(&answer, 403, "missing_scope", "may not use the model `nothing`");
	answer = ask_as(&world, "GET", "/v1/models/secret", key, NULL);
	check_refused(&answer, 403, "missing_scope", "may not use the model `secret`");
	answer = ask_as(&world, "GET", "/v1/models/nothing", key, NULL);
	check_refused(&answer, 403, "missing_scope", "may not use the model `nothing`");
	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
		answer = ask_as(&world, "POST", "/v1/fanout", key, bodies[i]);
		check_refused(&answer, 403, "missing_scope", "may not use the model `");
	}
	answer = ask_as(&world, "POST", "/v1/fanout", key, FANOUT("\"plan\":{\"race\":[\"m\",\"mime\"]}"));
	assert_int_equal(answer.status, 400);
	check_contains(&answer.body, "mine"); /* meant, and allowed */
	answer_free(&answer);
	answer = ask_as(&world, "POST", "/v1/fanout", key, FANOUT("\"targets\":[\"m\",\"mine\"]"));
	check_status(&answer, 200);
	assert_int_equal(sim_call_count(world.sim, "three"), 0);
	sluice_wait_idle(world.sluice);
}

static void models_lists_what_the_key_may_use(void **state)
{
	(void)state;
	struct world world = start("");
	struct answer answer = ask_as(&world, "GET", "/v1/models", world.keys[NARROW], NULL);
	check_contains(&answer.body, "\"id\":\"m\"");
	check_contains(&answer.body, "\"last_id\":\"mine\",\"has_more\":false");
	check_lacks(&answer.body, "secret");
	check_header(&answer, "vary", "authorization, x-api-key, api-key, anthropic-version");
	answer_free(&answer);
	answer = ask_as(&world, "GET", "/v1/models?limit=1", world.keys[NARROW], NULL);
	check_contains(&answer.body, "\"last_id\":\"m\",\"has_more\":true");
	answer_free(&answer);
	answer = ask_as(&world, "GET", "/v1/models?after=m", world.keys[NARROW], NULL);
	check_contains(&answer.body, "\"first_id\":\"mine\",\"last_id\":\"mine\",\"has_more\":false");
	answer_free(&answer);
	answer = ask_as(&world, "GET", "/v1/models?after=secret", world.keys[NARROW], NULL);
	check_error(&answer, 404, "model_not_found");
	answer_free(&answer);
	answer = ask_as(&world, "GET", "/v1/models", world.keys[FULL], NULL);
	check_contains(&answer.body, "\"id\":\"secret\"");
	answer_free(&answer);
}

/* ---- whose answers they see ---- */

static bool is_hit(const struct world *world, const char *field, const char *value, const char *model)
{
	struct answer answer = ask(world, VIA_H1, "POST", CHAT, field, value, chat_body(model, false));
	assert_int_equal(answer.status, 200);
	char *how = answer_header(&answer, "cache-status");
	assert_non_null(how);
	bool hit = strstr(how, "hit") != NULL;
	free(how);
	answer_free(&answer);
	return hit;
}

static void kept_answers_are_the_tenants_whatever_field_shows_the_key(void **state)
{
	char bearer[CLIENT_KEY_SIZE + 8];
	(void)state;
	struct world world = start("");
	snprintf(bearer, sizeof bearer, "Bearer %s", world.keys[TWIN]);
	assert_false(is_hit(&world, "authorization", bearer, "m"));
	assert_true(is_hit(&world, "x-api-key", world.keys[TWIN], "m"));
	assert_true(is_hit(&world, "api-key", world.keys[OTHER_TWIN], "m"));
	assert_false(is_hit(&world, "x-api-key", world.keys[FULL], "m"));
	assert_true(is_hit(&world, "x-api-key", world.keys[FULL], "m"));
	assert_false(is_hit(&world, "x-api-key", world.keys[ADMIN], "m"));
	sluice_wait_idle(world.sluice);
}

/* What one key of a tenant may ask, and the cache remembers by its bytes, another may not be allowed to. */
static void a_kept_answer_is_no_way_around_a_scope(void **state)
{
	(void)state;
	struct world world = start("");
	for (int i = 0; i < 3; i++)
		is_hit(&world, "x-api-key", world.keys[TWIN], "secret");
	assert_true(is_hit(&world, "x-api-key", world.keys[TWIN], "secret"));
	for (int i = 0; i < 3; i++) {
		struct answer answer = ask_as(&world, "POST", CHAT, world.keys[NARROW], chat_body("secret", false));
		check_refused(&answer, 403, "missing_scope", NULL);
	}
	sluice_wait_idle(world.sluice);
}

/* Two keys of one tenant have the turns of one client, whichever fields show them. */
static void turns_in_a_queue_are_the_tenants(void **state)
{
	static const struct step when_told[] = {
	    GATE,
	    SEND("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n{\"choices\":[{"
		 "\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"ok\"},\"finish_reason\":\"stop\"}]}"),
	    FIN, SCRIPT_END};
	static const char *const names[] = {"first", "greedy one", "greedy two", "modest"};
	static const enum holder asks[] = {TWIN, TWIN, OTHER_TWIN, FULL};
	static const char *const fields[] = {"x-api-key", "api-key", "x-api-key", "x-api-key"};
	static const size_t served[] = {0, 1, 3, 2};
	struct client clients[4];
	char more[256];
	(void)state;
	struct backend *backend = backend_start();
	backend_script(backend, when_told);
	snprintf(more, sizeof more, "  one: { url: 'http://127.0.0.1:%d/v1', concurrency: { calls: 1, queue: 8 } }\n",
		 backend_port(backend));
	struct world world = start_with(HOLDERS, more, "  queued: one/m\n", "");
	for (size_t i = 0; i < 4; i++) {
		const struct h2_header headers[] = {{fields[i], world.keys[asks[i]]}, {NULL, NULL}};
		char body[128];
		snprintf(body, sizeof body,
			 "{\"model\":\"queued\",\"n\":2,\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}]}",
			 names[i]);
		client_send(&clients[i], world.sluice, VIA_H2, "POST", CHAT, headers, body);
		struct patience patience = patience_for("the queue to be so long");
		if (i == 0)
			backend_wait_requests(backend, 1);
		while (sluice_metric(world.sluice, "sluice_queue_waiting{backend=\"one\"}") != (double)i)
			patience_wait(&patience);
	}
	for (size_t i = 0; i < 4; i++) {
		struct bytes body = {0};
		backend_wait_requests(backend, i + 1);
		backend_request_body(backend, i, &body);
		check_contains(&body, names[served[i]]);
		bytes_free(&body);
		backend_open_gate(backend);
		client_wait_end(&clients[served[i]]);
		client_close(&clients[served[i]]);
	}
	sluice_wait_idle(world.sluice);
}

/* ---- wrong keys ---- */

static void wrong_keys_are_limited_by_network_and_good_ones_are_served_all_the_same(void **state)
{
	char key[CLIENT_KEY_SIZE], hash[CLIENT_KEY_HASH_SIZE];
	(void)state;
	client_key_make("good", key, hash);
	struct world world = {
	    .sluice = sluice_start("auth: { pepper: '${SLUICE_PEPPER}', failures: 3 }\n"
				   "keys: { good: { hash: '%s' } }\n"
				   "backends: { b: { url: 'http://127.0.0.1:1/v1' } }\nmodels: { m: b/x }\n",
				   hash)};
	for (int i = 0; i < 3; i++) {
		struct answer answer = ask_as(&world, "GET", "/v1/models", "wrong", NULL);
		check_refused(&answer, 401, "invalid_api_key", NULL);
	}
	for (enum via via = 0; via < VIA_COUNT; via++) {
		struct answer answer = ask(&world, via, "POST", CHAT, "x-api-key", "wrong", chat_body("m", false));
		char *after = answer_header(&answer, "retry-after");
		assert_non_null(after);
		assert_in_range(strtol(after, NULL, 10), 1, 60);
		free(after);
		check_refused(&answer, 429, "too_many_wrong_keys", NULL);
		answer = ask(&world, via, "GET", "/v1/models", "x-api-key", key, NULL);
		check_status(&answer, 200);
	}
	for (enum operation operation = 0; operation < OPERATION_COUNT; operation++) {
		const struct operation_row *row = operation_row(operation);
		if (row->right == OPERATION_FREE)
			continue;
		struct answer answer =
		    ask(&world, VIA_H1, row->method, path_of(row), "api-key", "wrong", row->body == NULL ? NULL : "{}");
		check_refused(&answer, 429, "too_many_wrong_keys", NULL);
	}
	struct answer answer = ask(&world, VIA_H1, "GET", "/v1/models", NULL, NULL, NULL);
	check_refused(&answer, 401, "missing_api_key", NULL); /* nothing was guessed */
	wire_come_from(2);
	answer = ask_as(&world, "GET", "/v1/models", "wrong", NULL);
	wire_come_from(0);
	check_refused(&answer, 401, "invalid_api_key", NULL);
	assert_true(sluice_errors(world.sluice, "too_many_wrong_keys") >= VIA_COUNT);
}

/* No byte of the body is sent: an answer that waited for it would never come. */
static void a_request_with_a_wrong_key_is_refused_before_its_long_body_is_read(void **state)
{
	static const char *const framing[] = {"Content-Length: 1000000", "Transfer-Encoding: chunked"};
	(void)state;
	struct world world = start("");
	for (int tls = 0; tls < 2; tls++)
		for (size_t i = 0; i < 2; i++) {
			struct h1 h1;
			h1_open(&h1, tls != 0 ? world.sluice->tls_port : world.sluice->port, tls != 0);
			h1_send(&h1,
				"POST " CHAT " HTTP/1.1\r\nHost: localhost\r\nx-api-key: wrong\r\nContent-Type: "
				"application/json\r\n%s\r\n\r\n",
				framing[i]);
			h1_wait_end(&h1);
			check_error(&h1.answer, 401, "invalid_api_key");
			h1_close(&h1);
			h1_open(&h1, tls != 0 ? world.sluice->tls_port : world.sluice->port, tls != 0);
			h1_post(&h1, CHAT, "x-api-key: wrong\r\n", chat_body("m", false)); /* a short one is read */
			h1_wait_end(&h1);
			check_error(&h1.answer, 401, "invalid_api_key");
			h1_next(&h1);
			h1_get(&h1, "/livez");
			h1_wait_end(&h1);
			assert_int_equal(h1.answer.status, 200);
			h1_close(&h1);
		}
	sluice_wait_idle(world.sluice);
}

/* ---- at once ---- */

static void check_crowd(const struct world *world, const char *unknown, size_t count)
{
	struct mass_job *jobs = mass_jobs(count, chat_body("m", true));
	char values[4][CLIENT_KEY_SIZE + 8];
	snprintf(values[0], sizeof values[0], "Bearer %s", world->keys[FULL]);
	snprintf(values[1], sizeof values[1], "Bearer %s", unknown);
	snprintf(values[2], sizeof values[2], "Bearer %s", world->keys[REVOKED]);
	snprintf(values[3], sizeof values[3], "Bearer %s", world->keys[NARROW]);
	for (size_t i = 0; i < count; i++)
		jobs[i].authorization = i % 5 == 4 ? NULL : values[i % 5];
	struct mass mass = mass_crowd(world->sluice, jobs, count);
	mass_run(&mass);
	for (size_t i = 0; i < count; i++) {
		static const int statuses[] = {200, 401, 401, 200, 401};
		if (jobs[i].answer.status != statuses[i % 5] || !jobs[i].answer.ended)
			fail_msg("request %zu: status %d: %s", i, jobs[i].answer.status,
				 bytes_text(&jobs[i].answer.body));
	}
	mass_free_answers(&mass);
	free(jobs);
	sluice_wait_idle(world->sluice);
}

static void one_thirty_and_three_hundred_at_once_get_what_their_keys_allow(void **state)
{
	char unknown[CLIENT_KEY_SIZE], hash[CLIENT_KEY_HASH_SIZE];
	(void)state;
	struct world world = start("");
	client_key_make("stranger", unknown, hash);
	check_crowd(&world, unknown, 1);
	check_crowd(&world, unknown, 30);
	check_crowd(&world, unknown, 300);
}

/* ---- secrets ---- */

/* What stands behind the id. */
static void check_no_secret(const struct bytes *text, const char *key)
{
	check_lacks(text, key + strlen("sk-sluice-") + 8);
}

static void secrets_are_in_nothing_that_the_process_emits(void **state)
{
	static const char *const paths[] = {"/metrics", "/admin/backends", "/admin/cache", "/openapi.json", "/docs"};
	struct bytes all = {0};
	(void)state;
	struct world world = start("log: { level: debug }\n");
	for (size_t i = 0; i < HOLDERS; i++) {
		const char *key = world.keys[i];
		char path[256], body[512], typo[CLIENT_KEY_SIZE];
		struct answer answer = ask_as(&world, "POST", CHAT, key, chat_body("m", false));
		bytes_append(&all, bytes_text(&answer.head), answer.head.len);
		bytes_append(&all, bytes_text(&answer.body), answer.body.len);
		answer_free(&answer);
		/* at the wrong places: only the one who wrote it there gets it back */
		snprintf(path, sizeof path, "/v1/%s?key=%s", key, key);
		answer = ask(&world, VIA_H1, "GET", path, "x-request-id", key, NULL);
		answer_free(&answer);
		snprintf(body, sizeof body, "{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}",
			 key);
		answer = ask_as(&world, "POST", CHAT, world.keys[FULL], body);
		answer_free(&answer);
		snprintf(typo, sizeof typo, "%.*s", (int)strlen(key) - 1, key);
		answer = ask_as(&world, "GET", "/v1/models", typo, NULL);
		check_lacks(&answer.body, typo + strlen("sk-sluice-"));
		answer_free(&answer);
	}
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		struct answer answer;
		sluice_get(world.sluice, paths[i], &answer);
		bytes_append(&all, bytes_text(&answer.body), answer.body.len);
		answer_free(&answer);
	}
	sluice_wait_idle(world.sluice);
	proc_read(world.sluice->proc, PROC_STDERR, &all);
	proc_read(world.sluice->proc, PROC_STDOUT, &all);
	proc_read(world.sim->proc, PROC_STDERR, &all);
	cJSON *calls = sim_calls_told(world.sim);
	char *told = cJSON_PrintUnformatted(calls);
	bytes_append(&all, told, strlen(told));
	free(told);
	cJSON_Delete(calls);
	for (size_t i = 0; i < HOLDERS; i++)
		check_no_secret(&all, world.keys[i]);
	check_lacks(&all, CLIENT_KEY_PEPPER);
	char id[64]; /* but ids are there */
	snprintf(id, sizeof id, "\"key\":\"%.8s\"", world.keys[FULL] + strlen("sk-sluice-"));
	check_contains(&all, id);
	bytes_free(&all);
}

/* ---- the command ---- */

static void the_command_prints_a_key_once_and_hashes_it_again(void **state)
{
	char key[CLIENT_KEY_SIZE], hash[CLIENT_KEY_HASH_SIZE], path[256], command[512];
	struct bytes out = {0}, err = {0};
	(void)state;
	client_key_make("one", key, hash);
	snprintf(path, sizeof path, "%s/pepper", scenario_directory());
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(CLIENT_KEY_PEPPER "\n", file);
	fclose(file);
	snprintf(command, sizeof command, "printf '%%s\\n' %s | %s keys hash --pepper-file %s", key,
		 scenario_program("SLUICE_BIN", "build/sluice"), path);
	FILE *pipe = popen(command, "r");
	char again[CLIENT_KEY_HASH_SIZE] = "";
	assert_non_null(pipe);
	assert_int_equal(fscanf(pipe, "%127s", again), 1);
	assert_int_equal(pclose(pipe), 0);
	assert_string_equal(again, hash);
	static const char *const wrong[][6] = {{"keys", "create", NULL},
					       {"keys", NULL},
					       {"keys", "hash", "--name", "x", NULL},
					       {"keys", "create", "--name", "a b", NULL},
					       {"keys", "create", "--name", "a", NULL}};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		if (i == 4)
			unsetenv("SLUICE_PEPPER");
		assert_int_equal(sluice_run(wrong[i], &out, &err), i < 3 ? 2 : 1);
		assert_int_equal(out.len, 0);
		assert_true(err.len > 0);
	}
	check_contains(&err, "there is no pepper; expected --pepper-file FILE, or $SLUICE_PEPPER");
	bytes_free(&out);
	bytes_free(&err);
}

/* ---- safe by default ---- */

static void without_keys_the_service_refuses_to_leave_this_machine(void **state)
{
	struct bytes out = {0}, err = {0};
	char path[256];
	(void)state;
	snprintf(path, sizeof path, "%s/open.yaml", scenario_directory());
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs("listen: ['0.0.0.0:0']\nadmin: off\nbackends: { b: { url: 'http://127.0.0.1:1/v1' } }\nmodels: { m: b/x "
	      "}\n",
	      file);
	fclose(file);
	const char *const arguments[] = {"--config", path, NULL};
	assert_int_equal(sluice_run(arguments, &out, &err), 1);
	check_contains(&err,
		       ":1: listen[0]: other machines may reach 0.0.0.0:0, and nobody is asked for a key; expected "
		       "\"keys\"");
	check_contains(&err, "or \"auth: none\" written in the file");
	bytes_free(&out);
	bytes_free(&err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(a_key_is_taken_from_three_fields_over_every_version_of_http),
	    SCENARIO(a_key_that_is_no_good_is_refused_for_what_is_wrong),
	    SCENARIO(every_operation_needs_a_key_or_is_listed_as_free),
	    SCENARIO(operators_of_this_machine_need_no_key_and_the_api_does_everywhere),
	    SCENARIO(an_admin_listener_that_other_machines_reach_needs_a_key_with_admin),
	    SCENARIO(a_model_outside_the_scope_is_refused_by_every_way_to_it),
	    SCENARIO(models_lists_what_the_key_may_use),
	    SCENARIO(kept_answers_are_the_tenants_whatever_field_shows_the_key),
	    SCENARIO(a_kept_answer_is_no_way_around_a_scope),
	    SCENARIO(turns_in_a_queue_are_the_tenants),
	    SCENARIO(wrong_keys_are_limited_by_network_and_good_ones_are_served_all_the_same),
	    SCENARIO(a_request_with_a_wrong_key_is_refused_before_its_long_body_is_read),
	    SCENARIO(one_thirty_and_three_hundred_at_once_get_what_their_keys_allow),
	    SCENARIO(secrets_are_in_nothing_that_the_process_emits),
	    SCENARIO(the_command_prints_a_key_once_and_hashes_it_again),
	    SCENARIO(without_keys_the_service_refuses_to_leave_this_machine),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
