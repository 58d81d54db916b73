/* SPDX-License-Identifier: MIT */
/* Rendering of chat and text completions; answer.h holds the contract. */
#include "tools/sim/answer.h"

#include <inttypes.h>

#include "lib/json_write.h"
#include "tools/sim/escape.h"
#include "tools/sim/message.h"

enum { TOKEN_CEILING = 4 * 1024 * 1024, ESCAPED_CEILING = 32 * 1024 * 1024 };

static bool is_chat(const struct answer *answer)
{
	return answer->ask->kind == ASK_CHAT;
}

static bool is_message(const struct answer *answer)
{
	return answer->ask->kind == ASK_MESSAGES;
}

static struct span opening_make(const struct answer *answer, const struct answer_source *source, bool stream,
				struct arena *arena)
{
	const char *object = !is_chat(answer) ? "text_completion"
			     : stream         ? "chat.completion.chunk"
					      : "chat.completion";
	struct buf name;
	buf_init(&name, ESCAPED_CEILING);
	json_write_string(&name, answer->ask->name);
	struct span text =
	    arena_printf(arena,
			 "{\"id\":\"%s-%s-%" PRIu64 "\",\"object\":\"%s\",\"created\":%" PRIu64
			 ",\"model\":%.*s,\"system_fingerprint\":\"fp_%s\",\"choices\":[",
			 is_chat(answer) ? "chatcmpl" : "cmpl", source->sim_name, source->number, object,
			 UINT64_C(1700000000) + source->number, SPAN_ARG(buf_span(&name)), source->sim_name);
	buf_fini(&name);
	return text;
}

/* True when the last user message holds the word "tool" and there is a tool to call. */
static bool wants_tool(const struct ask *ask)
{
	return (ask->kind == ASK_CHAT || ask->kind == ASK_MESSAGES) && ask->tool.at != NULL && ask->prompt.len >= 4 &&
	       memmem(ask->prompt.at, ask->prompt.len, "tool", 4) != NULL;
}

/* An assistant's message at the end of the request is gone on with, when it is how the answer begins. */
static void skip_begun(struct answer *answer)
{
	struct span begun = answer->ask->begun;
	uint64_t token = 0;
	size_t at = 0;
	while (at < begun.len && token < answer->tokens) {
		buf_reset(&answer->token_text);
		model_token(&answer->token_text, &answer->model, 0, token++, at);
		struct span text = buf_span(&answer->token_text);
		if (text.len > begun.len - at || memcmp(begun.at + at, text.at, text.len) != 0)
			return;
		at += text.len;
	}
	if (at != begun.len)
		return;
	answer->begun = token;
	answer->begun_echo = at;
	answer->tokens -= token;
}

bool answer_init(struct answer *answer, const struct ask *ask, const struct knobs *knobs,
		 const struct answer_source *source, bool stream, struct arena *arena)
{
	*answer = (struct answer){.ask = ask, .number = source->number, .finish = SPAN("stop")};
	buf_init(&answer->token_text, TOKEN_CEILING);
	buf_init(&answer->escaped, ESCAPED_CEILING);
	model_init(&answer->model, ask->name, ask->prompt, knobs_get(knobs, KNOB_TOKEN_BYTES, 0), source->seed);
	answer->tokens =
	    model_token_count(&answer->model, knobs_get(knobs, KNOB_TOKENS, 64), knobs_has(knobs, KNOB_TOKENS));
	skip_begun(answer);
	answer->tool = wants_tool(ask);
	if (answer->tool)
		answer->finish = SPAN("tool_calls");
	if (ask->has_max_tokens && ask->max_tokens < answer->tokens) {
		answer->tokens = ask->max_tokens;
		answer->finish = SPAN("length");
	}
	if (knobs_has(knobs, KNOB_FINISH))
		answer->finish = knobs->text[KNOB_FINISH];
	answer->usage = ask->include_usage;
	answer->opening =
	    is_message(answer) ? message_opening(answer, source, arena) : opening_make(answer, source, stream, arena);
	return answer->opening.at != NULL;
}

void answer_fini(struct answer *answer)
{
	buf_fini(&answer->token_text);
	buf_fini(&answer->escaped);
}

uint64_t answer_total(const struct answer *answer)
{
	return answer->tokens * answer->ask->choices;
}

static void advance(struct answer *answer, bool stream, size_t token_len)
{
	answer->emitted++;
	if (stream && ++answer->choice < answer->ask->choices)
		return;
	if (stream)
		answer->choice = 0;
	answer->token++;
	if (answer->model.kind == MODEL_ECHO)
		answer->echo_at += token_len;
}

