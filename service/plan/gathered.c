/* SPDX-License-Identifier: MIT */
/* The usage of several answers; see gathered.h. */
#include "service/plan/gathered.h"

#include "schemas/dialect.h"

bool gathered_usage(const struct run_context *context, const struct usage *usage, struct buf *out, struct event *event)
{
	if (usage->total_tokens < 0 && usage->completion_tokens < 0)
		return false;
	const struct dialect *dialect = context->request->dialect;
	struct answer_identity identity = {
	    .id = context->id, .model = context->request->model, .created = context->created};
	*event = (struct event){.kind = EVENT_USAGE, .dialect = dialect, .usage = *usage};
	buf_reset(out);
	dialect->usage_event_write(out, context->request->endpoint, &identity, usage);
	event->data = buf_span(out);
	if (!context->request->include_usage)
		return true;
	event->kind = EVENT_CHUNK;
	event->carries = CARRIES_USAGE | CARRIES_NO_CHOICE;
	return true;
}
