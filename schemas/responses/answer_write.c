/* SPDX-License-Identifier: MIT */
/* The response object; answer_write.h holds the contract. */
#include "schemas/responses/answer_write.h"

#include "lib/decimal.h"
#include "lib/json_write.h"

static int64_t known(int64_t count)
{
	return count > 0 ? count : 0;
}

void responses_usage_write(struct buf *out, const struct usage *usage)
{
	int64_t input = known(usage->prompt_tokens), output = known(usage->completion_tokens);
	buf_append(out, SPAN("{\"input_tokens\":"));
	decimal_append_signed(out, input);
	buf_append(out, SPAN(",\"input_tokens_details\":{\"cached_tokens\":"));
	decimal_append_signed(out, known(usage->cache_read));
	buf_append(out, SPAN("},\"output_tokens\":"));
	decimal_append_signed(out, output);
	buf_append(out, SPAN(",\"output_tokens_details\":{\"reasoning_tokens\":0},\"total_tokens\":"));
	decimal_append_signed(out, usage->total_tokens >= 0 ? usage->total_tokens : input + output);
	buf_append(out, SPAN("}"));
}

static void write_items(struct buf *out, const struct responses_answer *answer)
{
	const struct responses_item *first = answer->items == NULL ? NULL : answer->items->first;
	buf_append(out, SPAN(",\"output\":["));
	for (const struct responses_item *at = first; at != NULL; at = at->next) {
		buf_append(out, at == first ? SPAN("") : SPAN(","));
		responses_item_write(out, answer->echo, at, false);
	}
	buf_append(out, SPAN("]"));
}

static void write_error(struct buf *out, const struct error_told *error)
{
	buf_append(out, SPAN(",\"error\":"));
	if (error == NULL) {
		buf_append(out, SPAN("null"));
		return;
	}
	buf_append(out, SPAN("{\"message\":"));
	json_write_string(out, error_message(error));
	error_write_members(out, error);
	buf_append(out, SPAN("}"));
}

void responses_answer_write(struct buf *out, const struct responses_answer *answer)
{
	buf_append(out, SPAN("{\"id\":"));
	json_write_string(out, answer->echo->id);
	buf_append(out, SPAN(",\"object\":\"response\",\"created_at\":"));
	decimal_append_signed(out, answer->created);
	buf_append(out, SPAN(",\"status\":\""));
	buf_append(out, span_of(answer->status));
	buf_append(out, SPAN("\",\"completed_at\":"));
	if (answer->completed >= 0)
		decimal_append_signed(out, answer->completed);
	else
		buf_append(out, SPAN("null"));
	write_error(out, answer->error);
	buf_append(out, SPAN(",\"incomplete_details\":"));
	if (answer->incomplete == NULL)
		buf_append(out, SPAN("null"));
	else
		buf_printf(out, "{\"reason\":\"%s\"}", answer->incomplete);
	buf_append(out, SPAN(",\"model\":"));
	json_write_string(out, answer->model);
	write_items(out, answer);
	buf_append(out, SPAN(",\"usage\":"));
	if (answer->usage == NULL || !usage_is_known(answer->usage))
		buf_append(out, SPAN("null"));
	else
		responses_usage_write(out, answer->usage);
	buf_append(out, answer->echo->members);
	buf_append(out, SPAN("}"));
}
