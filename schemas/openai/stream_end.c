/* SPDX-License-Identifier: MIT */
/* [DONE], written and recognised; stream_end.h holds the contract. */
#include "schemas/openai/stream_end.h"

#define STREAM_END_DATA "[DONE]"

void openai_stream_end_write(struct buf *out)
{
	buf_append(out, SPAN("data: " STREAM_END_DATA "\n\n"));
}

bool openai_ends_stream(struct span data)
{
	while (data.len > 0 && data.at[data.len - 1] == ' ')
		data.len--;
	return span_is(data, STREAM_END_DATA);
}
