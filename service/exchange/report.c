/* SPDX-License-Identifier: MIT */
/* One log line and a handful of counts per exchange. */
#include "service/exchange/report.h"

#include "lib/log.h"
#include "lib/random.h"
#include "schemas/operations.h"
#include "service/access/key_metrics.h"

enum { REQUEST_ID_MAX = 128 };

static bool is_harmless(struct span id)
{
	for (size_t i = 0; i < id.len; i++) {
		char c = id.at[i];
		if (c <= ' ' || c > '~' || c == '"' || c == '\\')
			return false;
	}
	return id.len > 0 && id.len <= REQUEST_ID_MAX;
}

struct span exchange_request_id(struct span offered, struct arena *arena)
{
	char id[] = "req_0123456789abcdef0123456789abcdef";
	if (is_harmless(offered))
		return arena_copy(arena, offered);
	random_hex(id + 4, 16);
	return arena_copy(arena, span_of(id));
}

int64_t exchange_read_count(struct span text)
{
	int64_t report_count = text.len == 0 || text.len > 4 ? -1 : 0;
	for (size_t i = 0; i < text.len && report_count >= 0; i++)
		report_count = text.at[i] < '0' || text.at[i] > '9' ? -1 : report_count * 10 + (text.at[i] - '0');
	return report_count;
}

const char *const report_endpoints[REPORT_ENDPOINTS] = {
    [ENDPOINT_CHAT] = "chat",   [ENDPOINT_COMPLETIONS] = "completions", [ENDPOINT_EMBEDDINGS] = "embeddings",
    [REPORT_FANOUT] = "fanout", [REPORT_MESSAGES] = "messages",         [REPORT_RESPONSES] = "responses"};

static const enum operation report_operations[REPORT_ENDPOINTS] = {[ENDPOINT_CHAT] = OPERATION_CHAT,
								   [ENDPOINT_COMPLETIONS] = OPERATION_COMPLETIONS,
								   [ENDPOINT_EMBEDDINGS] = OPERATION_EMBEDDINGS,
								   [REPORT_FANOUT] = OPERATION_FANOUT,
								   [REPORT_MESSAGES] = OPERATION_MESSAGES,
								   [REPORT_RESPONSES] = OPERATION_RESPONSES};

unsigned report_endpoint_of(const struct dialect *dialect)
{
	for (unsigned i = ENDPOINT_COUNT; i < REPORT_ENDPOINTS; i++)
		if (operation_row(report_operations[i])->dialect == dialect)
			return i;
	return ENDPOINT_CHAT;
}

static void note_usage(struct report *report, const struct event *event)
{
	bool told = event->kind == EVENT_USAGE || event->kind == EVENT_BODY || (event->carries & CARRIES_USAGE) != 0;
	if (told && (event->usage.total_tokens >= 0 || event->usage.prompt_tokens >= 0))
		report->usage = event->usage;
}

void report_content(struct report *report, const struct event *event, uint64_t now)
{
	if (report->first_content_us == 0 &&
	    (event->kind == EVENT_BODY || (event->kind == EVENT_CHUNK && (event->carries & CARRIES_CONTENT) != 0)))
		report->first_content_us = now;
}

static void report_event(struct exchange_observer *observer, const struct event *event, bool relayed, uint64_t now_us)
{
	struct report *report = (struct report *)observer;
	if (relayed && event->kind == EVENT_CHUNK)
		report->events++;
	note_usage(report, event);
	report_content(report, event, now_us);
}

static const enum metrics_cache cache_labels[] = {
    [CACHE_RESULT_HIT] = METRICS_CACHE_HIT,
    [CACHE_RESULT_STALE] = METRICS_CACHE_STALE,
    [CACHE_RESULT_MISS] = METRICS_CACHE_MISS,
    [CACHE_RESULT_PARTIAL] = METRICS_CACHE_PARTIAL,
    [CACHE_RESULT_COLLAPSED] = METRICS_CACHE_COLLAPSED,
    [CACHE_RESULT_BYPASS] = METRICS_CACHE_BYPASS,
};

static void report_count(const struct report *report, uint64_t now)
{
	struct metrics_cells *metrics = report->metrics;
	size_t model = report->model == NULL ? METRICS_UNKNOWN : report->model_index;
	metrics_move(metrics, -1, METRIC_EXCHANGES);
	metrics_count(metrics, METRIC_REQUESTS, model, report->endpoint, report->error);
	metrics_observe(metrics, now - report->started_us, METRIC_REQUEST_DURATION, report->endpoint);
	if (report->first_content_us != 0)
		metrics_observe(metrics, report->first_content_us - report->started_us, METRIC_FIRST_CONTENT,
				report->endpoint);
	if (report->cache != CACHE_RESULT_NONE)
		metrics_count(metrics, METRIC_CACHE_REQUESTS, model, cache_labels[report->cache]);
	if (report->error != ERROR_NONE)
		metrics_count(metrics, METRIC_ERRORS, report->error);
	if (report->events > 0)
		metrics_add(metrics, report->events, METRIC_STREAM_EVENTS);
	metrics_count_tokens(metrics, model, report->usage.prompt_tokens, report->usage.completion_tokens);
	key_metrics_count(metrics, report->key_number, report->error);
	key_metrics_count_tokens(metrics, report->key_number, report->usage.prompt_tokens,
				 report->usage.completion_tokens);
}

