/* SPDX-License-Identifier: MIT */
/* Joining two streamed answers; joint.h holds the contract. */
#include "service/answer/joint.h"

#include <string.h>

void joint_init(struct joint *joint, struct arena *arena, bool strict)
{
	*joint = (struct joint){.arena = arena, .strict = strict};
	for (size_t i = 0; i < JOINT_TEXTS; i++)
		buf_init(&joint->texts[i].said, JOINT_MOST);
}

void joint_fini(struct joint *joint)
{
	for (size_t i = 0; i < JOINT_TEXTS; i++)
		buf_fini(&joint->texts[i].said);
}

size_t joint_size(const struct joint *joint)
{
	size_t size = 0;
	for (size_t i = 0; i < JOINT_TEXTS; i++)
		size += buf_len(&joint->texts[i].said);
	return size;
}

bool joint_is_open(const struct joint *joint)
{
	return !joint->lost && joint_size(joint) > 0;
}

struct span joint_plain_text(const struct joint *joint)
{
	struct span text = buf_span(&joint->texts[JOINT_TEXT].said);
	return joint_size(joint) == text.len ? text : (struct span){NULL, 0};
}

void joint_again(struct joint *joint)
{
	for (size_t i = 0; i < JOINT_TEXTS; i++)
		joint->texts[i].heard = 0;
}

static bool is_all_heard(const struct joint *joint)
{
	for (size_t i = 0; i < JOINT_TEXTS; i++)
		if (joint->texts[i].heard < buf_len(&joint->texts[i].said))
			return false;
	return true;
}

/* Returns the text of reasoning of that name; NULL when there is no room for one more name. */
static struct joint_text *reasoning_of(struct joint *joint, struct span name)
{
	for (size_t i = 0; i < JOINT_REASONINGS; i++) {
		if (joint->reasonings[i].at == NULL)
			joint->reasonings[i] = arena_copy(joint->arena, name);
		if (span_equal(joint->reasonings[i], name))
			return &joint->texts[JOINT_REASONING + i];
	}
	return NULL;
}

/* Finds the text that a delta belongs to; NULL when it has none. False when it says what cannot be joined. */
static bool find_text(struct joint *joint, const struct delta *delta, struct joint_text **text)
{
	*text = NULL;
	if (delta->tool >= JOINT_CALLS)
		return false;
	switch (delta->part) {
	case PART_TEXT:
		*text = &joint->texts[JOINT_TEXT];
		return true;
	case PART_REFUSAL:
		*text = &joint->texts[JOINT_REFUSAL];
		return true;
	case PART_REASONING:
		*text = reasoning_of(joint, delta->name);
		return *text != NULL;
	case PART_TOOL_BEGIN:
		*text = &joint->texts[JOINT_CALL + 2 * delta->tool];
		return true;
	case PART_TOOL_ARGUMENTS:
		*text = &joint->texts[JOINT_CALL + 2 * delta->tool + 1];
		return true;
	case PART_ANNOTATION: /* as all of these, the other answer may say it once more */
	case PART_SOUND:
	case PART_OPAQUE:
	case PART_ODD:
		return false;
	default:
		return true;
	}
}

/* Returns whether all that the deltas say can be joined. */
static bool can_join(struct joint *joint, const struct deltas *deltas)
{
	struct joint_text *text = NULL;
	for (size_t i = 0; i < deltas->count; i++)
		if (!find_text(joint, &deltas->list[i], &text))
			return false;
	return deltas->choices <= 1;
}

/* The texts of an event count as said from here on; heard: the bytes of each that did before, or NULL. */
static void remember(struct joint *joint, const struct deltas *deltas, const size_t *heard)
{
	bool content = false;
	for (size_t i = 0; i < deltas->count; i++) {
		struct joint_text *text = NULL;
		struct span said = deltas->list[i].text;
		size_t before = heard == NULL ? 0 : heard[i];
		if (!find_text(joint, &deltas->list[i], &text) || text == NULL || said.len == 0)
			continue;
		content = true;
		if (!buf_append(&text->said, (struct span){said.at + before, said.len - before}))
			joint->lost = true;
		text->heard = buf_len(&text->said);
	}
	joint->events += content;
	joint->lost |= joint_size(joint) > JOINT_MOST || arena_failed(joint->arena);
}

void joint_said(struct joint *joint, const struct deltas *deltas)
{
	if (joint->lost)
		return;
	joint->lost = deltas == NULL || !can_join(joint, deltas);
	if (!joint->lost)
		remember(joint, deltas, NULL);
}

/*
 * Compares a text with what was said. *heard: how much of it was. False when they differ, or when a joint would be
 * where none may be.
 */
static bool agrees(const struct joint *joint, const struct delta *delta, struct joint_text *text, size_t *heard)
{
	struct span said = buf_span(&text->said);
	size_t left = said.len - text->heard;
	*heard = left < delta->text.len ? left : delta->text.len;
	if (*heard > 0 && memcmp(said.at + text->heard, delta->text.at, *heard) != 0)
		return false;
	text->heard += *heard;
	return *heard == 0 || *heard == delta->text.len || (!joint->strict && delta->tool < 0);
}

enum joint_step joint_hear(struct joint *joint, const struct deltas *deltas, size_t *heard)
{
	bool goes_on = false, call = false;
	if (!can_join(joint, deltas))
		return JOINT_APART;
	for (size_t i = 0; i < deltas->count; i++) {
		const struct delta *delta = &deltas->list[i];
		struct joint_text *text = NULL;
		heard[i] = 0;
		goes_on |= delta->part == PART_FINISH;
		if (!find_text(joint, delta, &text) || text == NULL || delta->text.len == 0)
			continue;
		if (!agrees(joint, delta, text, &heard[i]))
			return JOINT_APART;
		goes_on |= heard[i] < delta->text.len;
		call |= delta->tool >= 0 && heard[i] > 0; /* it would be told once more in part */
	}
	if (!goes_on)
		return JOINT_BEHIND;
	if (!is_all_heard(joint) || call)
		return JOINT_APART;
	joint->joined = true;
	remember(joint, deltas, heard);
	return JOINT_JOINED;
}
