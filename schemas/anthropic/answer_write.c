/* SPDX-License-Identifier: MIT */
/* Messages out of what was put together; answer_write.h holds the contract. */
#include "schemas/anthropic/answer_write.h"

#include <inttypes.h>

#include "lib/json.h"
#include "lib/json_write.h"

enum { INPUT_DEPTH = 128 };

static int64_t known(int64_t count)
{
	return count > 0 ? count : 0;
}

void anthropic_usage_write(struct buf *out, const struct usage *usage)
{
	int64_t read = known(usage->cache_read), written = known(usage->cache_write);
	int64_t fresh = known(usage->prompt_tokens) - read - written;
	buf_printf(out,
		   "{\"input_tokens\":%" PRId64 ",\"cache_creation_input_tokens\":%" PRId64
		   ",\"cache_read_input_tokens\":%" PRId64 ",\"output_tokens\":%" PRId64 "}",
		   known(fresh), written, read, known(usage->completion_tokens));
}

struct span anthropic_stop_reason(struct span finish, bool calls, bool refused)
{
	static const struct {
		struct span finish, reason;
	} words[] = {
	    {SPAN_INIT("stop"), SPAN_INIT("end_turn")},          {SPAN_INIT("length"), SPAN_INIT("max_tokens")},
	    {SPAN_INIT("tool_calls"), SPAN_INIT("tool_use")},    {SPAN_INIT("function_call"), SPAN_INIT("tool_use")},
	    {SPAN_INIT("content_filter"), SPAN_INIT("refusal")},
	};
	if (refused)
		return SPAN("refusal");
	if (calls && (finish.at == NULL || span_is(finish, "stop")))
		return SPAN("tool_use"); /* engines that say stop all the same */
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (span_equal(finish, words[i].finish))
			return words[i].reason;
	return finish.at == NULL ? SPAN("end_turn") : finish;
}

static bool is_object(struct span text)
{
	struct arena arena;
	struct json json;
	struct json_error error;
	arena_init(&arena, 0);
	bool object = json_parse(&json, &arena, text, INPUT_DEPTH, &error) && json_type(&json, 0) == JSON_OBJECT;
	arena_fini(&arena);
	return object;
}

/* Appends the arguments of a call as an object; what is none becomes the member "arguments" of one. */
static void write_input(struct buf *out, struct span arguments)
{
	if (arguments.len == 0) {
		buf_append(out, SPAN("{}"));
	} else if (is_object(arguments)) {
		buf_append(out, arguments);
	} else {
		buf_append(out, SPAN("{\"arguments\":"));
		json_write_string(out, arguments);
		buf_append(out, SPAN("}"));
	}
}

static void begin_block(struct buf *out, size_t *count)
{
	if ((*count)++ > 0)
		buf_append(out, SPAN(","));
}

/* Writes a block of a text, unless the text is empty. before, after: what stands around it. */
static void write_text(struct buf *out, size_t *count, struct span before, const struct buf *text, struct span after)
{
	if (buf_len(text) == 0)
		return;
	begin_block(out, count);
	buf_append(out, before);
	json_write_string(out, buf_span(text));
	buf_append(out, after);
}

static void write_call(struct buf *out, size_t *count, const struct assembly_call *call)
{
	begin_block(out, count);
	buf_append(out, SPAN("{\"type\":\"tool_use\",\"id\":"));
	json_write_string(out, call->id.at == NULL ? SPAN("") : call->id);
	buf_append(out, SPAN(",\"name\":"));
	json_write_string(out, buf_span(&call->name));
	buf_append(out, SPAN(",\"input\":"));
	write_input(out, buf_span(&call->arguments));
	buf_append(out, SPAN("}"));
}

static struct span or_empty(struct span text)
{
	return text.at == NULL ? SPAN("") : text;
}

bool anthropic_answer_write(const struct assembly *assembly, enum endpoint endpoint,
			    const struct answer_identity *identity, const struct usage *usage, struct buf *out)
{
	static const struct span text = SPAN_INIT("{\"type\":\"text\",\"text\":"), end = SPAN_INIT("}");
	static const struct span thinking = SPAN_INIT("{\"type\":\"thinking\",\"thinking\":"),
				 unsigned_end = SPAN_INIT(",\"signature\":\"\"}");
	const struct assembly_choice *choice = assembly->choices;
	size_t count = 0;
	(void)endpoint;
	if (assembly->failed || choice == NULL)
		return false;
	buf_append(out, SPAN("{\"id\":"));
	json_write_string(out, or_empty(identity->id));
	buf_append(out, SPAN(",\"type\":\"message\",\"role\":\"assistant\",\"model\":"));
	json_write_string(out, or_empty(identity->model));
	buf_append(out, SPAN(",\"content\":["));
	for (size_t i = 0; i < ASSEMBLY_REASONINGS; i++)
		write_text(out, &count, thinking, &choice->reasonings[i].text, unsigned_end);
	write_text(out, &count, text, &choice->text, end);
	write_text(out, &count, text, &choice->refusal, end);
	for (const struct assembly_call *call = choice->calls; call != NULL; call = call->next)
		write_call(out, &count, call);
	buf_append(out, SPAN("],\"stop_reason\":"));
	json_write_string(out,
			  anthropic_stop_reason(choice->finish, choice->calls != NULL, buf_len(&choice->refusal) > 0));
	buf_append(out, SPAN(",\"stop_sequence\":null,\"usage\":"));
	anthropic_usage_write(out, usage);
	buf_append(out, SPAN("}"));
	return true;
}
