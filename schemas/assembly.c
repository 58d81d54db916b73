/* SPDX-License-Identifier: MIT */
/* Deltas become a whole answer; assembly.h holds the contract. */
#include "schemas/assembly.h"

#include <string.h>

enum { ASSEMBLY_ARENA_MOST = 8 << 20, ASSEMBLY_PARTS_MOST = 4096 };

void assembly_init(struct assembly *assembly, size_t most)
{
	*assembly = (struct assembly){.left = most};
	arena_init(&assembly->arena, ASSEMBLY_ARENA_MOST);
}

void assembly_charge(struct assembly *assembly, uint32_t party)
{
	assembly->party = party;
	arena_charge(&assembly->arena, party);
}

static void values_fini(struct assembly_value *value)
{
	for (; value != NULL; value = value->next)
		buf_fini(&value->inside);
}

static void choice_fini(struct assembly_choice *choice)
{
	buf_fini(&choice->text);
	buf_fini(&choice->refusal);
	for (size_t i = 0; i < ASSEMBLY_REASONINGS; i++)
		buf_fini(&choice->reasonings[i].text);
	for (struct assembly_call *call = choice->calls; call != NULL; call = call->next) {
		buf_fini(&call->name);
		buf_fini(&call->arguments);
		values_fini(call->others);
	}
	values_fini(choice->logprobs);
	values_fini(choice->others);
}

void assembly_fini(struct assembly *assembly)
{
	for (struct assembly_choice *choice = assembly->choices; choice != NULL; choice = choice->next)
		choice_fini(choice);
	assembly->choices = NULL;
	arena_fini(&assembly->arena);
}

void assembly_fail(struct assembly *assembly, bool exhausted)
{
	assembly->failed = true;
	assembly->exhausted |= exhausted;
}

/* Memory for one more choice, call or value, zeroed; NULL when there are too many. */
static void *add_part(struct assembly *assembly, size_t size)
{
	if (assembly->parts++ < ASSEMBLY_PARTS_MOST)
		return arena_zalloc(&assembly->arena, 1, size);
	assembly->failed = assembly->too_large = true;
	return NULL;
}

static void text_init(const struct assembly *assembly, struct buf *text)
{
	buf_init(text, SIZE_MAX / 2);
	buf_charge(text, assembly->party);
}

static struct assembly_choice *need_choice(struct assembly *assembly, int64_t index)
{
	struct assembly_choice **at = &assembly->choices;
	while (*at != NULL && (*at)->index < index)
		at = &(*at)->next;
	if (*at != NULL && (*at)->index == index)
		return *at;
	struct assembly_choice *choice = add_part(assembly, sizeof(*choice));
	if (choice == NULL)
		return NULL;
	choice->index = index;
	text_init(assembly, &choice->text);
	text_init(assembly, &choice->refusal);
	for (size_t i = 0; i < ASSEMBLY_REASONINGS; i++)
		text_init(assembly, &choice->reasonings[i].text);
	choice->next = *at;
	return *at = choice;
}

static struct assembly_call *need_call(struct assembly *assembly, struct assembly_choice *choice, int64_t index)
{
	struct assembly_call **at = &choice->calls;
	while (*at != NULL && (*at)->index < index)
		at = &(*at)->next;
	if (*at != NULL && (*at)->index == index)
		return *at;
	struct assembly_call *call = add_part(assembly, sizeof(*call));
	if (call == NULL)
		return NULL;
	call->index = index;
	text_init(assembly, &call->name);
	text_init(assembly, &call->arguments);
	call->next = *at;
	return *at = call;
}

/* Returns the value of that name; one that is new lies at the end. */
static struct assembly_value *need_value(struct assembly *assembly, struct assembly_value **at, struct span name)
{
	while (*at != NULL && !span_equal((*at)->name, name))
		at = &(*at)->next;
	if (*at != NULL)
		return *at;
	struct assembly_value *value = add_part(assembly, sizeof(*value));
	if (value == NULL)
		return NULL;
	value->name = arena_copy(&assembly->arena, name);
	text_init(assembly, &value->inside);
	return *at = value;
}

