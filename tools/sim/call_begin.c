/* SPDX-License-Identifier: MIT */
/*
 * From a request to a planned answer: the route, the settings and their
 * precedence, the fault, the kind of body and its times.
 */
#include <inttypes.h>
#include <stdio.h>

#include "lib/json_write.h"
#include "tools/sim/call.h"
#include "tools/sim/control.h"
#include "tools/sim/embed.h"
#include "tools/sim/message.h"
#include "tools/sim/settings.h"

static const char json_type_text[] = "application/json";

static const char *error_type(int status)
{
	return status == 401   ? "authentication_error"
	       : status == 429 ? "rate_limit_error"
	       : status >= 500 ? "server_error"
			       : "invalid_request_error";
}

void call_fix_error(struct call *call, int status, struct span message, const char *param, const char *code)
{
	buf_reset(&call->fixed);
	answer_error(&call->fixed, message, span_of(error_type(status)), param, span_of(code));
	call->body = CALL_BODY_FIXED;
	call->content_type = json_type_text;
	call->status = status;
}

/* An error that is the caller's mistake, and no fault: nothing may spoil it. */
static void refuse(struct call *call, int status, const char *message, const char *param, const char *code)
{
	call_fix_error(call, status, span_of(message), param, code);
	call->fault = FAULT_NONE;
	call->knobs = (struct knobs){.set = 0};
	call->due_us = call->content_due_us = call->started_us;
}

static void state_reset(struct call *call, bool keep_alive)
{
	call->state = CALL_ST_HEAD;
	call->started_us = call->due_us = call->content_due_us = timers_now(&call->sim->timers);
	call->fault = FAULT_NONE;
	call->knobs = (struct knobs){.set = 0};
	call->content_type = json_type_text;
	call->status = 200;
	call->body = CALL_BODY_FIXED;
	call->opened = call->fault_done = call->doomed = false;
	call->keep_alive = keep_alive;
	call->outcome = JOURNAL_COMPLETE;
	call->id = 0;
	wire_begin(call->wire);
}

void call_begin_bad(struct call *call, int status, const char *message)
{
	state_reset(call, false);
	call->target = SPAN("");
	refuse(call, status, message, NULL, NULL);
}

/* The error that a fault puts in place of the answer. */
static void fault_error(struct call *call, const char *message, const char *type, int status)
{
	const struct knobs *knobs = &call->knobs;
	bool typed = knobs_has(knobs, KNOB_TYPE), coded = knobs_has(knobs, KNOB_CODE);
	struct span code = coded ? knobs->text[KNOB_CODE] : (struct span){NULL, 0};
	struct span own = typed ? knobs->text[KNOB_TYPE] : (struct span){NULL, 0};
	if (call->ask.kind == ASK_MESSAGES) /* they have no codes */
		message_error(&call->fixed, span_of(message), coded ? code : own, status);
	else
		answer_error(&call->fixed, span_of(message), typed ? own : span_of(type), NULL, code);
}

/* A body that a fault puts in place of the answer; false when the fault is not of that kind. */
static bool fault_fixes_body(struct call *call)
{
	const struct knobs *knobs = &call->knobs;
	char status[32];
	switch (call->fault) {
	case FAULT_STATUS:
	case FAULT_REDIRECT:
		call->status = (int)knobs_get(knobs, KNOB_STATUS, call->fault == FAULT_REDIRECT ? 302 : 500);
		snprintf(status, sizeof status, "simulated status %d", call->status);
		fault_error(call, status, error_type(call->status), call->status);
		break;
	case FAULT_ERROR_JSON_200:
		fault_error(call, "The simulated engine failed", "server_error", 500);
		break;
	case FAULT_NOT_JSON:
		buf_append(&call->fixed, SPAN("<!doctype html><title>Simulated</title><p>This is not JSON.\n"));
		call->content_type = "text/html; charset=utf-8";
		break;
	case FAULT_EMPTY_200:
		break;
	default:
		return false;
	}
	call->body = CALL_BODY_FIXED;
	call->outcome = JOURNAL_FAULT;
	return true;
}

