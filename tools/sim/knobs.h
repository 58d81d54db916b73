/* SPDX-License-Identifier: MIT */
/*
 * The settings of one call, from whichever source: a fixed set of numbers and
 * texts, each set or not. knobs.def is the table.
 *
 * The list syntax, in model names and x-sim-fault alike, is items separated by
 * `;`, spaces around them ignored: `KEY=VALUE`, `fault=NAME`, or a bare fault name.
 */
#ifndef SLUICE_TOOLS_SIM_KNOBS_H
#define SLUICE_TOOLS_SIM_KNOBS_H

#include <stdint.h>
#include <stdio.h>

#include "tools/sim/faults.h"

enum knob {
#define KNOB(symbol, name, kind, low, high, doc) KNOB_##symbol,
#include "tools/sim/knobs.def"
#undef KNOB
	KNOB_COUNT_OF
};

enum knob_kind { KNOB_KIND_COUNT, KNOB_KIND_BYTES, KNOB_KIND_DURATION, KNOB_KIND_TEXT };

struct knobs {
	uint32_t set;                    /* bit i: knob i is set */
	bool fault_set;                  /* fault was named, perhaps as none */
	enum fault fault;                /* FAULT_NONE when not set */
	uint64_t number[KNOB_COUNT_OF];  /* counts, bytes, microseconds */
	struct span text[KNOB_COUNT_OF]; /* borrowed from the text that was parsed */
};

/* Why a setting was refused, as a sentence that names it and what was expected. */
struct knobs_error {
	char what[200];
};

/* Parses one value. knob: KNOB_…; value: borrowed by a text knob. False with *error filled when it is refused. */
bool knobs_set(struct knobs *knobs, enum knob knob, struct span value, struct knobs_error *error);

/* The knob of a name, KNOB_COUNT_OF when there is none. */
enum knob knobs_find(struct span name);

/* Parses a list on top of what is set. False with *error filled; knobs is then partly changed. */
bool knobs_parse(struct knobs *knobs, struct span list, struct knobs_error *error);

/* Gives every setting that is unset in knobs the value it has in base; the fault goes with its own parameters. */
void knobs_inherit(struct knobs *knobs, const struct knobs *base);

/* Forgets the fault and what belongs to it; pace and size stay. */
void knobs_clear_fault(struct knobs *knobs);

static inline bool knobs_has(const struct knobs *knobs, enum knob knob)
{
	return (knobs->set >> knob & 1) != 0;
}

/* The number, or otherwise when it is unset. */
static inline uint64_t knobs_get(const struct knobs *knobs, enum knob knob, uint64_t otherwise)
{
	return knobs_has(knobs, knob) ? knobs->number[knob] : otherwise;
}

/* Prints the table, a line per setting. */
void knobs_print(FILE *out);

#endif
