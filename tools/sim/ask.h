/* SPDX-License-Identifier: MIT */
/*
 * What a request asks for: the members of an OpenAI body, or of Messages, that the simulator
 * obeys, decoded. Borrows from the body and from the call's arena.
 */
#ifndef SLUICE_TOOLS_SIM_ASK_H
#define SLUICE_TOOLS_SIM_ASK_H

#include "lib/json.h"
#include "tools/sim/knobs.h"

enum ask_kind { ASK_CHAT, ASK_MESSAGES, ASK_COMPLETION, ASK_EMBEDDINGS };

enum { ASK_CHOICES_MOST = 128, ASK_DIMENSIONS_MOST = 8192, ASK_DEPTH_MOST = 256 };

struct ask {
	enum ask_kind kind;
	struct span model;  /* as sent, settings included */
	struct span name;   /* the model string up to the first `;` */
	struct span list;   /* the settings behind it, may be empty */
	struct span prompt; /* text of the last user message, or the prompt */
	struct span begun;  /* text of the last message when it is an assistant's: how the answer began */
	uint64_t prompt_tokens;
	bool stream;
	bool include_usage;
	bool has_max_tokens;
	uint64_t max_tokens;
	uint32_t choices; /* n */
	struct span tool; /* name of the first tool; {NULL,0} without tools */
	/* embeddings only: */
	struct json json;
	uint32_t input; /* node of the input */
	uint32_t dimensions;
	bool base64;
};

struct ask_error {
	char what[200];
	const char *param; /* static; NULL = none */
};

/* Decodes body. arena: what is decoded lives there. False with *error filled. */
bool ask_parse(struct ask *ask, enum ask_kind kind, struct span body, struct arena *arena, struct ask_error *error);

/* Splits a model string at its first `;`. */
void ask_split_model(struct span model, struct span *name, struct span *list);

#endif