/* The answer when it is not a stream: faults that act between events get a form of their own. */
static void plan_json(struct call *call)
{
	call->body = CALL_BODY_JSON;
	switch (call->fault) {
	case FAULT_ERROR_FIRST_EVENT:
	case FAULT_ERROR_MID:
		call->fault = FAULT_ERROR_JSON_200;
		fault_fixes_body(call);
		break;
	case FAULT_BROKEN_JSON:
		call->body = CALL_BODY_FIXED;
		buf_append(&call->fixed, call->answer.opening);
		buf_append(&call->fixed, SPAN("{\"index\":0,\"mess"));
		call->outcome = JOURNAL_FAULT;
		break;
	case FAULT_LONG_LINE:
		call->body = CALL_BODY_LINE;
		call->left = knobs_get(&call->knobs, KNOB_BYTES, 100 * 1024 * 1024);
		break;
	case FAULT_NO_CHOICES:
		call->ask.choices = 0;
		break;
	case FAULT_DONE_NO_FINISH:
		call->answer.finish = (struct span){NULL, 0};
		break;
	default:
		break;
	}
}

/* When head and content are due. */
static void plan_times(struct call *call)
{
	const struct knobs *knobs = &call->knobs;
	uint64_t jitter = knobs_get(knobs, KNOB_JITTER, 0);
	uint64_t head = knobs_get(knobs, KNOB_HEAD, 0);
	uint64_t ttft = knobs_get(knobs, KNOB_TTFT, 20000) + (jitter > 0 ? sim_random(call->sim) % (jitter + 1) : 0);
	bool answers = call->outcome != JOURNAL_FAULT;
	if (call->body != CALL_BODY_SSE && answers) {
		uint64_t ticks = call->has_answer ? call->answer.tokens / knobs_get(knobs, KNOB_BURST, 1) : 0;
		uint64_t whole = ttft + (ticks > 0 ? ticks - 1 : 0) * knobs_get(knobs, KNOB_ITL, 5000);
		head = whole > head ? whole : head;
	}
	call->due_us = call->started_us + head;
	call->content_due_us = call->started_us + (ttft > head ? ttft : head);
	if (call->body != CALL_BODY_SSE)
		call->content_due_us = call->due_us;
}

static void plan_answer(struct call *call)
{
	bool stream = (call->ask.stream && call->fault != FAULT_JSON_FOR_SSE) || call->fault == FAULT_SSE_FOR_JSON;
	struct answer_source source = {call->sim->options.name, call->sim->options.seed, call->id};
	call->has_answer = true;
	if (!answer_init(&call->answer, &call->ask, &call->knobs, &source, stream, &call->arena)) {
		refuse(call, 500, "out of memory", NULL, NULL);
		return;
	}
	call->answer.without_role = call->fault == FAULT_ROLE_MISSING;
	call->answer.without_index = call->fault == FAULT_TOOL_INDEX_MISSING;
	if (stream) {
		call->body = CALL_BODY_SSE;
		call->content_type = "text/event-stream";
	} else {
		plan_json(call);
	}
	if (call->fault == FAULT_GZIP_BOMB)
		call->body = CALL_BODY_BOMB;
}

/* Puts the decided fault into the record. */
static void record_fault(struct call *call)
{
	struct journal_call *record = call_record(call);
	if (record != NULL)
		record->fault = fault_row(call->fault)->name;
}

/* A POST that a model answers. */
static void begin_model(struct call *call, const struct http_request *request, struct span body, enum ask_kind kind)
{
	struct ask_error wrong;
	struct knobs_error error;
	struct journal_call *record = call_record(call);
	if (!ask_parse(&call->ask, kind, body, &call->arena, &wrong)) {
		refuse(call, 400, wrong.what, wrong.param, NULL);
		return;
	}
	uint64_t attempt = attempts_count(&call->sim->attempts, call->ask.model);
	if (record != NULL) {
		record->attempt = attempt;
		record->stream = call->ask.stream;
		journal_set_model(&call->sim->journal, record, call->ask.model);
	}
	if (!settings_of_call(&call->knobs, call->sim, &call->ask, request, attempt, &error)) {
		refuse(call, 400, error.what, "model", "unknown_setting");
		return;
	}
	call->fault = call->knobs.fault;
	if (!fault_fixes_body(call)) {
		if (kind == ASK_EMBEDDINGS)
			embed_write(&call->fixed, &call->ask, call->sim->options.seed, &call->arena);
		else
			plan_answer(call);
	}
	plan_times(call);
}

/* `{"id":…}` of one model. */
static void model_write(struct buf *out, struct span id, const char *owner)
{
	buf_append(out, SPAN("{\"id\":"));
	json_write_string(out, id);
	buf_printf(out, ",\"object\":\"model\",\"created\":1700000000,\"owned_by\":\"%s\"}", owner);
}

