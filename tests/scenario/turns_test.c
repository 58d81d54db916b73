/* SPDX-License-Identifier: MIT */
/*
 * Bodies that are heavy to read, with neighbours beside: one body of 3.7 MB with 380,000 members held its worker for
 * 450 ms, /livez included. What is counted here is who read them, and that everybody has the right answer; never time.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/harness/backend.h"
#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/mass.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sim.h"

enum { MEMBERS = 20000, MEMBER_MOST = 16, NEIGHBOURS = 40 };

#define DECODED "sluice_offloaded_total{work=\"decode\"}"

/*
 * A chat of many members of logit_bias: that many from first on, in an order of their own by step, and what comes
 * behind. The caller frees it.
 */
static char *heavy_body(const char *model, size_t members, size_t step, const char *behind)
{
	size_t size = members * MEMBER_MOST + strlen(behind) + 512, len = 0;
	char *body = malloc(size);
	assert_non_null(body);
	len += (size_t)snprintf(
	    body, size,
	    "{\"model\":\"%s\",\"temperature\":0,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],"
	    "\"logit_bias\":{",
	    model);
	for (size_t i = 0; i < members; i++)
		len += (size_t)snprintf(body + len, size - len, "%s\"%zu\":%zu", i == 0 ? "" : ",",
					100000 + i * step % members, i * step % members % 10);
	snprintf(body + len, size - len, "}%s}", behind);
	return body;
}

static struct sluice *start_with(struct sim **sim, const char *more)
{
	*sim = sim_start((const char *const[]){"--tokens", "3", NULL});
	return sluice_start_workers(1,
				    "backends: { s: { url: 'http://127.0.0.1:%d/v1' } }\n"
				    "models: { m: s/count, other: s/other }\n%s",
				    (*sim)->port, more);
}

/* What neighbours ask meanwhile: each must have its answer. */
static void neighbours_ask(const struct sluice *sluice)
{
	for (int i = 0; i < NEIGHBOURS; i++) {
		struct answer answer;
		client_fetch_chat(sluice, (enum via)(i % VIA_COUNT), "other", i % 2 == 0, &answer);
		assert_int_equal(answer.status, 200);
		assert_true(answer.ended);
		answer_free(&answer);
	}
}

static void a_heavy_body_is_read_by_a_helper_and_reaches_the_backend_whole(void **state)
{
	(void)state;
	struct sim *sim;
	struct sluice *sluice = start_with(&sim, "cache: { policy: off }\n");
	char *body = heavy_body("m", MEMBERS, 7, ",\"max_tokens\":2"); /* of three: its end was read */
	for (enum via via = 0; via < VIA_COUNT; via++) {
		struct client client;
		client_post(&client, sluice, via, "/v1/chat/completions", body);
		neighbours_ask(sluice);
		client_wait_end(&client);
		assert_int_equal(client_answer(&client)->status, 200);
		check_contains(&client_answer(&client)->body, "\"finish_reason\":\"length\"");
		client_close(&client);
	}
	assert_int_equal(sluice_metric(sluice, DECODED), VIA_COUNT);
	assert_int_equal(sluice_metric(sluice, "sluice_offload_refused_total{work=\"decode\"}"), 0);
	assert_int_equal(sim_call_count(sim, "count"), VIA_COUNT);
	free(body);
	sluice_wait_idle(sluice);
}

/* Both are one request to the cache, whose key a helper computed. */
static void a_heavy_body_in_another_order_is_the_same_request(void **state)
{
	(void)state;
	struct sim *sim;
	struct sluice *sluice = start_with(&sim, "");
	for (size_t step = 1; step <= 3; step += 2) {
		struct answer answer;
		char *body = heavy_body("m", MEMBERS, step, "");
		client_fetch(sluice, VIA_H1, "/v1/chat/completions", body, &answer);
		assert_int_equal(answer.status, 200);
		check_contains(&answer.head,
			       step == 1 ? "cache-status: sluice; fwd=miss" : "cache-status: sluice; hit");
		answer_free(&answer);
		free(body);
	}
	assert_int_equal(sluice_metric(sluice, DECODED), 2);
	assert_int_equal(sim_call_count(sim, "count"), 1);
	sluice_wait_idle(sluice);
}

