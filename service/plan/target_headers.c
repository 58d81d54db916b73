/* SPDX-License-Identifier: MIT */
/*
 * The header fields that a backend receives. They are an allow-list: the fields of a client are dropped, but for what
 * is listed here. Credentials and the fields of the connection are the backend's own (clients/http/request_head.c).
 */
#include "service/plan/target.h"

#include <inttypes.h>

/* How often the client asked before plus our own repetitions, as the SDKs count; {NULL,0} when neither is known. */
static struct span retry_count(const struct run_context *context)
{
	int64_t before = context->retries_before < 0 ? 0 : context->retries_before;
	if (context->retries_before < 0 && context->shared->retries == 0)
		return (struct span){NULL, 0};
	return arena_printf(context->arena, "%" PRId64, before + context->shared->retries);
}

size_t target_headers(const struct target_run *target, struct http_field fields[TARGET_FIELDS_MOST])
{
	const struct run_context *context = target->run.context;
	struct span retries = retry_count(context);
	size_t count = 0;
	fields[count++] = (struct http_field){SPAN("x-request-id"), context->request_id};
	if (context->traceparent.len != 0)
		fields[count++] = (struct http_field){SPAN("traceparent"), context->traceparent};
	if (retries.at != NULL)
		fields[count++] = (struct http_field){SPAN("x-stainless-retry-count"), retries};
	if (target_serves_own(target) && context->request->own_options.len > 0)
		fields[count++] =
		    (struct http_field){target->run.plan->dialect->options_field, context->request->own_options};
	return count;
}
