/* SPDX-License-Identifier: MIT */
/*
 * The whole answer that the events of a stream amount to, put together from their deltas: text, refusals, reasoning,
 * calls of tools, log probabilities and why each choice ended. Of what only a dialect understands, texts and lists are
 * joined (images, annotations), and objects kept that come once. Sound is left out. What cannot be joined is a
 * failure, so that an answer never lacks some of what was generated. A dialect writes the answer.
 */
#ifndef SLUICE_SCHEMAS_ASSEMBLY_H
#define SLUICE_SCHEMAS_ASSEMBLY_H

#include "lib/arena.h"
#include "lib/buf.h"
#include "schemas/event.h"

enum { ASSEMBLY_REASONINGS = 2 }; /* names that a choice's reasoning may have, each with a text of its own */

/* A member that is a JSON value, joined of those that came. */
struct assembly_value {
	struct assembly_value *next;
	struct span name;
	char opens;        /* '[', '"' or '{'; 0: nothing came yet but null */
	struct buf inside; /* as it was written: what is between the brackets or quotes */
};

struct assembly_call {
	struct assembly_call *next;
	int64_t index;
	struct span id, type; /* {NULL,0} = not told */
	struct buf name, arguments;
	bool function;                 /* a name or arguments were told */
	struct assembly_value *others; /* further members */
};

struct assembly_reasoning {
	struct span name; /* {NULL,0} = there is none */
	struct buf text;
};

struct assembly_choice {
	struct assembly_choice *next;
	int64_t index;
	struct buf text, refusal;
	struct assembly_reasoning reasonings[ASSEMBLY_REASONINGS];
	struct assembly_value *logprobs; /* in the order in which they came, as the others */
	struct assembly_value *others;   /* further members of the message */
	struct assembly_call *calls;     /* by index */
	struct span finish;
	struct span origin; /* the target that it came from, of a gathered answer */
};

struct assembly {
	struct assembly_choice *choices; /* by index */
	struct arena arena;              /* of choices and calls, and of short texts */
	size_t left;                     /* bytes of text that may still come */
	size_t parts;                    /* choices, calls and values so far */
	bool failed;
	bool too_large; /* why: it is more than may come */
	bool exhausted; /* why: memory ran out */
	uint32_t party; /* of the ledger, who is charged for the texts */
};

/* most: bytes of all texts together. */
void assembly_init(struct assembly *assembly, size_t most);
/* Charges the texts to a party of the ledger. Before anything is added. */
void assembly_charge(struct assembly *assembly, uint32_t party);
void assembly_fini(struct assembly *assembly);

/* Adds the deltas of an event; they are copied. What is too much, or cannot be joined, is a sticky failure. */
void assembly_add(struct assembly *assembly, const struct deltas *deltas);

/* Fails: an event could not be read. exhausted: for want of memory. */
void assembly_fail(struct assembly *assembly, bool exhausted);

#endif
