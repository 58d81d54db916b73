/* SPDX-License-Identifier: MIT */
/*
 * The items that an answer consists of, put together from the deltas of a chat, and how they are written. Text and
 * refusals are messages of one part each. A call of a tool waits in the list of calls until its name is there; then it
 * has a place in the output.
 */
#ifndef SLUICE_SCHEMAS_RESPONSES_ITEMS_H
#define SLUICE_SCHEMAS_RESPONSES_ITEMS_H

#include "lib/buf.h"
#include "schemas/event.h"
#include "schemas/responses/echo.h"

enum responses_kind {
	RESPONSES_TEXT,
	RESPONSES_REFUSAL,
	RESPONSES_REASONING,
	RESPONSES_FUNCTION_CALL,
	RESPONSES_CUSTOM_CALL,
};

enum responses_status { RESPONSES_IN_PROGRESS, RESPONSES_COMPLETED, RESPONSES_INCOMPLETE };

struct responses_item {
	struct responses_item *next;      /* in the output */
	struct responses_item *next_call; /* by index; calls only */
	enum responses_kind kind;
	enum responses_status status;
	bool begun;            /* it has a place in the output */
	unsigned place;        /* there */
	int64_t tool;          /* the call's index in the chat */
	struct buf call, name; /* of a call: its id and its tool */
	struct buf text;       /* or the arguments of a call */
	size_t told;           /* bytes of them that a stream has told */
};

struct responses_items {
	struct responses_item *first, *last; /* of the output; owned */
	struct responses_item *calls;        /* owned those that have not begun */
	unsigned count;                      /* of the output */
	size_t call_count;
	size_t left;    /* bytes of text that may still come */
	uint32_t party; /* of the ledger, who is charged for them */
};

void responses_items_init(struct responses_items *items, uint32_t party);
void responses_items_fini(struct responses_items *items);

/* Adds an item to the output, in progress; NULL: out of memory. Not for calls. */
struct responses_item *responses_items_add(struct responses_items *items, enum responses_kind kind);

/* Returns the call of that index, made when it is new; NULL: out of memory, or they are too many. */
struct responses_item *responses_items_call(struct responses_items *items, int64_t index);

/* Gives a call its place at the end of the output. */
void responses_items_begin(struct responses_items *items, struct responses_item *call);

/* Appends to the item's text. False when memory ran out, or when the answer is too long. */
bool responses_item_append(struct responses_items *items, struct responses_item *item, struct span text);

/* Returns whether the item is a call of a tool. */
static inline bool responses_item_is_call(const struct responses_item *item)
{
	return item->kind >= RESPONSES_FUNCTION_CALL;
}

/* Appends the item's id, as a JSON string. */
void responses_item_write_id(struct buf *out, const struct responses_echo *echo, const struct responses_item *item);

/* Appends the input of a call of a custom tool, as a JSON string: the parameter of its arguments, or the arguments as
 * they are when they do not have it. */
void responses_item_write_input(struct buf *out, const struct responses_item *item);

/* Appends the part of a message or of reasoning; empty: without its text. */
void responses_item_write_part(struct buf *out, const struct responses_item *item, bool empty);

/* Appends the item; empty: without content, as a stream adds it. */
void responses_item_write(struct buf *out, const struct responses_echo *echo, const struct responses_item *item,
			  bool empty);

#endif