static void wait_for_helpers(const struct sluice *sluice)
{
	struct patience patience = patience_for("the helpers to be done");
	while (sluice_metric(sluice, "sluice_offload_pending{work=\"decode\"}") +
		   sluice_metric(sluice, "sluice_offload_pending{work=\"keep\"}") >
	       0)
		patience_wait(&patience);
}

static void check_refused(const struct sluice *sluice, const char *body, int status, const char *code,
			  const char *message)
{
	for (enum via via = 0; via < VIA_COUNT; via++) {
		struct answer answer;
		client_fetch(sluice, via, "/v1/chat/completions", body, &answer);
		check_error(&answer, status, code);
		check_contains(&answer.body, message);
		answer_free(&answer);
	}
}

static void a_heavy_body_is_refused_as_precisely_as_a_small_one(void **state)
{
	(void)state;
	struct sim *sim;
	struct sluice *sluice = start_with(&sim, "limits: { json_values: 100000 }\n");
	struct {
		const char *model, *behind;
		size_t members;
		int status;
		const char *code, *message;
	} rows[] = {
	    {"m", ",\"stop\":[", MEMBERS, 400, "invalid_json", "Invalid JSON at line 1, column "},
	    {"m", ",\"temperature\":1", MEMBERS, 400, "invalid_json", "duplicate key"},
	    {"m", ",\"messages\":5", MEMBERS, 400, "invalid_json", "duplicate key"},
	    {"m", ",\"stream\":\"yes\"", MEMBERS, 400, "invalid_type", "stream must be true or false; got a string"},
	    {"nobody", "", MEMBERS, 404, "model_not_found", "The model `nobody` does not exist."},
	    {"m", "", 50000, 413, "request_too_large", "the limit is 100000 (limits.json_values)"},
	};
	size_t count = sizeof rows / sizeof rows[0];
	for (size_t i = 0; i < count; i++) {
		char *body = heavy_body(rows[i].model, rows[i].members, 1, rows[i].behind);
		check_refused(sluice, body, rows[i].status, rows[i].code, rows[i].message);
		free(body);
	}
	assert_int_equal(sluice_metric(sluice, DECODED), count * VIA_COUNT);
	assert_int_equal(sim_call_count(sim, ""), 0);
	sluice_wait_idle(sluice);
}

static void a_client_that_leaves_while_its_body_is_read_is_forgotten(void **state)
{
	(void)state;
	enum { ROUNDS = 8 };
	struct sim *sim;
	struct sluice *sluice = start_with(&sim, "");
	char *body = heavy_body("m", MEMBERS, 1, "");
	for (int i = 0; i < ROUNDS * VIA_COUNT; i++) {
		struct client client;
		client_post(&client, sluice, (enum via)(i % VIA_COUNT), "/v1/chat/completions", body);
		client_leave(&client, (enum leave)(i / VIA_COUNT % 3));
		client_close(&client);
	}
	neighbours_ask(sluice);
	free(body);
	sluice_wait_idle(sluice);
	sim_wait_idle(sim);
}

static void who_follows_a_heavy_request_has_its_answer_when_the_first_one_leaves(void **state)
{
	(void)state;
	struct client first, second;
	struct backend *backend = backend_start();
	static const struct step script[] = {
	    GATE,
	    SEND("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n"
		 "{\"choices\":[{\"index\":0,\"message\":{\"role\":"
		 "\"assistant\",\"content\":\"late\"},\"finish_reason\":\"stop\"}]}"),
	    FIN, SCRIPT_END};
	backend_script(backend, script);
	struct sluice *sluice = sluice_start_workers(
	    1, "backends: { b: { url: 'http://127.0.0.1:%d/v1' } }\nmodels: { m: b/m }\n", backend_port(backend));
	char *body = heavy_body("m", MEMBERS, 1, ""), *same = heavy_body("m", MEMBERS, 3, "");
	struct patience patience = patience_for("the backend to be asked");
	client_post(&first, sluice, VIA_H1, "/v1/chat/completions", body);
	while (backend_requests(backend) == 0)
		patience_wait(&patience);
	client_post(&second, sluice, VIA_H1_TLS, "/v1/chat/completions", same);
	patience = patience_for("the second one to follow");
	while (sluice_metric(sluice, DECODED) < 2 ||
	       sluice_metric(sluice, "sluice_offload_pending{work=\"decode\"}") > 0)
		patience_wait(&patience);
	client_leave(&first, LEAVE_RST);
	client_close(&first);
	patience = patience_for("the first one to be forgotten");
	while (sluice_metric(sluice, "sluice_exchanges_in_flight") > 1)
		patience_wait(&patience);
	backend_open_gate(backend);
	client_wait_end(&second);
	assert_int_equal(client_answer(&second)->status, 200);
	check_contains(&client_answer(&second)->body, "late");
	client_close(&second);
	assert_int_equal(backend_requests(backend), 1);
	free(body);
	free(same);
	sluice_wait_idle(sluice);
}