/* The next name of the list of models; empty at its end. */
static struct span next_model(const char **list)
{
	const char *at = *list + strspn(*list, ", ");
	size_t len = strcspn(at, ",");
	*list = at + len;
	return (struct span){at, len};
}

static void get_models(struct call *call, struct span id)
{
	const char *list = call->sim->options.models, *owner = call->sim->options.name;
	bool first = true;
	if (id.len == 0)
		buf_append(&call->fixed, SPAN("{\"object\":\"list\",\"data\":["));
	for (struct span name = next_model(&list); name.len > 0; name = next_model(&list)) {
		if (id.len > 0 && !span_equal(name, id))
			continue;
		if (!first)
			buf_append(&call->fixed, SPAN(","));
		model_write(&call->fixed, name, owner);
		first = false;
	}
	if (id.len == 0)
		buf_append(&call->fixed, SPAN("]}"));
	else if (first)
		refuse(call, 404, "The model does not exist", "model", "model_not_found");
}

/* A GET that has an answer of its own; a standing fault for probes applies. */
static void begin_probe(struct call *call, struct span path)
{
	settings_of_probe(&call->knobs, call->sim);
	call->fault = call->knobs.fault;
	if (fault_fixes_body(call))
		return;
	if (span_is(path, "/health"))
		buf_append(&call->fixed, SPAN("{\"status\":\"ok\"}"));
	else
		get_models(call, path.len > 8 ? (struct span){path.at + 8, path.len - 8} : SPAN(""));
	if (call->fault == FAULT_GZIP_BOMB)
		call->body = CALL_BODY_BOMB;
}

static bool is_authorized(const struct call *call, const struct http_request *request)
{
	const char *key = call->sim->options.api_key;
	struct span given = http_header(request, "authorization"), other = http_header(request, "x-api-key");
	if (key == NULL || span_is(other, key))
		return true;
	return given.len == strlen(key) + 7 && strncasecmp(given.at, "bearer ", 7) == 0 &&
	       memcmp(given.at + 7, key, given.len - 7) == 0;
}

static void begin_route(struct call *call, const struct http_request *request, struct span body)
{
	static const struct {
		const char *path;
		enum ask_kind kind;
	} posts[] = {{"/chat/completions", ASK_CHAT},
		     {"/messages", ASK_MESSAGES},
		     {"/completions", ASK_COMPLETION},
		     {"/embeddings", ASK_EMBEDDINGS}};
	struct span path = request->path;
	if (path.len > 3 && memcmp(path.at, "/v1/", 4) == 0)
		path = (struct span){path.at + 3, path.len - 3};
	bool get = span_is(request->method, "GET"), post = span_is(request->method, "POST");
	bool model = path.len > 8 && memcmp(path.at, "/models/", 8) == 0;
	if (!span_is(path, "/health") && !is_authorized(call, request)) {
		refuse(call, 401, "Incorrect API key provided", NULL, "invalid_api_key");
		return;
	}
	for (size_t i = 0; i < sizeof posts / sizeof posts[0]; i++) {
		if (!span_is(path, posts[i].path))
			continue;
		if (post)
			begin_model(call, request, body, posts[i].kind);
		else
			refuse(call, 405, "method: expected POST", NULL, NULL);
		return;
	}
	if (!model && !span_is(path, "/models") && !span_is(path, "/health"))
		refuse(call, 404, "Unknown path", NULL, "not_found");
	else if (get)
		begin_probe(call, path);
	else
		refuse(call, 405, "method: expected GET", NULL, NULL);
}

void call_begin(struct call *call, const struct http_request *request, struct span body)
{
	struct sim *sim = call->sim;
	bool doomed = call->doomed;
	state_reset(call, request->keep_alive);
	call->target = request->target;
	if (request->path.len > 5 && memcmp(request->path.at, "/sim/", 5) == 0) {
		call->status = control_answer(sim, request, body, &call->fixed);
		return;
	}
	struct journal_call *record = journal_begin(&sim->journal, call->started_us, request->head, body);
	call->id = record->id;
	record->connection = call->connection;
	sim->counters.total++;
	if (sim->journal.open > sim->counters.most_open)
		sim->counters.most_open = sim->journal.open;
	begin_route(call, request, body);
	if (doomed) {
		call->fault = FAULT_STALE_ON_REUSE;
		call_end(call, CALL_FIN, JOURNAL_FAULT);
	}
	record_fault(call);
}
