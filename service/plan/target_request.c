/* SPDX-License-Identifier: MIT */
/*
 * The request of a target: the client's own body with the target's model name, or one that asks for the same in the
 * backend's dialect.
 * target_headers.c has the header fields.
 */
#include "service/plan/target.h"

#include "schemas/dialect.h"

static enum prefill_form prefill_form(const struct config_backend *backend)
{
	switch (backend->prefill) {
	case CONFIG_PREFILL_CONTINUE:
		return PREFILL_FORM_CONTINUE;
	case CONFIG_PREFILL_PREFIX:
		return PREFILL_FORM_PREFIX;
	default:
		return PREFILL_FORM_MESSAGE;
	}
}

static struct request_splice target_splice(const struct target_run *target)
{
	const struct run_resumption *resumption = target->run.context->resumption;
	struct request_splice splice = {.model = span_of(target->target->target_model),
					.ask_usage = target->asked_usage,
					.form = prefill_form(target->target->backend)};
	if (resumption != NULL) {
		splice.prefill = resumption->prefill;
		splice.spent = resumption->spent;
	}
	return splice;
}

size_t target_request_most(const struct target_run *target)
{
	struct request_splice splice = target_splice(target);
	const struct request *request = target->run.context->request;
	if (target_is_foreign(target)) /* what is told in more words is small */
		return 2 * (request->json.text.len + request->own.text.len) +
		       target->run.plan->dialect->splice_growth(&splice);
	return request->json.text.len + request->dialect->splice_growth(&splice);
}

/* Writes the request; one that was translated before, or by a helper, is there. *tail: what of it is not copied. False:
 * memory ran out, or it must not leave out what it does. */
static bool target_write(struct target_run *target, struct span *tail)
{
	const struct run_context *context = target->run.context;
	struct request_splice splice = target_splice(target);
	struct failure failure;
	bool good = true;
	if (!target_is_foreign(target)) {
		buf_reset(&target->request);
		*tail = context->request->dialect->request_splice(context->request, &splice, &target->request);
	} else if (buf_len(&target->request) == 0) {
		good = target_write_request(target, &splice);
	}
	return good && !buf_failed(&target->request) && !arena_failed(context->arena) &&
	       target_is_told_all(target, &failure);
}

bool target_prepare_apart(struct target_run *target)
{
	struct request_splice splice = target_splice(target);
	return target_is_foreign(target) && target_write_apart(target, &splice);
}

bool target_call_start(struct target_run *target)
{
	struct run_context *context = target->run.context;
	const struct request *request = context->request;
	struct http_field extra[TARGET_FIELDS_MOST];
	size_t count = target_headers(target, extra);
	struct span tail = {NULL, 0};
	if (!target_write(target, &tail))
		return false;
	struct http_call_request call = {.path = target->run.plan->dialect->endpoint_path(request->endpoint),
					 .body = buf_span(&target->request),
					 .tail = tail,
					 .party = context->party,
					 .stream = request->stream,
					 .fresh = target->resent,
					 .extra = extra,
					 .extra_count = count};
	target->call =
	    http_call_start(context->worker->origins[target_backend_index(target)], &call, &target_call_ops, target);
	if (target->call == NULL)
		return false;
	target->started = true;
	context->shared->open_calls++;
	metrics_call_started(context->worker->metrics, target_backend_index(target));
	if (target->paused)
		http_call_pause(target->call);
	return true;
}

void target_call_gone(struct target_run *target)
{
	struct run_context *context = target->run.context;
	metrics_call_gone(context->worker->metrics, target_backend_index(target));
	target->call = NULL;
	context->shared->open_calls--;
	context->shared->on_settled(context->shared);
}