/* The requests that came before the signal have their answers, whether they were read by then or not. */
static void a_drain_waits_for_bodies_that_are_being_read(void **state)
{
	(void)state;
	enum { CLIENTS = 8 };
	struct client clients[CLIENTS];
	struct sim *sim;
	struct sluice *sluice = start_with(&sim, "cache: { policy: off }\n");
	char *body = heavy_body("m", MEMBERS, 1, "");
	struct patience patience = patience_for("the bodies to be there");
	for (int i = 0; i < CLIENTS; i++)
		client_post(&clients[i], sluice, i % 2 == 0 ? VIA_H1 : VIA_H1_TLS, "/v1/chat/completions", body);
	while (sluice_metric(sluice, DECODED) < CLIENTS)
		patience_wait(&patience);
	assert_int_equal(kill(sluice->proc->pid, SIGTERM), 0);
	for (int i = 0; i < CLIENTS; i++) {
		client_wait_end(&clients[i]);
		assert_int_equal(client_answer(&clients[i])->status, 200);
		client_close(&clients[i]);
	}
	assert_int_equal(proc_wait(sluice->proc), 0);
	free(body);
}

static void the_end_of_the_process_does_not_wait_for_helpers(void **state)
{
	(void)state;
	enum { CLIENTS = 8 };
	struct client clients[CLIENTS];
	struct sim *sim;
	struct sluice *sluice = start_with(&sim, "drain: 1ms\n");
	char *body = heavy_body("m", MEMBERS, 1, "");
	for (int i = 0; i < CLIENTS; i++)
		client_post(&clients[i], sluice, i % 2 == 0 ? VIA_H1 : VIA_H1_TLS, "/v1/chat/completions", body);
	assert_int_equal(kill(sluice->proc->pid, SIGTERM), 0);
	assert_int_equal(proc_wait(sluice->proc), 0);
	for (int i = 0; i < CLIENTS; i++)
		client_close(&clients[i]);
	free(body);
}

static void check_crowd(size_t clients)
{
	struct sim *sim;
	struct sluice *sluice = start_with(&sim, "cache: { policy: off }\n");
	size_t small = clients * 2, count = clients + small;
	char *body = heavy_body("m", MEMBERS / 4, 1, "");
	char *chat = strdup(chat_body("other", false));
	struct mass_job *jobs = calloc(count, sizeof *jobs);
	assert_non_null(jobs);
	for (size_t i = 0; i < count; i++) {
		jobs[i].body = i % 3 == 0 ? body : chat;
		jobs[i].authorization = i % 3 == 0 ? "Bearer heavy" : "Bearer light";
		if (i % 12 == 3) {
			jobs[i].leaves = MASS_LEAVES_AFTER_TIME;
			jobs[i].leave_at = i * 100;
			jobs[i].how = (enum leave)(i % 3);
		}
	}
	struct mass mass = {
	    .sluice = sluice, .via = VIA_H1, .connections = count, .streams = 1, .jobs = jobs, .count = count};
	mass_run(&mass);
	for (size_t i = 0; i < count; i++)
		if (!jobs[i].left)
			assert_int_equal(jobs[i].answer.status, 200);
	mass_free_answers(&mass);
	print_message("%zu heavy, %zu small: %.0f read by helpers\n", clients, small, sluice_metric(sluice, DECODED));
	assert_in_range(sluice_metric(sluice, DECODED), clients * 2 / 3, clients);
	assert_int_equal(sluice_metric(sluice, "sluice_offload_refused_total{work=\"decode\"}"), 0);
	free(jobs);
	free(body);
	free(chat);
	sluice_wait_idle(sluice);
}

static void a_crowd_of_heavy_clients_disturbs_nobody(void **state)
{
	(void)state;
	check_crowd(30);
	check_crowd(300 / LOAD_DIVISOR);
}

