/* SPDX-License-Identifier: MIT */
/* Starting the simulator and reading its journal. */
#include "tests/scenario/harness/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/h1.h"
#include "tests/scenario/harness/scenario.h"

static bool says_where(const struct bytes *text, void *user)
{
	struct sim *sim = user;
	const char *main = strstr(bytes_text(text), "listening on 127.0.0.1:");
	const char *control = strstr(bytes_text(text), "control on 127.0.0.1:");
	return main != NULL && control != NULL && strchr(control, '\n') != NULL &&
	       sscanf(main, "listening on 127.0.0.1:%d", &sim->port) == 1 &&
	       sscanf(control, "control on 127.0.0.1:%d", &sim->control_port) == 1;
}

struct sim *sim_start(const char *const options[])
{
	enum { MOST_OPTIONS = 24 };
	const char *command[MOST_OPTIONS + 10] = {scenario_program("SLUICE_SIM", "build/sluice-sim"),
						  "--listen",
						  "127.0.0.1:0",
						  "--control",
						  "127.0.0.1:0",
						  "--ttft",
						  "0",
						  "--itl",
						  "0"};
	struct sim *sim = calloc(1, sizeof *sim);
	assert_non_null(sim);
	scenario_defer(free, sim);
	for (size_t i = 0; options != NULL && options[i] != NULL && i < MOST_OPTIONS; i++)
		command[9 + i] = options[i];
	sim->proc = proc_start("sim", command, NULL);
	proc_wait_output(sim->proc, PROC_STDOUT, says_where, sim);
	return sim;
}

static cJSON *sim_ask(const struct sim *sim, const char *method, const char *path, const char *body)
{
	struct h1 h1;
	h1_open(&h1, sim->control_port, false);
	h1.silent = true; /* its port may have been a gateway's */
	h1_send(&h1, "%s %s HTTP/1.1\r\nHost: sim\r\nContent-Length: %zu\r\n\r\n%s", method, path, strlen(body), body);
	h1_wait_end(&h1);
	cJSON *root = cJSON_ParseWithLength(bytes_text(&h1.answer.body), h1.answer.body.len);
	if (h1.answer.status != 200 || root == NULL)
		fail_msg("%s %s of the simulator: %d %s", method, path, h1.answer.status, bytes_text(&h1.answer.body));
	h1_close(&h1);
	return root;
}

cJSON *sim_expect(const struct sim *sim, const char *body)
{
	return sim_ask(sim, "POST", "/sim/expect", body);
}

static cJSON *ask_calls(const struct sim *sim, const char *path)
{
	cJSON *root = sim_ask(sim, "GET", path, "");
	if (cJSON_IsArray(root))
		return root;
	cJSON *calls = cJSON_DetachItemFromObjectCaseSensitive(root, "calls");
	cJSON_Delete(root);
	assert_true(cJSON_IsArray(calls));
	return calls;
}

cJSON *sim_calls(const struct sim *sim)
{
	return ask_calls(sim, "/sim/calls?bodies=0");
}

cJSON *sim_calls_told(const struct sim *sim)
{
	return ask_calls(sim, "/sim/calls");
}

static bool call_is_of(const cJSON *call, const char *model)
{
	const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(call, "model"));
	return name != NULL && strstr(name, model) != NULL;
}

size_t sim_call_count(const struct sim *sim, const char *model)
{
	size_t count = 0;
	const cJSON *call;
	cJSON *calls = sim_calls(sim);
	cJSON_ArrayForEach(call, calls)
	{
		count += call_is_of(call, model);
	}
	cJSON_Delete(calls);
	return count;
}

double sim_call_number(const struct sim *sim, const char *model, const char *member)
{
	const cJSON *found = NULL;
	const cJSON *call;
	cJSON *calls = sim_calls(sim);
	cJSON_ArrayForEach(call, calls)
	{
		if (call_is_of(call, model))
			found = cJSON_GetObjectItemCaseSensitive(call, member);
	}
	if (!cJSON_IsNumber(found))
		fail_msg("the simulator tells no %s of a call of %s", member, model);
	double value = found->valuedouble;
	cJSON_Delete(calls);
	return value;
}

void sim_check_body(const struct sim *sim, const char *model, const char *part)
{
	const char *body = NULL;
	const cJSON *call;
	cJSON *calls = sim_calls_told(sim);
	cJSON_ArrayForEach(call, calls)
	{
		if (call_is_of(call, model))
			body = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(call, "body"));
	}
	if (body == NULL || strstr(body, part) == NULL)
		fail_msg("the request that the simulator got has no %s: %s", part, body == NULL ? "" : body);
	cJSON_Delete(calls);
}

uint64_t sim_wait_left(const struct sim *sim, const char *model)
{
	struct patience patience = patience_for("sluice to leave the simulator");
	for (;;) {
		double left = sim_call_number(sim, model, "peer_left_at_us");
		if (left > 0)
			return (uint64_t)left;
		patience_wait(&patience);
	}
}

void sim_wait_calls(const struct sim *sim, const char *model, size_t count)
{
	struct patience patience = patience_for("a call to reach the simulator");
	while (sim_call_count(sim, model) < count)
		patience_wait(&patience);
}

double sim_stat(const struct sim *sim, const char *member)
{
	cJSON *stats = sim_ask(sim, "GET", "/sim/stats", "");
	const cJSON *value = cJSON_GetObjectItemCaseSensitive(stats, member);
	if (!cJSON_IsNumber(value))
		fail_msg("the simulator's stats lack %s", member);
	double number = value->valuedouble;
	cJSON_Delete(stats);
	return number;
}

void sim_wait_idle(const struct sim *sim)
{
	struct patience patience = patience_for("the simulator's calls to end");
	while (sim_stat(sim, "open") > 0)
		patience_wait(&patience);
}

void sim_control(const struct sim *sim, const char *body)
{
	cJSON_Delete(sim_ask(sim, "POST", "/sim/control", body));
}

void sim_open_gate(const struct sim *sim)
{
	sim_control(sim, "{\"gate\":true}");
}

void sim_close_gate(const struct sim *sim)
{
	sim_control(sim, "{\"gate\":false}");
}

double sim_wait_stalled(const struct sim *sim, const char *model, unsigned ms)
{
	struct patience patience = patience_for("the call to be paused");
	uint64_t since_us = clock_us();
	double sent = 0;
	while (sent == 0 || clock_us() - since_us < (uint64_t)ms * 1000) {
		double now = sim_call_number(sim, model, "tokens_sent");
		if (now != sent || sent == 0)
			since_us = clock_us();
		sent = now;
		patience_wait(&patience);
	}
	return sent;
}

void sim_reset(const struct sim *sim)
{
	cJSON_Delete(sim_ask(sim, "POST", "/sim/reset", ""));
}
