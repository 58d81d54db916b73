/* SPDX-License-Identifier: MIT */
/*
 * The deterministic model: which tokens an answer has. Pure: token i of choice c
 * is a function of the model's name, the prompt and the seed, computed on its
 * own, so that an answer of any length needs no memory.
 *
 *   echo   the last user message, cut into tokens
 *   count  " 0", " 1", " 2", …: loss, doubling and reordering are checkable
 *   utf8   multi-byte characters, quotes, controls
 *   other  words chosen by hash
 */
#ifndef SLUICE_TOOLS_SIM_MODEL_H
#define SLUICE_TOOLS_SIM_MODEL_H

#include <stdint.h>

#include "lib/buf.h"

enum model_kind { MODEL_WORDS, MODEL_COUNT, MODEL_UTF8, MODEL_ECHO };

struct model {
	enum model_kind kind;
	uint64_t hash;        /* of seed, name and prompt */
	struct span prompt;   /* borrowed */
	uint64_t token_bytes; /* every token is padded to this; 0 = not */
};

/* name, prompt: borrowed for the life of model. */
void model_init(struct model *model, struct span name, struct span prompt, uint64_t token_bytes, uint64_t seed);

/* Tokens of the answer when nothing limits it: wanted, or what the echoed text has (then at most wanted if explicit).
 */
uint64_t model_token_count(const struct model *model, uint64_t wanted, bool explicit);

/* Appends the raw bytes of a token. echo_at: offset of the token in the prompt, for echo only. */
void model_token(struct buf *out, const struct model *model, uint32_t choice, uint64_t index, size_t echo_at);

/* Length in bytes of what model_token appends. */
size_t model_token_len(const struct model *model, uint32_t choice, uint64_t index, size_t echo_at);

/* The echo token that starts at offset at; empty at the end. Never cuts a UTF-8 sequence. */
struct span model_echo_token(struct span prompt, size_t at);

/* True when tokens can hold bytes that JSON must escape. */
static inline bool model_needs_escape(const struct model *model)
{
	return model->kind == MODEL_UTF8 || model->kind == MODEL_ECHO;
}

/* FNV-1a over bytes, continuing from hash. */
uint64_t model_hash(uint64_t hash, struct span bytes);

/* splitmix64: a well-mixed function of one number. */
uint64_t model_mix(uint64_t number);

#endif
