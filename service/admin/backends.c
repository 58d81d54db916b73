/* SPDX-License-Identifier: MIT */
/* GET /admin/backends: what health knows about each backend and its targets. */
#include "service/admin/admin.h"

#include "lib/json_write.h"
#include "service/health/health.h"
#include "service/health/limit.h"

enum { TENANTS_MOST = 100 }; /* of a target */

/* ,"key":12.345 in milliseconds */
static void write_ms(struct buf *out, const char *key, uint64_t microseconds)
{
	buf_printf(out, ",\"%s\":%llu.%03llu", key, (unsigned long long)(microseconds / 1000),
		   (unsigned long long)(microseconds % 1000));
}

/* ,"key":"text" or null; text: NULL or empty = null */
static void write_text(struct buf *out, const char *key, const char *text)
{
	buf_printf(out, ",\"%s\":", key);
	json_write_string_or_null(out, text == NULL || *text == '\0' ? (struct span){NULL, 0} : span_of(text));
}

static void write_breaker(struct buf *out, const struct health_report *report)
{
	write_text(out, "reason", health_reason_name(report->view.reason));
	write_ms(out, "wait_ms", report->view.wait_us);
	write_text(out, "operation", health_operation_name(report->operation));
	write_text(out, "breaker", health_breaker_name(report->breaker));
	write_text(out, "why", report->why);
	write_text(out, "last_error", error_row(report->last)->code);
	write_ms(out, "next_probe_ms", report->next_probe_us);
	buf_printf(out, ",\"opened\":%u,\"outcomes\":%u,\"failed\":%u", report->opened, report->outcomes,
		   report->failed);
	write_ms(out, "cooling_ms", report->cooling_us);
	buf_printf(out, ",\"probed_down\":%s", report->probed_down ? "true" : "false");
}

static void write_load(struct buf *out, const struct health_view *view)
{
	buf_printf(out, ",\"running\":%u", view->running);
	if (view->latency_us == 0)
		write_text(out, "latency_ms", NULL);
	else
		write_ms(out, "latency_ms", view->latency_us);
	buf_printf(out, ",\"share\":%.3f", view->share);
}

/* ,"tenants":[…] */
static void write_tenants(struct buf *out, struct limit *limit)
{
	struct queue_tenant_report tenants[TENANTS_MOST];
	size_t count = limit_report_tenants(limit, tenants, TENANTS_MOST);
	buf_append(out, SPAN(",\"tenants\":["));
	for (size_t i = 0; i < count; i++) {
		const struct queue_tenant_report *tenant = &tenants[i];
		buf_append(out, i > 0 ? SPAN(",{\"id\":") : SPAN("{\"id\":"));
		json_write_string(out, span_of(tenant->path));
		buf_printf(out, ",\"weight\":%u,\"share\":%.3f,\"running\":%zu,\"waiting\":%zu}", tenant->weight,
			   tenant->share, tenant->running, tenant->waiting);
	}
	buf_append(out, SPAN("]"));
}

/* limit: NULL = there is none. */
static void write_queue(struct buf *out, struct limit *limit)
{
	struct limit_report report;
	if (limit == NULL) {
		write_text(out, "queue", NULL);
		return;
	}
	limit_report(limit, &report);
	buf_printf(out, ",\"queue\":{\"limit\":%u,\"running\":%u,\"waiting\":%u", report.limit, report.running,
		   report.waiting);
	write_tenants(out, limit);
	buf_append(out, SPAN("}"));
}

/* Returns how many calls run there. */
static unsigned write_target(struct buf *out, const struct admin_request *request, size_t index)
{
	const struct config_target *target = &request->config->targets[index];
	struct health_report report;
	health_report(request->health, index, request->now_us, &report);
	buf_append(out, SPAN("{\"id\":"));
	json_write_string(out, span_of(target->name));
	write_text(out, "object", "target");
	write_text(out, "model", target->model);
	write_breaker(out, &report);
	write_load(out, &report.view);
	write_queue(out, request->limits == NULL ? NULL : request->limits[index]);
	buf_append(out, SPAN("}"));
	return report.view.running;
}

static void write_backend(struct buf *out, const struct admin_request *request, size_t index)
{
	const struct config *config = request->config;
	const struct config_backend *backend = &config->backends[index];
	const char *between = "";
	unsigned running = 0;
	buf_append(out, SPAN("{\"id\":"));
	json_write_string(out, span_of(backend->name));
	buf_append(out, SPAN(",\"object\":\"backend\",\"targets\":["));
	for (size_t i = 0; i < config->target_count; i++) {
		if (config->targets[i].backend != backend)
			continue;
		buf_append(out, span_of(between));
		running += write_target(out, request, i);
		between = ",";
	}
	buf_printf(out, "],\"running\":%u,\"retries\":%u}", running, health_extra(request->health, index));
}

void admin_backends(const struct admin_request *request, struct admin_answer *answer)
{
	struct buf *out = &answer->body;
	buf_append(out, SPAN("{\"object\":\"list\",\"data\":["));
	for (size_t i = 0; i < request->config->backend_count; i++) {
		if (i > 0)
			buf_append(out, SPAN(","));
		write_backend(out, request, i);
	}
	buf_append(out, SPAN("]}"));
}
