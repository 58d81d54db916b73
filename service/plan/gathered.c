/* SPDX-License-Identifier: MIT */
/* The usage of several answers; see gathered.h. */
#include "service/plan/gathered.h"

bool gathered_usage(const struct run_context *context, const struct usage *usage, struct buf *out, struct event *event)
{
	if (usage->total_tokens < 0 && usage->completion_tokens < 0)
		return false;
	*event = (struct event){.kind = EVENT_USAGE, .usage = *usage};
	buf_reset(out);
	openai_usage_chunk_write(out, context->request->endpoint, context->id, context->request->model,
				 context->created, usage);
	event->data = buf_span(out);
	if (!context->request->include_usage)
		return true;
	event->kind = EVENT_CHUNK;
	event->carries = CARRIES_USAGE | CARRIES_NO_CHOICE;
	return true;
}
