/* SPDX-License-Identifier: MIT */
/* The control endpoint; control.h holds the contract. */
#include "tools/sim/control.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/json_write.h"
#include "tools/sim/answer.h"
#include "tools/sim/conn.h"
#include "tools/sim/listen.h"
#include "tools/sim/settings.h"

enum { CONTROL_DEPTH = 64 };

static int refuse(struct buf *out, int status, const char *message)
{
	answer_error(out, span_of(message), SPAN("invalid_request_error"), NULL, (struct span){NULL, 0});
	return status;
}

/* The value of a query member `key=…`; empty when absent. */
static struct span query_value(struct span query, const char *key)
{
	size_t len = strlen(key);
	while (query.len > 0) {
		const char *end = memchr(query.at, '&', query.len);
		size_t item = end == NULL ? query.len : (size_t)(end - query.at);
		if (item > len && memcmp(query.at, key, len) == 0 && query.at[len] == '=')
			return (struct span){query.at + len + 1, item - len - 1};
		item += end != NULL;
		query = (struct span){query.at + item, query.len - item};
	}
	return SPAN("");
}

static uint64_t query_number(struct span query, const char *key)
{
	uint64_t number = 0;
	struct span value = query_value(query, key);
	for (size_t i = 0; i < value.len && value.at[i] >= '0' && value.at[i] <= '9'; i++)
		number = number * 10 + (uint64_t)(value.at[i] - '0');
	return number;
}

static void write_gauges(struct sim *sim, struct buf *out)
{
	buf_printf(out, "\"open\":%" PRIu64 ",\"connections\":%" PRIu64 ",\"total\":%" PRIu64, sim->journal.open,
		   sim->conn_count, sim->counters.total);
}

static int get_calls(struct sim *sim, const struct http_request *request, struct span body, struct buf *out)
{
	(void)body;
	struct journal_query query = {
	    .since = query_number(request->query, "since"),
	    .limit = query_number(request->query, "limit"),
	    .model = query_value(request->query, "model"),
	    .bodies = !span_is(query_value(request->query, "bodies"), "0"),
	};
	buf_append(out, SPAN("{"));
	write_gauges(sim, out);
	buf_append(out, SPAN(",\"calls\":"));
	journal_write(&sim->journal, out, &query);
	buf_append(out, SPAN("}"));
	return 200;
}

static int get_stats(struct sim *sim, const struct http_request *request, struct span body, struct buf *out)
{
	(void)request;
	(void)body;
	const struct sim_counters *counters = &sim->counters;
	buf_append(out, SPAN("{"));
	write_gauges(sim, out);
	buf_printf(out,
		   ",\"accepted\":%" PRIu64 ",\"complete\":%" PRIu64 ",\"peer_closed\":%" PRIu64 ",\"faults\":%" PRIu64,
		   counters->accepted, counters->complete, counters->peer_closed, counters->faults);
	buf_printf(out, ",\"events\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"most_open\":%" PRIu64 ",\"listening\":%s",
		   counters->events, counters->bytes, counters->most_open, sim->main.source.fd >= 0 ? "true" : "false");
	buf_append(out, SPAN(",\"fault\":"));
	json_write_string(out, span_of(sim->standing.text));
	buf_printf(out, ",\"now_us\":%" PRIu64 "}", timers_now(&sim->timers));
	return 200;
}

static int post_reset(struct sim *sim, const struct http_request *request, struct span body, struct buf *out)
{
	(void)request;
	(void)body;
	journal_forget(&sim->journal);
	attempts_forget(&sim->attempts);
	sim->counters = (struct sim_counters){.most_open = sim->journal.open};
	sim->standing = (struct standing){.probes = false};
	sim->gate_open = false;
	bool open = listener_reopen(&sim->main);
	buf_append(out, open ? SPAN("{\"ok\":true}") : SPAN("{\"ok\":false}"));
	return open ? 200 : 500;
}

/* What a control body may hold; absent members leave things as they are. */
struct order {
	bool has_fault, has_listen, listen, has_probes, probes, has_gate, gate, drop;
	struct span fault;
	int64_t for_ms;
};

