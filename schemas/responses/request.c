/* SPDX-License-Identifier: MIT */
/* Reading a Responses request; request.h holds the contract. */
#include "schemas/responses/request.h"

#include "schemas/finding_json.h"
#include "schemas/openai/request.h"
#include "schemas/responses/conversation.h"
#include "schemas/responses/dialect.h"
#include "schemas/responses/echo.h"
#include "schemas/responses/to_chat.h"

enum { CHAT_FACTOR = 4, CHAT_MORE = 65536 /* bytes that a chat request may have besides */ };

static bool run_out(struct findings *findings)
{
	finding_only(findings, (struct finding){.code = ERROR_OVERLOADED});
	return false;
}

/* Refuses an input of which nothing is left. */
static bool refuse_input(struct findings *findings)
{
	finding_only(findings, (struct finding){.code = ERROR_INVALID_VALUE,
						.message = SPAN("input has no item that a chat can carry"),
						.param = SPAN("input"),
						.loc = SPAN("[\"body\",\"input\"]")});
	return false;
}

/* Writes the chat request into the arena. False with findings. */
static bool write_chat(const struct request *request, const struct json *json, const struct responses_request *typed,
		       struct arena *arena, struct dropped *dropped, struct findings *findings, struct span *chat)
{
	struct buf out;
	buf_init(&out, json->text.len * CHAT_FACTOR + CHAT_MORE);
	buf_charge(&out, request->party);
	struct responses_to_chat to = {.json = json,
				       .typed = typed,
				       .arena = arena,
				       .out = &out,
				       .dropped = dropped,
				       .keeps = request->memory != NULL};
	responses_write_chat(&to);
	*chat = buf_failed(&out) ? (struct span){NULL, 0} : arena_copy(arena, buf_span(&out));
	buf_fini(&out);
	if (chat->at == NULL)
		return run_out(findings);
	return to.messages > 0 || refuse_input(findings);
}

/* Decodes a body whose input is the whole conversation. previous: the id of the answer that it goes on from, as JSON
 * text. */
static bool decode_whole(struct request *request, struct arena *arena, const struct json *json,
			 const struct responses_request *typed, struct span previous, const struct json_limits *limits,
			 struct findings *findings)
{
	struct span chat;
	struct dropped *dropped = arena_zalloc(arena, 1, sizeof(*dropped));
	request->dropped = dropped;
	request->echo = responses_echo_of(request, json, typed, previous, arena);
	if (dropped == NULL || request->echo == NULL)
		return run_out(findings);
	return write_chat(request, json, typed, arena, dropped, findings, &chat) &&
	       openai_request_decode(request, ENDPOINT_CHAT, arena, chat, limits, findings);
}

static bool read_body(struct json *json, struct responses_request *typed, struct arena *arena, struct span body,
		      const struct json_limits *limits, struct findings *findings)
{
	struct json_error error;
	if (!json_parse_within(json, arena, body, limits, &error)) {
		*typed = (struct responses_request){.model = {.node = JSON_NONE}};
		finding_of_json(findings, arena, json, &error, limits);
		return false;
	}
	return field_read(json, &responses_request_fields, "body", arena, typed, findings) ||
	       (arena_failed(arena) && run_out(findings));
}

bool responses_request_decode(struct request *request, struct arena *arena, struct span body,
			      const struct json_limits *limits, struct findings *findings)
{
	struct json json;
	struct responses_request typed;
	struct span previous = SPAN("null");
	bool good = read_body(&json, &typed, arena, body, limits, findings);
	request->model = typed.model.value;
	if (good && typed.previous_response_id.node != JSON_NONE) {
		previous = json_raw(&json, typed.previous_response_id.node);
		body = responses_conversation(request->memory, request->party, &json, &typed, arena, findings);
		good = body.at != NULL && read_body(&json, &typed, arena, body, limits, findings);
	}
	/* what goes on from an answer that is kept here, or is to be kept, only Sluice understands */
	bool own = span_is(previous, "null") && (request->memory == NULL || !typed.store.value);
	if (good && own) {
		request->own_dialect = &responses_dialect;
		request->own = json;
	}
	return good && decode_whole(request, arena, &json, &typed, previous, limits, findings);
}
