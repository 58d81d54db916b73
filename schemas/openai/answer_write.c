/* SPDX-License-Identifier: MIT */
/* Whole answers; answer_write.h holds the contract. */
#include "schemas/openai/answer_write.h"

#include <inttypes.h>

#include "lib/json_write.h"
#include "schemas/openai/answer_merge.h"
#include "schemas/openai/answer_read.h"
#include "schemas/openai/internal.h"

static void write_value(struct buf *out, const struct assembly_value *value)
{
	char end = value->opens == '[' ? ']' : value->opens == '{' ? '}' : '"';
	json_write_string(out, value->name);
	if (value->opens == 0) {
		buf_append(out, SPAN(":null"));
		return;
	}
	buf_append(out, (struct span){(const char[]){':', value->opens}, 2});
	buf_append(out, buf_span(&value->inside));
	buf_append(out, (struct span){&end, 1});
}

static void write_others(struct buf *out, const struct assembly_value *value)
{
	for (; value != NULL; value = value->next) {
		buf_append(out, SPAN(","));
		write_value(out, value);
	}
}

static bool is_of_type(const struct assembly_call *call, const char *type)
{
	return call->type.at != NULL && span_is(call->type, type);
}

/* Appends the object with name and arguments. */
static void write_function(struct buf *out, const struct assembly_call *call, const char *arguments)
{
	buf_append(out, SPAN("{\"name\":"));
	json_write_string(out, buf_span(&call->name));
	buf_printf(out, ",\"%s\":", arguments);
	json_write_string(out, buf_span(&call->arguments));
	buf_append(out, SPAN("}"));
}

static void write_calls(struct buf *out, const struct assembly_choice *choice)
{
	if (is_of_type(choice->calls, OPENAI_LEGACY_CALL)) {
		buf_append(out, SPAN(",\"" OPENAI_LEGACY_CALL "\":"));
		write_function(out, choice->calls, "arguments");
		return;
	}
	buf_append(out, SPAN(",\"tool_calls\":["));
	for (const struct assembly_call *call = choice->calls; call != NULL; call = call->next) {
		buf_append(out, SPAN("{\"id\":"));
		json_write_string(out, call->id.at == NULL ? SPAN("") : call->id);
		buf_append(out, SPAN(",\"type\":"));
		json_write_string(out, call->type.at == NULL ? SPAN("function") : call->type);
		bool custom = is_of_type(call, "custom");
		if (call->function || call->others == NULL) {
			buf_append(out, custom ? SPAN(",\"custom\":") : SPAN(",\"function\":"));
			write_function(out, call, custom ? "input" : "arguments");
		}
		write_others(out, call->others);
		buf_append(out, call->next == NULL ? SPAN("}") : SPAN("},"));
	}
	buf_append(out, SPAN("]"));
}

static void write_text(struct buf *out, struct span name, const struct buf *text)
{
	if (buf_len(text) == 0)
		return;
	buf_append(out, SPAN(","));
	json_write_string(out, name);
	buf_append(out, SPAN(":"));
	json_write_string(out, buf_span(text));
}

/* content is always there, null when nothing was said; the others only with something in them. */
static void write_message(struct buf *out, const struct assembly_choice *choice)
{
	bool said = buf_len(&choice->text) > 0 || choice->calls == NULL;
	buf_append(out, SPAN("{\"role\":\"assistant\",\"content\":"));
	json_write_string_or_null(out, said ? buf_span(&choice->text) : (struct span){NULL, 0});
	write_text(out, SPAN("refusal"), &choice->refusal);
	for (size_t i = 0; i < ASSEMBLY_REASONINGS; i++)
		write_text(out, choice->reasonings[i].name, &choice->reasonings[i].text);
	write_others(out, choice->others);
	if (choice->calls != NULL)
		write_calls(out, choice);
	buf_append(out, SPAN("}"));
}

static void write_logprobs(struct buf *out, const struct assembly_choice *choice)
{
	buf_append(out, SPAN(",\"logprobs\":{"));
	for (const struct assembly_value *list = choice->logprobs; list != NULL; list = list->next) {
		write_value(out, list);
		buf_append(out, list->next == NULL ? SPAN("") : SPAN(","));
	}
	buf_append(out, SPAN("}"));
}

static void write_choice(struct buf *out, const struct assembly_choice *choice, bool completion)
{
	buf_printf(out, "{\"index\":%" PRId64 ",\"%s\":", choice->index, completion ? "text" : "message");
	if (completion)
		json_write_string(out, buf_span(&choice->text));
	else
		write_message(out, choice);
	if (choice->logprobs != NULL)
		write_logprobs(out, choice);
	else if (completion)
		buf_append(out, SPAN(",\"logprobs\":null"));
	buf_append(out, SPAN(",\"finish_reason\":"));
	json_write_string_or_null(out, choice->finish);
	if (choice->origin.at != NULL) {
		buf_append(out, SPAN(",\"sluice_target\":"));
		json_write_string(out, choice->origin);
	}
	buf_append(out, SPAN("}"));
}

static struct span or_empty(struct span text)
{
	return text.at == NULL ? SPAN("") : text;
}

bool openai_answer_write(const struct assembly *assembly, enum endpoint endpoint,
			 const struct answer_identity *identity, const struct usage *usage, struct buf *out)
{
	bool completion = endpoint == ENDPOINT_COMPLETIONS;
	if (assembly->failed || assembly->choices == NULL)
		return false;
	buf_append(out, SPAN("{\"id\":"));
	json_write_string(out, or_empty(identity->id));
	buf_printf(out, ",\"object\":\"%s\",\"created\":%" PRId64 ",\"model\":",
		   completion ? "text_completion" : "chat.completion", identity->created < 0 ? 0 : identity->created);
	json_write_string(out, or_empty(identity->model));
	buf_append(out, SPAN(",\"choices\":["));
	for (const struct assembly_choice *choice = assembly->choices; choice != NULL; choice = choice->next) {
		write_choice(out, choice, completion);
		if (choice->next != NULL)
			buf_append(out, SPAN(","));
	}
	buf_append(out, SPAN("]"));
	if (usage_is_known(usage)) {
		buf_append(out, SPAN(",\"usage\":"));
		openai_usage_write(out, ENDPOINT_CHAT, usage);
	}
	buf_append(out, SPAN("}"));
	return true;
}