static void heavy_fanouts_and_embeddings_are_read_by_helpers(void **state)
{
	(void)state;
	struct answer answer;
	struct sim *sim;
	struct sluice *sluice = start_with(&sim, "");
	char *chat = heavy_body("m", MEMBERS, 1, ""), *body = malloc(strlen(chat) + 256);
	assert_non_null(body);
	sprintf(body, "{\"targets\":[\"m\",\"other\"],\"request\":{%s}", strchr(chat, ',') + 1);
	client_fetch(sluice, VIA_H1, "/v1/fanout", body, &answer);
	assert_int_equal(answer.status, 200);
	check_contains(&answer.body, "\"lanes\"");
	answer_free(&answer);
	sprintf(body, "{\"targets\":[\"m\",\"nobody\"],\"request\":{%s}", strchr(chat, ',') + 1);
	client_fetch(sluice, VIA_H1, "/v1/fanout", body, &answer);
	check_error(&answer, 404, "model_not_found");
	answer_free(&answer);
	size_t len = (size_t)sprintf(body, "{\"model\":\"m\",\"input\":[[0]");
	for (int i = 1; i < 1500; i++)
		len += (size_t)sprintf(body + len, ",[%d,1,2]", i);
	sprintf(body + len, "]}");
	for (int i = 0; i < 2; i++) {
		client_fetch(sluice, VIA_H2, "/v1/embeddings", body, &answer);
		assert_int_equal(answer.status, 200);
		check_contains(&answer.head, i == 0 ? "fwd=miss" : "cache-status: sluice; hit");
		answer_free(&answer);
	}
	assert_int_equal(sluice_metric(sluice, DECODED), 4);
	free(chat);
	free(body);
	sluice_wait_idle(sluice);
}

/* Streamed and whole. Who asks again before it is kept follows the flight; the backend is asked once either way. */
static void a_large_answer_is_kept_by_a_helper(void **state)
{
	(void)state;
	struct sim *sim = sim_start(NULL);
	struct sluice *sluice =
	    sluice_start_workers(1,
				 "backends: { s: { url: 'http://127.0.0.1:%d/v1' } }\n"
				 "models: { m: 's/m;tokens=3000;token_bytes=200', other: s/other }\n",
				 sim->port);
	for (int stream = 0; stream < 2; stream++) {
		char body[256];
		snprintf(
		    body, sizeof body,
		    "{\"model\":\"m\",\"temperature\":0,\"stream\":%s,\"messages\":[{\"role\":\"user\",\"content\":"
		    "\"%d\"}]}",
		    stream ? "true" : "false", stream);
		for (int i = 0; i < 3; i++) {
			struct answer answer;
			client_fetch(sluice, (enum via)i, "/v1/chat/completions", body, &answer);
			assert_int_equal(answer.status, 200);
			assert_true(answer.ended && answer.body.len > 600000);
			check_contains(&answer.head, i == 0 ? "fwd=miss" : "cache-status: sluice; hit");
			answer_free(&answer);
			wait_for_helpers(sluice);
		}
		assert_int_equal(sim_call_count(sim, "m;"), stream + 1);
		neighbours_ask(sluice);
	}
	assert_int_equal(sluice_metric(sluice, "sluice_offloaded_total{work=\"keep\"}"), 2);
	assert_int_equal(sluice_metric(sluice, "sluice_cache_answers_total{model=\"m\",result=\"stored\"}"), 2);
	sluice_wait_idle(sluice);
}

/* All who wait for the answer leave while it is put together. */
static void followers_that_leave_at_the_end_of_a_large_answer_leave_nothing(void **state)
{
	(void)state;
	enum { CLIENTS = 30 };
	struct sim *sim = sim_start(NULL);
	struct sluice *sluice = sluice_start("backends: { s: { url: 'http://127.0.0.1:%d/v1' } }\n"
					     "models: { m: 's/m;tokens=3000;token_bytes=200' }\n",
					     sim->port);
	struct mass_job jobs[CLIENTS] = {{.body = NULL}};
	char bodies[CLIENTS][256];
	for (size_t i = 0; i < CLIENTS; i++) {
		snprintf(
		    bodies[i], sizeof bodies[i],
		    "{\"model\":\"m\",\"temperature\":0,\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":"
		    "\"%zu\"}]}",
		    i / 2);
		jobs[i] = (struct mass_job){.body = bodies[i],
					    .leaves = MASS_LEAVES_AFTER_BYTES,
					    .leave_at = 1500000 - i * 5000,
					    .how = (enum leave)(i % 3)};
	}
	struct mass mass = {
	    .sluice = sluice, .via = VIA_H1, .connections = CLIENTS, .streams = 1, .jobs = jobs, .count = CLIENTS};
	mass_run(&mass);
	mass_free_answers(&mass);
	sluice_wait_idle(sluice);
	sim_wait_idle(sim);
}