/* Returns the text of reasoning of that name; NULL when there is no room for one more name. */
static struct buf *need_reasoning(struct assembly *assembly, struct assembly_choice *choice, struct span name)
{
	for (size_t i = 0; i < ASSEMBLY_REASONINGS; i++) {
		struct assembly_reasoning *reasoning = &choice->reasonings[i];
		if (reasoning->name.at == NULL)
			reasoning->name = arena_copy(&assembly->arena, name);
		if (span_equal(reasoning->name, name))
			return &reasoning->text;
	}
	assembly->failed = true;
	return NULL;
}

static void append(struct assembly *assembly, struct span piece, struct buf *out)
{
	if (piece.at == NULL || out == NULL || assembly->failed)
		return;
	assembly->too_large = piece.len > assembly->left;
	assembly->exhausted = !assembly->too_large && !buf_append(out, piece);
	assembly->failed = assembly->too_large || assembly->exhausted;
	assembly->left -= assembly->failed ? 0 : piece.len;
}

/* Keeps the first text that was told. */
static void keep(struct assembly *assembly, struct span text, struct span *kept)
{
	if (kept->at == NULL && text.len > 0)
		*kept = arena_copy(&assembly->arena, text);
}

/* Joins a JSON value to what came of it before: a list or a text; an object comes once. null says nothing. */
static void join(struct assembly *assembly, const struct delta *delta, struct assembly_value **values)
{
	struct assembly_value *value = need_value(assembly, values, delta->name);
	struct span token = delta->text;
	char opens = token.at[0];
	if (value == NULL || span_is(token, "null"))
		return;
	bool first = value->opens == 0;
	bool joins = opens == '[' || opens == '"' || (opens == '{' && first);
	joins &= first || value->opens == opens;
	assembly->failed |= !joins;
	if (!joins)
		return;
	value->opens = opens;
	struct span inside = {token.at + 1, token.len - 2};
	bool empty = opens == '[' && strspn(inside.at, " \t\r\n") >= inside.len;
	if (empty)
		return;
	if (opens == '[' && buf_len(&value->inside) > 0)
		append(assembly, SPAN(","), &value->inside);
	append(assembly, inside, &value->inside);
}

static void add_to_call(struct assembly *assembly, const struct delta *delta, struct assembly_choice *choice)
{
	struct assembly_call *call = need_call(assembly, choice, delta->tool);
	if (call == NULL)
		return;
	switch (delta->part) {
	case PART_TOOL_BEGIN:
		keep(assembly, delta->name, &call->id);
		call->function |= delta->text.at != NULL;
		append(assembly, delta->text, &call->name);
		break;
	case PART_TOOL_TYPE:
		keep(assembly, delta->text, &call->type);
		break;
	case PART_TOOL_ARGUMENTS:
		call->function = true;
		append(assembly, delta->text, &call->arguments);
		break;
	case PART_OPAQUE:
		join(assembly, delta, &call->others);
		break;
	default:
		assembly->failed = true;
	}
}

static void add_to_choice(struct assembly *assembly, const struct delta *delta, struct assembly_choice *choice)
{
	switch (delta->part) {
	case PART_TEXT:
		append(assembly, delta->text, &choice->text);
		break;
	case PART_REFUSAL:
		append(assembly, delta->text, &choice->refusal);
		break;
	case PART_REASONING:
		append(assembly, delta->text, need_reasoning(assembly, choice, delta->name));
		break;
	case PART_LOGPROBS:
		join(assembly, delta, &choice->logprobs);
		break;
	case PART_ANNOTATION:
	case PART_OPAQUE:
		join(assembly, delta, &choice->others);
		break;
	case PART_FINISH:
		keep(assembly, delta->text, &choice->finish);
		break;
	case PART_ORIGIN:
		keep(assembly, delta->text, &choice->origin);
		break;
	case PART_ODD:
		assembly->failed = true;
		break;
	default:
		break; /* of an assistant, as ever; sound is left out */
	}
}

void assembly_add(struct assembly *assembly, const struct deltas *deltas)
{
	struct assembly_choice *choice = NULL;
	for (size_t i = 0; i < deltas->count && !assembly->failed; i++) {
		const struct delta *delta = &deltas->list[i];
		if (choice == NULL || choice->index != delta->choice)
			choice = need_choice(assembly, delta->choice);
		if (choice == NULL)
			break;
		if (delta->tool >= 0)
			add_to_call(assembly, delta, choice);
		else
			add_to_choice(assembly, delta, choice);
	}
	assembly->exhausted |= arena_failed(&assembly->arena);
	assembly->failed |= assembly->exhausted;
}