struct span answer_take_token(struct answer *answer, bool stream)
{
	buf_reset(&answer->token_text);
	model_token(&answer->token_text, &answer->model, answer->choice, answer->begun + answer->token,
		    answer->begun_echo + answer->echo_at);
	advance(answer, stream, buf_len(&answer->token_text));
	return buf_span(&answer->token_text);
}

struct span answer_take_escaped(struct answer *answer, bool stream, bool within)
{
	bool first = answer->token == 0, last = answer->token + 1 == answer->tokens;
	bool ascii = answer->model.kind == MODEL_UTF8 && (answer->begun + answer->token) % 2 == 1;
	struct span token = answer_take_token(answer, stream);
	if (!answer->tool && !model_needs_escape(&answer->model))
		return token;
	buf_reset(&answer->escaped);
	escape_json(&answer->escaped, token, ascii);
	if (!answer->tool)
		return buf_span(&answer->escaped);
	buf_reset(&answer->token_text);
	if (first)
		buf_append(&answer->token_text, SPAN("{\"text\":\""));
	buf_append(&answer->token_text, buf_span(&answer->escaped));
	if (last)
		buf_append(&answer->token_text, SPAN("\"}"));
	if (!within)
		return buf_span(&answer->token_text);
	buf_reset(&answer->escaped);
	escape_json(&answer->escaped, buf_span(&answer->token_text), false);
	return buf_span(&answer->escaped);
}

static void event_open(const struct answer *answer, struct buf *out, uint32_t choice)
{
	buf_append(out, answer->opening);
	if (choice == 0)
		buf_append(out, SPAN("{\"index\":0,"));
	else
		buf_printf(out, "{\"index\":%u,", choice);
}

static void event_close(const struct answer *answer, struct buf *out, struct span finish)
{
	buf_append(out, SPAN(",\"logprobs\":null,\"finish_reason\":"));
	json_write_string_or_null(out, finish);
	buf_append(out, SPAN("}]"));
	if (answer->usage)
		buf_append(out, SPAN(",\"usage\":null"));
	buf_append(out, SPAN("}"));
}

static const struct span no_finish = {NULL, 0};

/* The head of a tool call: what comes in front of its arguments. */
static void tool_head(const struct answer *answer, struct buf *out, uint32_t choice)
{
	buf_printf(out, "\"id\":\"call_%" PRIu64 "_%u\",\"type\":\"function\",\"function\":{\"name\":", answer->number,
		   choice);
	json_write_string(out, answer->ask->tool);
	buf_append(out, SPAN(",\"arguments\":\""));
	if (answer->tokens == 0)
		buf_append(out, SPAN("{}"));
}

void answer_event_role(struct answer *answer, struct buf *out, uint32_t choice)
{
	event_open(answer, out, choice);
	buf_append(out, SPAN("\"delta\":{"));
	if (!answer->without_role)
		buf_append(out, SPAN("\"role\":\"assistant\","));
	if (answer->tool) {
		buf_append(out, SPAN("\"content\":null,\"tool_calls\":[{"));
		if (!answer->without_index)
			buf_append(out, SPAN("\"index\":0,"));
		tool_head(answer, out, choice);
		buf_append(out, SPAN("\"}}]}"));
	} else {
		buf_append(out, SPAN("\"content\":\"\"}"));
	}
	event_close(answer, out, no_finish);
}

void answer_event_token(struct answer *answer, struct buf *out)
{
	event_open(answer, out, answer->choice);
	struct span text = answer_take_escaped(answer, true, true);
	if (!is_chat(answer)) {
		buf_append(out, SPAN("\"text\":\""));
		buf_append(out, text);
		buf_append(out, SPAN("\""));
	} else if (answer->tool) {
		buf_append(out, SPAN("\"delta\":{\"tool_calls\":[{"));
		if (!answer->without_index)
			buf_append(out, SPAN("\"index\":0,"));
		buf_append(out, SPAN("\"function\":{\"arguments\":\""));
		buf_append(out, text);
		buf_append(out, SPAN("\"}}]}"));
	} else {
		buf_append(out, SPAN("\"delta\":{\"content\":\""));
		buf_append(out, text);
		buf_append(out, SPAN("\"}"));
	}
	event_close(answer, out, no_finish);
}

void answer_event_finish(struct answer *answer, struct buf *out, uint32_t choice)
{
	event_open(answer, out, choice);
	buf_append(out, is_chat(answer) ? SPAN("\"delta\":{}") : SPAN("\"text\":\"\""));
	event_close(answer, out, answer->finish);
}

