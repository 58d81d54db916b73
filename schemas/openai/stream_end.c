/* SPDX-License-Identifier: MIT */
/* [DONE] of a backend; stream_end.h holds the contract. */
#include "schemas/openai/stream_end.h"

bool openai_ends_stream(struct span data)
{
	while (data.len > 0 && data.at[data.len - 1] == ' ')
		data.len--;
	return span_is(data, "[DONE]");
}
