/* SPDX-License-Identifier: MIT */
/* Whole answers from events; whole.h holds the contract. */
#include "service/flights/whole.h"

#include "lib/json.h"

void whole_init(struct whole *whole, size_t most, uint32_t party)
{
	*whole = (struct whole){.usage = USAGE_UNKNOWN};
	openai_assembly_init(&whole->assembly, most);
	openai_assembly_charge(&whole->assembly, party);
	buf_init(&whole->body, most);
	buf_charge(&whole->body, party);
	arena_init(&whole->arena, 0);
	arena_charge(&whole->arena, party);
}

void whole_fini(struct whole *whole)
{
	openai_assembly_fini(&whole->assembly);
	buf_fini(&whole->body);
	arena_fini(&whole->arena);
}

static struct span text_of(struct whole *whole, const struct json *json, const char *name)
{
	uint32_t value = json_member(json, 0, name);
	if (value == JSON_NONE || json_type(json, value) != JSON_STRING)
		return SPAN("");
	return arena_copy(&whole->arena, json_string(json, value, &whole->arena));
}

/* The first chunk says who it is. */
static void learn_identity(struct whole *whole, struct span data)
{
	enum { DEPTH = 64 };
	struct json json;
	struct json_error error;
	if (!json_parse_relaxed(&json, &whole->arena, data, &JSON_DEPTH(DEPTH), &error))
		return;
	uint32_t created = json_member(&json, 0, "created");
	whole->id = text_of(whole, &json, "id");
	whole->model = text_of(whole, &json, "model");
	if (created != JSON_NONE)
		json_int(&json, created, &whole->created);
}

void whole_add(struct whole *whole, const struct event *event)
{
	if (event->kind == EVENT_CHUNK && (event->carries & CARRIES_NO_CHOICE) == 0) {
		if (!whole->streamed)
			learn_identity(whole, event->data);
		whole->streamed = true;
		openai_assembly_add(&whole->assembly, event->data);
	} else if (event->kind == EVENT_BODY) {
		whole->failed |= !buf_append(&whole->body, event->data);
	}
	if (event->kind != EVENT_CHUNK || (event->carries & CARRIES_USAGE) != 0) {
		bool told = event->usage.total_tokens > 0 || event->usage.prompt_tokens > 0;
		whole->usage = told ? event->usage : whole->usage;
	}
	whole->target = event->target;
	whole->joined |= event->joined;
}

size_t whole_bytes(const struct whole *whole)
{
	return buf_len(&whole->body) + whole->assembly.bytes;
}

bool whole_write(struct whole *whole, struct buf *out)
{
	if (whole->failed || whole->assembly.failed)
		return false;
	if (!whole->streamed)
		return buf_len(&whole->body) > 0 && buf_append(out, buf_span(&whole->body));
	struct buf *plain = &whole->body;
	struct arena scratch;
	buf_reset(plain);
	arena_init(&scratch, 0);
	bool written = openai_assembly_write(&whole->assembly, whole->id, whole->model, whole->created, plain) &&
		       openai_answer_write_usage(buf_span(plain), &whole->usage, &scratch, out) && !buf_failed(out);
	arena_fini(&scratch);
	return written;
}
