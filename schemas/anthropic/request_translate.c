/* SPDX-License-Identifier: MIT */
/* Requests for backends; request_translate.h holds the contract. */
#include "schemas/anthropic/request_translate.h"

#include <inttypes.h>

#include "lib/json_edit.h"
#include "lib/json_write.h"
#include "schemas/anthropic/dialect.h"
#include "schemas/anthropic/from_chat.h"

struct span anthropic_request_misfit(const struct request *request)
{
	return request->choices > 1 ? SPAN("n") : (struct span){NULL, 0};
}

/* Writes how the answer began behind the messages. */
static void splice_messages(struct json_edit *edit, uint32_t messages, const struct request_splice *splice)
{
	json_edit_copy_to(edit, (size_t)edit->json->nodes[messages].end - 1);
	buf_append(edit->out, SPAN(",{\"role\":\"assistant\",\"content\":"));
	json_write_string(edit->out, splice->prefill);
	buf_append(edit->out, SPAN("}"));
}

static void splice_limit(struct json_edit *edit, uint32_t node, int64_t spent)
{
	int64_t most = 0;
	if (!json_int(edit->json, node, &most))
		return;
	json_edit_replace(edit, node);
	buf_printf(edit->out, "%" PRId64, most > spent ? most - spent : 1);
}

static void write_own(const struct translation *to)
{
	const struct json *json = &to->request->own;
	const struct request_splice *splice = to->splice;
	bool prefill = splice->prefill.at != NULL;
	struct json_edit edit = json_edit_start(json, to->out);
	for (uint32_t at = json_first(json, 0); at != JSON_NONE; at = json_next(json, 0, at)) {
		if (json_string_is(json, at, "model")) {
			json_edit_replace(&edit, at + 1);
			json_write_string(to->out, splice->model);
		} else if (prefill && json_string_is(json, at, "messages")) {
			splice_messages(&edit, at + 1, splice);
		} else if (prefill && json_string_is(json, at, "max_tokens")) {
			splice_limit(&edit, at + 1, splice->spent);
		}
	}
	buf_append(to->out, json_edit_rest(&edit));
}

void anthropic_request_translate(const struct translation *translation)
{
	if (translation->request->own_dialect == &anthropic_dialect)
		write_own(translation);
	else
		anthropic_write_from_chat(translation);
}

size_t anthropic_splice_growth(const struct request_splice *splice)
{
	enum { GROWTH_MEMBERS = 65536, GROWTH_ESCAPED = 6 };
	return (splice->model.len + splice->prefill.len) * GROWTH_ESCAPED + GROWTH_MEMBERS;
}