static void usage_write(const struct answer *answer, struct buf *out)
{
	uint64_t prompt = answer->ask->prompt_tokens, completion = answer_total(answer);
	buf_printf(out,
		   "\"usage\":{\"prompt_tokens\":%" PRIu64 ",\"completion_tokens\":%" PRIu64
		   ",\"total_tokens\":%" PRIu64 "}",
		   prompt, completion, prompt + completion);
}

void answer_event_usage(struct answer *answer, struct buf *out)
{
	buf_append(out, answer->opening);
	buf_append(out, SPAN("],"));
	usage_write(answer, out);
	buf_append(out, SPAN("}"));
}

static void json_choice_open(struct answer *answer, struct buf *out)
{
	if (is_message(answer)) {
		message_block_open(answer, out);
		return;
	}
	if (answer->choice > 0)
		buf_append(out, SPAN(","));
	buf_printf(out, "{\"index\":%u,", answer->choice);
	if (!is_chat(answer)) {
		buf_append(out, SPAN("\"text\":\""));
	} else if (answer->tool) {
		buf_append(out, SPAN("\"message\":{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{"));
		tool_head(answer, out, answer->choice);
	} else {
		buf_append(out, SPAN("\"message\":{\"role\":\"assistant\",\"content\":\""));
	}
}

static void json_choice_close(struct answer *answer, struct buf *out)
{
	if (is_message(answer)) {
		message_block_close(answer, out);
	} else {
		buf_append(out, !is_chat(answer) ? SPAN("\"")
				: answer->tool   ? SPAN("\"}}],\"refusal\":null}")
						 : SPAN("\",\"refusal\":null}"));
		buf_append(out, SPAN(",\"logprobs\":null,\"finish_reason\":"));
		json_write_string_or_null(out, answer->finish);
		buf_append(out, SPAN("}"));
	}
	answer->choice++;
	answer->token = 0;
	answer->echo_at = 0;
}

static void json_close(const struct answer *answer, struct buf *out)
{
	if (is_message(answer)) {
		message_close(answer, out);
		return;
	}
	buf_append(out, SPAN("],"));
	usage_write(answer, out);
	buf_append(out, SPAN("}"));
}

bool answer_json_next(struct answer *answer, struct buf *out)
{
	switch (answer->part) {
	case ANSWER_OPEN:
		buf_append(out, answer->opening);
		answer->part = answer->ask->choices > 0 ? ANSWER_CHOICE : ANSWER_CLOSE;
		return true;
	case ANSWER_CHOICE:
		json_choice_open(answer, out);
		answer->part = answer->tokens > 0 ? ANSWER_TOKENS : ANSWER_CHOICE_END;
		return true;
	case ANSWER_TOKENS:
		buf_append(out, answer_take_escaped(answer, false, !is_message(answer)));
		if (answer->token == answer->tokens)
			answer->part = ANSWER_CHOICE_END;
		return true;
	case ANSWER_CHOICE_END:
		json_choice_close(answer, out);
		answer->part = answer->choice < answer->ask->choices ? ANSWER_CHOICE : ANSWER_CLOSE;
		return true;
	case ANSWER_CLOSE:
		json_close(answer, out);
		answer->part = ANSWER_END;
		return true;
	case ANSWER_END:
		break;
	}
	return false;
}

static void json_rewind(struct answer *answer)
{
	answer->part = ANSWER_OPEN;
	answer->choice = 0;
	answer->token = answer->emitted = 0;
	answer->echo_at = 0;
}

uint64_t answer_json_length(struct answer *answer, struct buf *scratch)
{
	bool plain = !answer->tool && !model_needs_escape(&answer->model);
	uint64_t length = 0;
	buf_reset(scratch);
	do {
		length += buf_len(scratch);
		buf_reset(scratch);
		for (; plain && answer->part == ANSWER_TOKENS && answer->token < answer->tokens; answer->token++)
			length += model_token_len(&answer->model, answer->choice, answer->begun + answer->token, 0);
		if (plain && answer->part == ANSWER_TOKENS)
			answer->part = ANSWER_CHOICE_END;
	} while (answer_json_next(answer, scratch));
	json_rewind(answer);
	buf_reset(scratch);
	return length;
}

void answer_error(struct buf *out, struct span message, struct span type, const char *param, struct span code)
{
	buf_append(out, SPAN("{\"error\":{\"message\":"));
	json_write_string(out, message);
	buf_append(out, SPAN(",\"type\":"));
	json_write_string(out, type);
	buf_append(out, SPAN(",\"param\":"));
	json_write_string_or_null(out, span_of(param));
	buf_append(out, SPAN(",\"code\":"));
	json_write_string_or_null(out, code);
	buf_append(out, SPAN("}}"));
}