/* A whole answer of many members, which begins and ends like that. The caller frees it. */
static char *heavy_answer(const char *head, const char *tail)
{
	enum { SIZE = MEMBERS * MEMBER_MOST + 1024 };
	char *body = malloc(SIZE);
	assert_non_null(body);
	size_t len = (size_t)snprintf(body, SIZE, "%s\"extra\":{\"0\":0", head);
	for (int i = 1; i < MEMBERS; i++)
		len += (size_t)snprintf(body + len, SIZE - len, ",\"%d\":%d", i, i % 10);
	snprintf(body + len, SIZE - len, "}%s", tail);
	return body;
}

#define CHOICES                                                                                                   \
	"{\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"well\"},\"finish_reason\":" \
	"\"stop\"}],"

static void heavy_answers_are_read_by_helpers(void **state)
{
	(void)state;
	struct backend *backend = backend_start();
	struct sim *sim = sim_start(NULL);
	struct sluice *sluice =
	    sluice_start_workers(1,
				 "backends:\n  b: { url: 'http://127.0.0.1:%d/v1' }\n"
				 "  s: { url: 'http://127.0.0.1:%d/v1' }\n"
				 "models: { m: b/m, other: s/other, safe: { fallback: [b/m, s/other] } }\n",
				 backend_port(backend), sim->port);
	struct {
		const char *head, *tail, *model;
		int status;
		const char *part;
	} rows[] = {
	    {CHOICES, "}", "m", 200, "\"content\":\"well\""},
	    {CHOICES, "", "m", 502, "upstream_invalid_response"},
	    {"{\"error\":{\"message\":\"out of luck\",\"type\":\"server_error\"},", "}", "m", 502, "upstream_error"},
	    {"{\"choices\":[],", "}", "m", 502, "upstream_invalid_response"},
	    {CHOICES, "", "safe", 200, "x-sluice-target"},
	};
	size_t count = sizeof rows / sizeof rows[0];
	for (size_t i = 0; i < count; i++) {
		struct answer answer;
		char *body = heavy_answer(rows[i].head, rows[i].tail);
		backend_reply(backend, "application/json", body);
		client_fetch_chat(sluice, (enum via)(i % VIA_COUNT), rows[i].model, false, &answer);
		assert_int_equal(answer.status, rows[i].status);
		check_contains(rows[i].part[0] == 'x' ? &answer.head : &answer.body, rows[i].part);
		answer_free(&answer);
		free(body);
	}
	assert_int_equal(sluice_metric(sluice, "sluice_offloaded_total{work=\"answer\"}"), count);
	neighbours_ask(sluice);
	sluice_wait_idle(sluice);
}

static struct sluice *start_combined(struct sim **sim)
{
	*sim = sim_start(NULL);
	return sluice_start_workers(
	    1,
	    "backends: { s: { url: 'http://127.0.0.1:%d/v1' } }\n"
	    "models:\n  other: s/other\n"
	    "  all: { all: ['s/a;tokens=20;token_bytes=100k', 's/b;tokens=2', "
	    "'s/c;tokens=10;token_bytes=100k'] }\n"
	    "  most: { quorum: ['s/a;tokens=8;token_bytes=100k', 's/a;tokens=8;token_bytes=100k'] }\n"
	    "  none: { quorum: ['s/a;tokens=8;token_bytes=100k', 's/b;tokens=20;token_bytes=100k'] }\n"
	    "cache: { policy: off }\n",
	    (*sim)->port);
}

/* Fails unless the answer is one JSON document with that many choices, whose texts have these lengths at least. */
static void check_choices(const struct answer *answer, int count, const size_t *lengths)
{
	cJSON *json = cJSON_ParseWithLength(answer->body.at, answer->body.len);
	const cJSON *choices = cJSON_GetObjectItemCaseSensitive(json, "choices");
	assert_int_equal(answer->status, 200);
	assert_true(answer->ended);
	assert_int_equal(cJSON_GetArraySize(choices), count);
	for (int i = 0; i < count; i++) {
		const cJSON *choice = cJSON_GetArrayItem(choices, i);
		const cJSON *message = cJSON_GetObjectItemCaseSensitive(choice, "message");
		const cJSON *content = cJSON_GetObjectItemCaseSensitive(message, "content");
		assert_true(cJSON_IsString(content));
		assert_true(strlen(content->valuestring) >= lengths[i]);
		assert_int_equal(cJSON_GetObjectItemCaseSensitive(choice, "index")->valueint, i);
	}
	cJSON_Delete(json);
}

