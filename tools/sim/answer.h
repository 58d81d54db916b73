/* SPDX-License-Identifier: MIT */
/*
 * The text of an OpenAI answer, or of a message (message.h), piece by piece: a cursor that renders the next
 * event of a stream or the next part of one JSON body. Never holds more than
 * one token, so that an answer may be of any length. Borrows from the call.
 */
#ifndef SLUICE_TOOLS_SIM_ANSWER_H
#define SLUICE_TOOLS_SIM_ANSWER_H

#include "tools/sim/ask.h"
#include "tools/sim/model.h"

enum answer_part { ANSWER_OPEN, ANSWER_CHOICE, ANSWER_TOKENS, ANSWER_CHOICE_END, ANSWER_CLOSE, ANSWER_END };

struct answer {
	const struct ask *ask;
	struct model model;
	uint64_t number;     /* of the request, from 1 */
	uint64_t tokens;     /* per choice */
	uint64_t begun;      /* tokens that the request itself holds already: those behind them follow */
	size_t begun_echo;   /* of an echo: their bytes */
	struct span finish;  /* finish_reason of every choice; {NULL,0} = null */
	struct span opening; /* `{"id":…,"choices":[`, in the arena */
	bool tool;           /* a tool call instead of content */
	bool usage;          /* send usage, and usage: null before it */
	bool without_role;   /* fault role_missing */
	bool without_index;  /* fault tool_index_missing */
	/* the cursor: */
	enum answer_part part; /* of a JSON body */
	uint32_t choice;       /* of the next token */
	uint64_t token;        /* index of the next token within its choice */
	uint64_t emitted;      /* tokens rendered, of all choices */
	size_t echo_at;        /* offset of the next token of an echo */
	struct buf token_text; /* owned: the token being rendered */
	struct buf escaped;    /* owned: the same as JSON */
};

/* What an answer is made from, besides the request. */
struct answer_source {
	const char *sim_name; /* goes into id and system_fingerprint */
	uint64_t seed;
	uint64_t number; /* of the request */
};

/* Starts the cursor. ask, knobs' texts: borrowed. arena: holds the opening. False when the arena is exhausted. */
bool answer_init(struct answer *answer, const struct ask *ask, const struct knobs *knobs,
		 const struct answer_source *source, bool stream, struct arena *arena);
void answer_fini(struct answer *answer);

/* Tokens of all choices together. */
uint64_t answer_total(const struct answer *answer);

/* The raw text of the next token, valid until the next call; moves the cursor, choices in turn (stream) or one after
 * another. */
struct span answer_take_token(struct answer *answer, bool stream);

/* Takes the next token as the inside of a JSON string; of a tool call: as a piece of its arguments, which are JSON too,
 * within a string or as it is. */
struct span answer_take_escaped(struct answer *answer, bool stream, bool within);

/* Append the JSON of one stream event, without `data: `. */
void answer_event_role(struct answer *answer, struct buf *out, uint32_t choice);
void answer_event_token(struct answer *answer, struct buf *out);
void answer_event_finish(struct answer *answer, struct buf *out, uint32_t choice);
void answer_event_usage(struct answer *answer, struct buf *out);

/* Appends the next part of one JSON body. False at its end. */
bool answer_json_next(struct answer *answer, struct buf *out);

/* Length in bytes of the JSON body; leaves the cursor at its start. scratch: emptied. */
uint64_t answer_json_length(struct answer *answer, struct buf *scratch);

/* An OpenAI error body; param, code: NULL means null. */
void answer_error(struct buf *out, struct span message, struct span type, const char *param, struct span code);

#endif