static bool order_bool(const struct json *json, const char *key, bool *has, bool *value)
{
	uint32_t node = json_member(json, 0, key);
	*has = node != JSON_NONE;
	*value = *has && json_type(json, node) == JSON_TRUE;
	return !*has || *value || json_type(json, node) == JSON_FALSE;
}

/* NULL, or what is wrong. */
static const char *order_parse(struct order *order, const struct json *json, struct arena *arena)
{
	bool has_drop;
	*order = (struct order){.fault = SPAN("")};
	if (json_type(json, 0) != JSON_OBJECT)
		return "body: expected an object";
	for (uint32_t at = json_first(json, 0); at != JSON_NONE; at = json_next(json, 0, at))
		if (!json_string_is(json, at, "fault") && !json_string_is(json, at, "listen") &&
		    !json_string_is(json, at, "for_ms") && !json_string_is(json, at, "probes") &&
		    !json_string_is(json, at, "gate") && !json_string_is(json, at, "drop_connections"))
			return "body: expected fault, listen, for_ms, probes, gate, drop_connections only";
	if (!order_bool(json, "listen", &order->has_listen, &order->listen))
		return "listen: expected a boolean";
	if (!order_bool(json, "probes", &order->has_probes, &order->probes))
		return "probes: expected a boolean";
	if (!order_bool(json, "gate", &order->has_gate, &order->gate))
		return "gate: expected a boolean";
	if (!order_bool(json, "drop_connections", &has_drop, &order->drop))
		return "drop_connections: expected a boolean";
	uint32_t node = json_member(json, 0, "for_ms");
	if (node != JSON_NONE &&
	    (!json_int(json, node, &order->for_ms) || order->for_ms < 0 || order->for_ms > 86400000))
		return "for_ms: expected milliseconds, up to a day";
	node = json_member(json, 0, "fault");
	order->has_fault = node != JSON_NONE;
	if (order->has_fault && json_type(json, node) == JSON_STRING)
		order->fault = json_string(json, node, arena);
	else if (order->has_fault && json_type(json, node) != JSON_NULL)
		return "fault: expected a list such as \"reset_mid;after=3\", or null";
	return order->fault.len >= sizeof((struct standing *)0)->text ? "fault: expected less than 1 KiB" : NULL;
}

static bool set_standing(struct standing *standing, struct span list, struct knobs_error *error)
{
	struct standing next = {.probes = standing->probes};
	if (!knobs_parse(&next.knobs, list, error))
		return false;
	memcpy(standing->text, list.at, list.len);
	standing->text[list.len] = '\0';
	standing->knobs = (struct knobs){.set = 0};
	standing->calls = 0;
	return knobs_parse(&standing->knobs, (struct span){standing->text, list.len}, error);
}

static int order_obey(struct sim *sim, const struct order *order, struct buf *out)
{
	struct knobs_error error;
	if (order->has_fault && !set_standing(&sim->standing, order->fault, &error))
		return refuse(out, 400, error.what);
	if (order->has_probes)
		sim->standing.probes = order->probes;
	if (order->has_gate)
		sim->gate_open = order->gate;
	if (sim->gate_open)
		conn_wake_all(sim);
	if (order->has_listen && !order->listen)
		listener_close_for(&sim->main, (uint64_t)order->for_ms * 1000);
	if (order->has_listen && order->listen && !listener_reopen(&sim->main))
		return refuse(out, 500, "listen: the port cannot be bound");
	if (order->drop)
		conn_drop_all(sim);
	buf_append(out, SPAN("{\"ok\":true}"));
	return 200;
}

static int post_control(struct sim *sim, const struct http_request *request, struct span body, struct buf *out)
{
	(void)request;
	struct arena arena;
	struct json json;
	struct json_error broken;
	struct order order = {0};
	arena_init(&arena, 0);
	const char *wrong = "body: expected JSON";
	if (json_parse(&json, &arena, body, CONTROL_DEPTH, &broken))
		wrong = order_parse(&order, &json, &arena);
	int status = wrong != NULL ? refuse(out, 400, wrong) : order_obey(sim, &order, out);
	arena_fini(&arena);
	return status;
}