static void large_answers_are_merged_and_voted_on_by_helpers(void **state)
{
	(void)state;
	static const size_t of_all[] = {2000000, 2, 1000000}, of_most[] = {800000};
	struct sim *sim;
	struct sluice *sluice = start_combined(&sim);
	for (enum via via = 0; via < VIA_COUNT; via++) {
		struct answer answer;
		client_fetch_chat(sluice, via, "all", false, &answer);
		check_choices(&answer, 3, of_all);
		answer_free(&answer);
		client_fetch_chat(sluice, via, "most", false, &answer);
		check_choices(&answer, 1, of_most);
		check_contains(&answer.body, "\"completion_tokens\":16");
		answer_free(&answer);
		client_fetch_chat(sluice, via, "none", false, &answer);
		check_error(&answer, 502, "no_quorum");
		answer_free(&answer);
		client_fetch_chat(sluice, via, "most", true, &answer);
		assert_int_equal(answer.status, 200);
		assert_true(answer.ended && answer.body.len > 800000);
		answer_free(&answer);
		neighbours_ask(sluice);
	}
	assert_int_equal(sluice_metric(sluice, "sluice_offloaded_total{work=\"merge\"}"), 2 * VIA_COUNT);
	assert_int_equal(sluice_metric(sluice, "sluice_offloaded_total{work=\"vote\"}"), 6 * VIA_COUNT);
	sluice_wait_idle(sluice);
}

static void clients_that_leave_large_combined_answers_leave_nothing(void **state)
{
	(void)state;
	enum { CLIENTS = 24 };
	struct sim *sim;
	struct sluice *sluice = start_combined(&sim);
	char *bodies[] = {strdup(chat_body("all", false)), strdup(chat_body("most", false)),
			  strdup(chat_body("none", false))};
	struct mass_job jobs[CLIENTS] = {{.body = NULL}};
	for (size_t i = 0; i < CLIENTS; i++)
		jobs[i] = (struct mass_job){.body = bodies[i % 3],
					    .leaves = i % 4 == 3 ? MASS_LEAVES_AFTER_BYTES : MASS_LEAVES_AFTER_TIME,
					    .leave_at = i % 4 == 3 ? i * 20000 : i * 2000,
					    .how = (enum leave)(i / 3 % 3)};
	struct mass mass = {
	    .sluice = sluice, .via = VIA_H1, .connections = CLIENTS, .streams = 1, .jobs = jobs, .count = CLIENTS};
	mass_run(&mass);
	mass_free_answers(&mass);
	neighbours_ask(sluice);
	for (size_t i = 0; i < 3; i++)
		free(bodies[i]);
	sluice_wait_idle(sluice);
	sim_wait_idle(sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(a_heavy_body_is_read_by_a_helper_and_reaches_the_backend_whole),
	    SCENARIO(a_heavy_body_in_another_order_is_the_same_request),
	    SCENARIO(a_heavy_body_is_refused_as_precisely_as_a_small_one),
	    SCENARIO(a_client_that_leaves_while_its_body_is_read_is_forgotten),
	    SCENARIO(who_follows_a_heavy_request_has_its_answer_when_the_first_one_leaves),
	    SCENARIO(a_drain_waits_for_bodies_that_are_being_read),
	    SCENARIO(the_end_of_the_process_does_not_wait_for_helpers),
	    SCENARIO(a_crowd_of_heavy_clients_disturbs_nobody),
	    SCENARIO(heavy_fanouts_and_embeddings_are_read_by_helpers),
	    SCENARIO(a_large_answer_is_kept_by_a_helper),
	    SCENARIO(heavy_answers_are_read_by_helpers),
	    SCENARIO(large_answers_are_merged_and_voted_on_by_helpers),
	    SCENARIO(clients_that_leave_large_combined_answers_leave_nothing),
	    SCENARIO(followers_that_leave_at_the_end_of_a_large_answer_leave_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