static void tell_usage(struct log_line *line, const struct usage *usage)
{
	if (usage->prompt_tokens >= 0)
		log_int(line, "prompt_tokens", usage->prompt_tokens);
	if (usage->completion_tokens >= 0)
		log_int(line, "completion_tokens", usage->completion_tokens);
}

/* A refusal says what was asked in full. */
static void tell_operation(struct log_line *line, const struct report *report)
{
	const struct operation_row *row = operation_row(report_operations[report->endpoint]);
	if (error_row(report->error)->blame != BLAME_CLIENT)
		return;
	log_str(line, "method", span_of(row->method));
	log_str(line, "path", span_of(row->path));
}

/* Counts the exchange and writes its log line. */
static void report_end(struct exchange_observer *observer, uint64_t now)
{
	const struct report *report = (struct report *)observer;
	struct log_line line;
	const struct error_row *row = error_row(report->error);
	report_count(report, now);
	log_begin(&line, row->blame == BLAME_BACKEND || row->blame == BLAME_GATEWAY ? LOG_WARN : LOG_INFO, "exchange");
	log_str(&line, "request_id", report->request_id);
	if (report->key != NULL)
		log_str(&line, "key", span_of(report->key));
	log_str(&line, "endpoint", span_of(report_endpoints[report->endpoint]));
	tell_operation(&line, report);
	log_int(&line, "http", report->http_version);
	if (report->model != NULL || report->requested.at != NULL)
		log_str(&line, "model", report->model != NULL ? span_of(report->model->name) : report->requested);
	if (report->target != NULL)
		log_str(&line, "target", span_of(report->target));
	log_int(&line, "status", report->error == ERROR_CLIENT_CLOSED ? row->status : report->status);
	if (report->error != ERROR_NONE)
		log_str(&line, "error", span_of(row->code));
	if (report->cache != CACHE_RESULT_NONE)
		log_str(&line, "cache", span_of(metrics_cache_name(cache_labels[report->cache])));
	log_int(&line, "attempts", report->attempts);
	if (report->retries_before > 0)
		log_int(&line, "client_retry", report->retries_before);
	log_ms(&line, "duration_ms", now - report->started_us);
	if (report->first_content_us != 0)
		log_ms(&line, "first_content_ms", report->first_content_us - report->started_us);
	log_int(&line, "events", (int64_t)report->events);
	log_int(&line, "bytes", (int64_t)report->bytes);
	tell_usage(&line, &report->usage);
	log_end(&line);
}

void report_open(struct report *report, unsigned endpoint, int http_version, struct metrics_cells *metrics,
		 uint64_t now)
{
	static const struct exchange_observer_ops ops = {.on_event = report_event, .on_end = report_end};
	*report = (struct report){.observer = {.ops = &ops},
				  .metrics = metrics,
				  .endpoint = endpoint,
				  .http_version = http_version,
				  .retries_before = -1,
				  .cache = CACHE_RESULT_NONE,
				  .started_us = now,
				  .usage = USAGE_UNKNOWN};
	metrics_move(metrics, 1, METRIC_EXCHANGES);
}

void report_refusal(struct metrics_cells *metrics, const struct report_refused *refused)
{
	struct log_line line;
	const struct error_row *row = error_row(refused->error);
	metrics_count(metrics, METRIC_REQUESTS, METRICS_UNKNOWN, METRICS_UNKNOWN, refused->error);
	metrics_count(metrics, METRIC_ERRORS, refused->error);
	key_metrics_count(metrics, refused->key_number, refused->error);
	log_begin(&line, LOG_INFO, "refused");
	log_str(&line, "request_id", refused->request_id);
	if (refused->key != NULL)
		log_str(&line, "key", span_of(refused->key));
	if (refused->method.at != NULL)
		log_str(&line, "method", refused->method);
	if (refused->path.at != NULL)
		log_str(&line, "path", refused->path);
	log_int(&line, "http", refused->http_version);
	if (refused->requested.at != NULL)
		log_str(&line, "model", refused->requested);
	log_int(&line, "status", row->status);
	log_str(&line, "error", span_of(row->code));
	log_end(&line);
}
