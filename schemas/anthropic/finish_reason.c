/* SPDX-License-Identifier: MIT */
/* Words for the end of a message; finish_reason.h holds the contract. */
#include "schemas/anthropic/finish_reason.h"

#include <stddef.h>

struct span anthropic_finish_reason(struct span reason)
{
	static const struct {
		struct span reason, finish;
	} words[] = {
	    {SPAN_INIT("end_turn"), SPAN_INIT("stop")},
	    {SPAN_INIT("stop_sequence"), SPAN_INIT("stop")},
	    {SPAN_INIT("max_tokens"), SPAN_INIT("length")},
	    {SPAN_INIT("tool_use"), SPAN_INIT("tool_calls")},
	    {SPAN_INIT("refusal"), SPAN_INIT("content_filter")},
	    {SPAN_INIT("model_context_window_exceeded"), SPAN_INIT("length")},
	};
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (span_equal(reason, words[i].reason))
			return words[i].finish;
	return reason;
}
