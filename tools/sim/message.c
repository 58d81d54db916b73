/* SPDX-License-Identifier: MIT */
/* Rendering of Messages; message.h holds the contract. */
#include "tools/sim/message.h"

#include <inttypes.h>

#include "lib/json_write.h"

enum { NAME_CEILING = 1 << 20 };

struct span message_opening(const struct answer *answer, const struct answer_source *source, struct arena *arena)
{
	struct buf name;
	buf_init(&name, NAME_CEILING);
	json_write_string(&name, answer->ask->name);
	struct span text = arena_printf(arena,
					"{\"id\":\"msg-%s-%" PRIu64 "\",\"type\":\"message\",\"role\":\"assistant\","
					"\"model\":%.*s,\"content\":[",
					source->sim_name, source->number, SPAN_ARG(buf_span(&name)));
	buf_fini(&name);
	return text;
}

static void usage_write(const struct answer *answer, struct buf *out, uint64_t tokens)
{
	buf_printf(out, "\"usage\":{\"input_tokens\":%" PRIu64 ",\"output_tokens\":%" PRIu64 "}",
		   answer->ask->prompt_tokens, tokens);
}

static void write_reason(const struct answer *answer, struct buf *out)
{
	static const struct {
		const char *finish;
		struct span reason;
	} words[] = {{"stop", SPAN_INIT("end_turn")},
		     {"length", SPAN_INIT("max_tokens")},
		     {"tool_calls", SPAN_INIT("tool_use")}};
	struct span reason = answer->finish;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (span_is(answer->finish, words[i].finish))
			reason = words[i].reason;
	buf_append(out, SPAN("\"stop_reason\":"));
	json_write_string_or_null(out, reason);
	buf_append(out, SPAN(",\"stop_sequence\":null"));
}

/* The begin of a block that calls the tool. */
static void tool_head(const struct answer *answer, struct buf *out)
{
	buf_printf(out, "{\"type\":\"tool_use\",\"id\":\"toolu_%" PRIu64 "\",\"name\":", answer->number);
	json_write_string(out, answer->ask->tool);
	buf_append(out, SPAN(",\"input\":"));
}

/* ---- streams ---- */

void message_event_start(const struct answer *answer, struct buf *out)
{
	buf_append(out, SPAN("{\"type\":\"message_start\",\"message\":"));
	buf_append(out, answer->opening);
	buf_append(out, SPAN("],\"stop_reason\":null,\"stop_sequence\":null,"));
	usage_write(answer, out, 0);
	buf_append(out, SPAN("}}"));
}

void message_event_block(const struct answer *answer, struct buf *out)
{
	buf_append(out, SPAN("{\"type\":\"content_block_start\",\"index\":0,\"content_block\":"));
	if (answer->tool) {
		tool_head(answer, out);
		buf_append(out, SPAN("{}}}"));
	} else {
		buf_append(out, SPAN("{\"type\":\"text\",\"text\":\"\"}}"));
	}
}

void message_event_token(struct answer *answer, struct buf *out)
{
	struct span text = answer_take_escaped(answer, true, true);
	buf_append(out, SPAN("{\"type\":\"content_block_delta\",\"index\":0,\"delta\":"));
	buf_append(out, answer->tool ? SPAN("{\"type\":\"input_json_delta\",\"partial_json\":\"")
				     : SPAN("{\"type\":\"text_delta\",\"text\":\""));
	buf_append(out, text);
	buf_append(out, SPAN("\"}}"));
}

void message_event_block_end(struct buf *out)
{
	buf_append(out, SPAN("{\"type\":\"content_block_stop\",\"index\":0}"));
}

void message_event_finish(const struct answer *answer, struct buf *out)
{
	buf_append(out, SPAN("{\"type\":\"message_delta\",\"delta\":{"));
	write_reason(answer, out);
	buf_append(out, SPAN("},"));
	usage_write(answer, out, answer_total(answer));
	buf_append(out, SPAN("}"));
}

void message_event_stop(struct buf *out)
{
	buf_append(out, SPAN("{\"type\":\"message_stop\"}"));
}

struct span message_event_name(struct span data)
{
	static const struct span begin = SPAN_INIT("{\"type\":\"");
	if (!span_begins(data, begin.at))
		return SPAN("");
	const char *name = data.at + begin.len, *end = memchr(name, '"', data.len - begin.len);
	return end == NULL ? SPAN("") : (struct span){name, (size_t)(end - name)};
}

/* ---- whole messages ---- */

void message_block_open(const struct answer *answer, struct buf *out)
{
	if (answer->tool)
		tool_head(answer, out);
	else
		buf_append(out, SPAN("{\"type\":\"text\",\"text\":\""));
	if (answer->tool && answer->tokens == 0)
		buf_append(out, SPAN("{}"));
}

void message_block_close(const struct answer *answer, struct buf *out)
{
	buf_append(out, answer->tool ? SPAN("}") : SPAN("\"}"));
}

void message_close(const struct answer *answer, struct buf *out)
{
	buf_append(out, SPAN("],"));
	write_reason(answer, out);
	buf_append(out, SPAN(","));
	usage_write(answer, out, answer_total(answer));
	buf_append(out, SPAN("}"));
}

/* ---- errors ---- */

static struct span type_of(int status)
{
	static const struct {
		int status;
		struct span type;
	} types[] = {{401, SPAN_INIT("authentication_error")}, {402, SPAN_INIT("billing_error")},
		     {403, SPAN_INIT("permission_error")},     {404, SPAN_INIT("not_found_error")},
		     {413, SPAN_INIT("request_too_large")},    {429, SPAN_INIT("rate_limit_error")},
		     {529, SPAN_INIT("overloaded_error")}};
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (types[i].status == status)
			return types[i].type;
	return status < 500 ? SPAN("invalid_request_error") : SPAN("api_error");
}

void message_error(struct buf *out, struct span message, struct span type, int status)
{
	buf_append(out, SPAN("{\"type\":\"error\",\"error\":{\"type\":"));
	json_write_string(out, type.at == NULL ? type_of(status) : type);
	buf_append(out, SPAN(",\"message\":"));
	json_write_string(out, message);
	buf_append(out, SPAN("}}"));
}
