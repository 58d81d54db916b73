/* SPDX-License-Identifier: MIT */
/*
 * The whole answer that the chunks of a stream amount to: text, reasoning, refusals, tool calls, log probabilities and
 * finish reasons of every choice of a chat; text, log probabilities and finish reasons of a completion. Of a delta's
 * other members, texts and lists are joined (images, annotations), and objects kept that come once. Sound is left out.
 * What cannot be joined is a failure, so that an answer never lacks some of what was generated.
 */
#ifndef SLUICE_SCHEMAS_OPENAI_ASSEMBLY_H
#define SLUICE_SCHEMAS_OPENAI_ASSEMBLY_H

#include "lib/buf.h"
#include "lib/json.h"
#include "schemas/openai/openai.h"

struct assembly_choice;

struct openai_assembly {
	struct assembly_choice *choices; /* by index */
	struct arena arena;              /* of choices and calls, and of short texts */
	struct arena scratch;            /* of one chunk */
	size_t left;                     /* bytes of text that may still come */
	size_t bytes;                    /* of data that was added */
	size_t parts;                    /* choices, calls and lists so far */
	bool completion;                 /* choices have a text of their own, not a message */
	bool failed;
	bool too_large; /* why: it is more than may come */
	bool exhausted; /* why: memory ran out */
	uint32_t party; /* of the ledger, who is charged for the texts */
};

/* most: bytes of all texts together. */
void openai_assembly_init(struct openai_assembly *assembly, size_t most);
/* Charges the texts to a party of the ledger. Before anything is added. */
void openai_assembly_charge(struct openai_assembly *assembly, uint32_t party);
void openai_assembly_fini(struct openai_assembly *assembly);

/* Adds the data of a chunk that was read before. What is too much, or no chunk, is a sticky failure. */
void openai_assembly_add(struct openai_assembly *assembly, struct span data);

/* Appends a chat.completion, or a text_completion, of all that was added. created: Unix seconds. False, with nothing
 * appended, after a failure. */
bool openai_assembly_write(const struct openai_assembly *assembly, struct span id, struct span model, int64_t created,
			   struct buf *out);

#endif
