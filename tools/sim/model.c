/* SPDX-License-Identifier: MIT */
/* Tokens by hash, by number or from the prompt; model.h holds the contract. No state, no allocation but the output. */
#include "tools/sim/model.h"

enum { ECHO_TOKEN_MOST = 24, WORD_MOST = 32 };

static const char *const words[] = {
    "river",   "stone",  "cloud",  "amber",   "forest", "signal", "winter", "copper", "meadow", "harbor", "silver",
    "falcon",  "garden", "shadow", "thunder", "velvet", "candle", "mirror", "orchid", "pepper", "rocket", "saddle",
    "timber",  "violet", "walnut", "yellow",  "zephyr", "anchor", "bridge", "canyon", "desert", "engine", "feather",
    "glacier", "hammer", "island", "jungle",  "kettle", "ladder", "marble", "needle", "ocean",  "planet", "quartz",
    "ribbon",  "summit", "tunnel", "umbra",   "valley", "willow", "acorn",  "basalt", "cedar",  "delta",  "ember",
    "fjord",   "grove",  "heron",  "iris",    "jade",   "kelp",   "lotus",  "maple",  "nectar",
};

static const char *const odd_words[] = {
    " é",          " ß",           " Ω",         " 你好",    " мир",       " 👩‍🚀",  " 𝄞",
    " \"quoted\"", " back\\slash", "\n",         "\t",       " naïve",     " \xe2\x80\xa8", " ﷽",
    " \x7f",       " </s>",        " {\"a\":1}", " data: x", " e\xcc\x81", " 🇫🇷",
};

enum { WORDS = sizeof words / sizeof words[0], ODD_WORDS = sizeof odd_words / sizeof odd_words[0] };

uint64_t model_hash(uint64_t hash, struct span bytes)
{
	for (size_t i = 0; i < bytes.len; i++)
		hash = (hash ^ (unsigned char)bytes.at[i]) * UINT64_C(0x100000001b3);
	return hash;
}

uint64_t model_mix(uint64_t number)
{
	number += UINT64_C(0x9e3779b97f4a7c15);
	number = (number ^ number >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	number = (number ^ number >> 27) * UINT64_C(0x94d049bb133111eb);
	return number ^ number >> 31;
}

void model_init(struct model *model, struct span name, struct span prompt, uint64_t token_bytes, uint64_t seed)
{
	uint64_t hash = model_hash(UINT64_C(0xcbf29ce484222325) ^ model_mix(seed), name);
	hash = model_hash(hash, SPAN("\n")); /* between the two, so that "ab"+"c" is not "a"+"bc" */
	*model = (struct model){.hash = model_hash(hash, prompt), .prompt = prompt, .token_bytes = token_bytes};
	if (span_is(name, "echo"))
		model->kind = MODEL_ECHO;
	else if (span_is(name, "count"))
		model->kind = MODEL_COUNT;
	else if (span_is(name, "utf8"))
		model->kind = MODEL_UTF8;
}

struct span model_echo_token(struct span prompt, size_t at)
{
	size_t end = at;
	while (end < prompt.len && end - at < ECHO_TOKEN_MOST) {
		end++;
		if (end < prompt.len && prompt.at[end] == ' ')
			break;
	}
	while (end < prompt.len && ((unsigned char)prompt.at[end] & 0xc0) == 0x80)
		end++;
	return (struct span){prompt.at + at, end - at};
}

uint64_t model_token_count(const struct model *model, uint64_t wanted, bool explicit)
{
	if (model->kind != MODEL_ECHO)
		return wanted;
	uint64_t count = 0;
	for (size_t at = 0; at < model->prompt.len; count++)
		at += model_echo_token(model->prompt, at).len;
	return explicit && wanted < count ? wanted : count;
}

/* " 17", written from the end of buffer. By hand: it comes with every event of model count. */
static struct span number_token(uint64_t number, char buffer[WORD_MOST])
{
	size_t at = WORD_MOST;
	do
		buffer[--at] = (char)('0' + number % 10);
	while ((number /= 10) > 0);
	buffer[--at] = ' ';
	return (struct span){buffer + at, WORD_MOST - at};
}

/* The unpadded token; buffer holds it when it is not static. */
static struct span token_core(const struct model *model, uint32_t choice, uint64_t index, size_t echo_at,
			      char buffer[WORD_MOST])
{
	if (model->kind == MODEL_ECHO)
		return model_echo_token(model->prompt, echo_at);
	if (model->kind == MODEL_COUNT)
		return number_token(index, buffer);
	uint64_t pick = model_mix(model->hash ^ model_mix(index * 256 + choice));
	if (model->kind == MODEL_UTF8)
		return span_of(odd_words[pick % ODD_WORDS]);
	const char *word = words[pick % WORDS];
	size_t len = strlen(word);
	buffer[0] = ' ';
	memcpy(buffer + 1, word, len);
	return (struct span){buffer, len + 1};
}

void model_token(struct buf *out, const struct model *model, uint32_t choice, uint64_t index, size_t echo_at)
{
	char buffer[WORD_MOST];
	struct span core = token_core(model, choice, index, echo_at, buffer);
	buf_append(out, core);
	if (model->kind == MODEL_ECHO || core.len >= model->token_bytes)
		return;
	size_t pad = model->token_bytes - core.len;
	char *at = buf_reserve(out, pad);
	if (at == NULL)
		return;
	memset(at, '_', pad);
	buf_commit(out, pad);
}

size_t model_token_len(const struct model *model, uint32_t choice, uint64_t index, size_t echo_at)
{
	char buffer[WORD_MOST];
	size_t len = token_core(model, choice, index, echo_at, buffer).len;
	return model->kind == MODEL_ECHO || len >= model->token_bytes ? len : model->token_bytes;
}
