/* SPDX-License-Identifier: MIT */
/*
 * Backends of another dialect than the request's, which is the one that plans, caches and flights work in: the request
 * is written anew (target_writing.c), and so is each event of a stream, or the whole answer. Where the client itself
 * speaks the backend's dialect, the backend's own bytes go up beside that, and nothing of them is lost.
 */
#include "schemas/assembly.h"
#include "schemas/dialect.h"
#include "schemas/dropped.h"
#include "service/plan/target.h"

enum { TRANSLATED_FACTOR = 8, TRANSLATED_MORE = 65536 /* of an event, what a chunk has around it included */ };

bool target_serves_own(const struct target_run *target)
{
	return target->run.context->request->own_dialect == target->run.plan->dialect;
}

/* ---- requests ---- */

static void fail_misfit(struct target_run *target, struct span member)
{
	struct arena *arena = target->run.context->arena;
	const char *name = target->target->target, *dialect = target->run.plan->dialect->name;
	struct failure failure = failure_make(FAILURE_UNSUPPORTED, ERROR_UNSUPPORTED_PARAMETER);
	failure.param = member;
	failure.message =
	    member.at == NULL
		? arena_printf(arena, "The dialect of the backend, %s, has no such operation. (%s)", dialect, name)
		: arena_printf(arena, "The dialect of the backend, %s, has nothing for this value of `%.*s`. (%s)",
			       dialect, SPAN_ARG(member), name);
	target_fail_late(target, &failure);
}

/* What is left out, by commas. */
static struct failure lossy_failure(struct target_run *target, struct span paths)
{
	struct failure failure = failure_make(FAILURE_UNSUPPORTED, ERROR_UNSUPPORTED_PARAMETER);
	const char *comma = memchr(paths.at, ',', paths.len);
	failure.param = (struct span){paths.at, comma == NULL ? paths.len : (size_t)(comma - paths.at)};
	failure.message =
	    arena_printf(target->run.context->arena,
			 "The backend cannot be told all of the request (dialects.lossy, x-sluice-lossy): "
			 "%.*s. (%s)",
			 SPAN_ARG(paths), target->target->target);
	return failure;
}

bool target_is_told_all(struct target_run *target, struct failure *failure)
{
	if (!target->run.context->request->refuses_losses || target->origin.dropped.at == NULL)
		return true;
	*failure = lossy_failure(target, target->origin.dropped);
	return false;
}

/* False: something of the client's request was left out when it was read, which must not be. */
static bool is_read_whole(struct target_run *target)
{
	const struct request *request = target->run.context->request;
	const struct dropped *dropped = request->dropped;
	if (!request->refuses_losses || dropped == NULL || dropped->count == 0 || target_serves_own(target))
		return true;
	const struct failure failure = lossy_failure(target, dropped_text(dropped, target->run.context->arena));
	target_fail_late(target, &failure);
	return false;
}

bool target_fits(struct target_run *target)
{
	const struct dialect *dialect = target->run.plan->dialect;
	const struct request *request = target->run.context->request;
	struct span member = {NULL, 0};
	bool fits = dialect->endpoint_path(request->endpoint) != NULL;
	if (!is_read_whole(target))
		return false;
	if (!target_is_foreign(target))
		return true;
	if (fits)
		member = dialect->request_misfit(request);
	if (fits && member.at == NULL)
		return true;
	fail_misfit(target, member);
	return false;
}

/* ---- streams ---- */

bool target_reads(struct target_run *target, const struct dialect *dialect)
{
	target->reads = dialect;
	target->stream = arena_alloc(target->run.context->arena, dialect->stream_size);
	if (target->stream != NULL)
		dialect->stream_begin(target->stream, target->run.context->request->endpoint);
	return target->stream != NULL;
}

void target_translation_begin(struct target_run *target)
{
	target->origin.dialect = target->run.plan->dialect;
	size_t event = target->run.context->worker->config->limits.event;
	buf_init(&target->translated, event * TRANSLATED_FACTOR + TRANSLATED_MORE);
	buf_init(&target->own, event * 2);
	buf_charge(&target->translated, target->run.context->party);
	buf_charge(&target->own, target->run.context->party);
}

/* Returns whether the bytes that come go up as they are: not when they are put together, nor when they are a stream
 * that was made of a whole answer. */
static bool passes_own(const struct target_run *target)
{
	return target_serves_own(target) && target->collection == NULL && target->reads == target->run.plan->dialect;
}

enum error_code target_keep_own(struct target_run *target, struct span raw)
{
	if (!passes_own(target))
		return ERROR_NONE;
	if (target->own_given)
		buf_reset(&target->own);
	target->own_given = false;
	if (buf_len(&target->own) + raw.len > target->own.ceiling)
		return ERROR_UPSTREAM_TOO_LARGE;
	return buf_append(&target->own, raw) ? ERROR_NONE : ERROR_OVERLOADED;
}

void target_give_own(struct target_run *target)
{
	if (!passes_own(target))
		return;
	if (target->own_given)
		buf_reset(&target->own);
	target->origin.bytes = buf_span(&target->own);
	target->own_given = true;
}

static void write_event(struct target_run *target, const struct answer_reading *reading, struct buf *out)
{
	const struct run_context *context = target->run.context;
	const struct request *request = context->request;
	struct answer_identity identity = reading->told->identity;
	if (identity.created < 0)
		identity.created = context->created;
	if (reading->told->deltas.choices == 0)
		request->dialect->usage_event_write(out, request->endpoint, &identity, &reading->usage);
	else
		request->dialect->event_write(out, request->endpoint, &identity, &reading->told->deltas);
}

struct event target_translate_event(struct target_run *target, const struct answer_reading *reading)
{
	struct event event = {.kind = EVENT_CHUNK, .carries = reading->carries, .usage = reading->usage};
	buf_reset(&target->translated);
	write_event(target, reading, &target->translated);
	event.data = buf_span(&target->translated);
	return event;
}

/* ---- whole answers ---- */

bool target_translate_answer(const struct answer_translation *translation, struct answer_reading *reading,
			     bool *exhausted)
{
	struct assembly assembly;
	struct answer_identity identity = reading->told->identity;
	if (identity.created < 0)
		identity.created = translation->created;
	assembly_init(&assembly, translation->out->ceiling);
	assembly_charge(&assembly, translation->party);
	assembly_add(&assembly, &reading->told->deltas);
	bool written = translation->to->answer_write(&assembly, translation->endpoint, &identity, &reading->usage,
						     translation->out);
	*exhausted = assembly.exhausted || buf_failed(translation->out);
	assembly_fini(&assembly);
	return written && !*exhausted;
}
