/* SPDX-License-Identifier: MIT */
/* Reading a Messages request; request.h holds the contract. */
#include "schemas/anthropic/request.h"

#include "schemas/anthropic/dialect.h"
#include "schemas/anthropic/to_chat.h"
#include "schemas/finding_json.h"
#include "schemas/openai/request.h"

enum { CHAT_FACTOR = 4, CHAT_MORE = 65536 /* bytes that a chat request may have besides */ };

static bool run_out(struct findings *findings)
{
	finding_only(findings, (struct finding){.code = ERROR_OVERLOADED});
	return false;
}

/* Returns the text of the chat request in the arena; {NULL,0} with findings. */
static struct span chat_of(struct request *request, const struct json *json, const struct anthropic_messages *typed,
			   struct arena *arena, struct findings *findings)
{
	struct buf out;
	struct span text = {NULL, 0};
	struct dropped *dropped = arena_zalloc(arena, 1, sizeof(*dropped));
	buf_init(&out, json->text.len * CHAT_FACTOR + CHAT_MORE);
	buf_charge(&out, request->party);
	const struct to_chat to = {.json = json, .typed = typed, .arena = arena, .out = &out, .dropped = dropped};
	if (dropped != NULL)
		anthropic_write_chat(&to);
	if (dropped != NULL && !buf_failed(&out))
		text = arena_copy(arena, buf_span(&out));
	if (text.at == NULL)
		run_out(findings);
	buf_fini(&out);
	request->dropped = dropped;
	return text;
}

bool anthropic_request_decode(struct request *request, struct arena *arena, struct span body,
			      const struct json_limits *limits, struct findings *findings)
{
	struct json json;
	struct json_error error;
	struct anthropic_messages typed;
	if (!json_parse_within(&json, arena, body, limits, &error)) {
		finding_of_json(findings, arena, &json, &error, limits);
		return false;
	}
	bool good = field_read(&json, &anthropic_messages_fields, "body", arena, &typed, findings);
	request->model = typed.model.value;
	if (!good)
		return arena_failed(arena) ? run_out(findings) : false;
	request->own_dialect = &anthropic_dialect;
	request->own = json;
	struct span chat = chat_of(request, &json, &typed, arena, findings);
	return chat.at != NULL && openai_request_decode(request, ENDPOINT_CHAT, arena, chat, limits, findings);
}