/* One choice: its text and its tokens. */
static void expect_choice(struct answer *answer, uint32_t choice, struct buf *out, struct buf *text)
{
	buf_reset(text);
	answer->choice = choice;
	answer->token = 0;
	answer->echo_at = 0;
	buf_append(out, SPAN("\"tokens\":["));
	while (answer->token < answer->tokens && !buf_failed(out) && !buf_failed(text)) {
		if (answer->token > 0)
			buf_append(out, SPAN(","));
		struct span token = answer_take_token(answer, false);
		json_write_string(out, token);
		buf_append(text, token);
	}
	buf_append(out, SPAN("],\"text\":"));
	json_write_string(out, buf_span(text));
	buf_append(out, SPAN(",\"finish_reason\":"));
	json_write_string_or_null(out, answer->finish);
}

/* The answer of a request that was not sent: choice 0 at the top, all of them in choices. */
static void expect_write(struct answer *answer, struct buf *out)
{
	struct buf text;
	buf_init(&text, 128 * 1024 * 1024);
	buf_append(out, SPAN("{"));
	expect_choice(answer, 0, out, &text);
	buf_append(out, SPAN(",\"choices\":["));
	for (uint32_t choice = 0; choice < answer->ask->choices; choice++) {
		buf_printf(out, "%s{\"index\":%u,", choice == 0 ? "" : ",", choice);
		expect_choice(answer, choice, out, &text);
		buf_append(out, SPAN("}"));
	}
	uint64_t completion = answer_total(answer), prompt = answer->ask->prompt_tokens;
	buf_printf(out,
		   "],\"usage\":{\"prompt_tokens\":%" PRIu64 ",\"completion_tokens\":%" PRIu64
		   ",\"total_tokens\":%" PRIu64 "}}",
		   prompt, completion, prompt + completion);
	buf_fini(&text);
}

static int expect(struct sim *sim, const struct http_request *request, struct span body, struct buf *out,
		  struct arena *arena)
{
	struct ask ask;
	struct ask_error wrong;
	struct knobs knobs;
	struct knobs_error error;
	struct answer answer;
	enum ask_kind kind = memmem(body.at, body.len, "\"messages\"", 10) != NULL ? ASK_CHAT : ASK_COMPLETION;
	if (!ask_parse(&ask, kind, body, arena, &wrong))
		return refuse(out, 400, wrong.what);
	if (!settings_of_call(&knobs, sim, &ask, request, 0, &error))
		return refuse(out, 400, error.what);
	struct answer_source source = {.sim_name = sim->options.name, .seed = sim->options.seed};
	if (answer_init(&answer, &ask, &knobs, &source, false, arena))
		expect_write(&answer, out);
	answer_fini(&answer);
	return 200;
}

static int post_expect(struct sim *sim, const struct http_request *request, struct span body, struct buf *out)
{
	struct arena arena;
	arena_init(&arena, 0);
	int status = expect(sim, request, body, out, &arena);
	arena_fini(&arena);
	if (!buf_failed(out))
		return status;
	buf_reset(out);
	return refuse(out, 413, "the answer is too long to be shown");
}

int control_answer(struct sim *sim, const struct http_request *request, struct span body, struct buf *out)
{
	static const struct {
		const char *method, *path;
		int (*answer)(struct sim *, const struct http_request *, struct span, struct buf *);
	} routes[] = {
	    {"GET", "/sim/calls", get_calls},     {"GET", "/sim/stats", get_stats},
	    {"POST", "/sim/reset", post_reset},   {"POST", "/sim/control", post_control},
	    {"POST", "/sim/expect", post_expect},
	};
	for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++)
		if (span_is(request->path, routes[i].path))
			return span_is(request->method, routes[i].method)
				   ? routes[i].answer(sim, request, body, out)
				   : refuse(out, 405, "method: expected the other of GET and POST");
	return refuse(out, 404, "path: expected /sim/calls, stats, reset, control or expect");
}
