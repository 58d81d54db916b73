/* SPDX-License-Identifier: MIT */
/*
 * The field tables of completions and embeddings, and the rules shared with
 * chat. Only what no backend could accept is bounded; the rest is type-checked
 * and left to the backend.
 */
#include "schemas/openai_fields.h"

const struct field openai_string_element = {.types = FIELD_STRING, .doc = "One string."};

static const struct field stream_options_rows[] = {
    {.name = "include_usage",
     .types = FIELD_BOOLEAN,
     .doc = "Whether one more chunk, before the end, tells the usage of the whole request."},
    {.name = "include_obfuscation",
     .types = FIELD_BOOLEAN,
     .doc = "Whether chunks are padded against guessing their text from their size."},
};

const struct field_table openai_stream_options_fields = {.name = "StreamOptions", FIELD_ROWS(stream_options_rows)};

static const struct field token_element = {.types = FIELD_INTEGER, .doc = "One token."};

static const struct field prompt_element = {
    .types = FIELD_STRING | FIELD_INTEGER | FIELD_ARRAY,
    .min_items = 1,
    .element = &token_element,
    .doc = "A text, a token, or an array of tokens.",
};

static const struct field completion_rows[] = {
    {.name = "model", .types = FIELD_STRING, .required = true, .min_length = 1, .doc = "The model to ask."},
    {.name = "prompt",
     .types = FIELD_STRING | FIELD_ARRAY,
     .required = true,
     .unless = "prompt_embeds",
     .min_items = 1,
     .element = &prompt_element,
     .doc = "The text to continue: a string, an array of strings, of tokens, or of arrays of tokens."},
    {.name = "best_of",
     .types = FIELD_INTEGER,
     .min = 0,
     .max = 128,
     .doc = "How many completions are made, of which the best n are returned."},
    {.name = "echo", .types = FIELD_BOOLEAN, .doc = "Whether the prompt is returned before the completion."},
    {.name = "frequency_penalty",
     .types = FIELD_NUMBER,
     .min = -2,
     .max = 2,
     .doc = "Makes tokens less likely the more often they occurred."},
    {.name = "logit_bias", .types = FIELD_OBJECT, .doc = "A bias for single tokens, by token id."},
    {.name = "logprobs",
     .types = FIELD_INTEGER,
     .min = -1,
     .max = OPENAI_TOKENS_MOST,
     .doc = "How many of the likeliest tokens are told at each position."},
    {.name = "max_tokens",
     .types = FIELD_INTEGER,
     .min = 0,
     .max = OPENAI_TOKENS_MOST,
     .doc = "The most tokens to generate; 0 with echo scores the prompt."},
    {.name = "n",
     .types = FIELD_INTEGER,
     .min = 1,
     .max = 128,
     .doc = "How many completions of each prompt are returned."},
    {.name = "presence_penalty",
     .types = FIELD_NUMBER,
     .min = -2,
     .max = 2,
     .doc = "Makes tokens less likely once they occurred."},
    {.name = "seed", .types = FIELD_INTEGER, .doc = "Makes sampling repeatable as far as the backend can."},
    {.name = "stop",
     .types = FIELD_STRING | FIELD_ARRAY,
     .element = &openai_string_element,
     .doc = "Texts at which generation stops."},
    {.name = "stream", .types = FIELD_BOOLEAN, .doc = "Whether the answer is streamed as server-sent events."},
    {.name = "stream_options",
     .types = FIELD_OBJECT,
     .of = &openai_stream_options_fields,
     .doc = "Options of a streamed answer."},
    {.name = "suffix", .types = FIELD_STRING, .doc = "The text that follows the completion."},
    {.name = "temperature",
     .types = FIELD_NUMBER,
     .min = 0,
     .max = 2,
     .doc = "The randomness of sampling; 0 takes the likeliest token."},
    {.name = "top_p",
     .types = FIELD_NUMBER,
     .min = 0,
     .max = 1,
     .doc = "Samples among the likeliest tokens of this total probability."},
    {.name = "user", .types = FIELD_STRING, .doc = "The end user on whose behalf the request is made."},
};

const struct field_table openai_completion_fields = {.name = "CompletionRequest", FIELD_ROWS(completion_rows)};

static const struct field embedding_rows[] = {
    {.name = "model", .types = FIELD_STRING, .required = true, .min_length = 1, .doc = "The model to ask."},
    {.name = "input",
     .types = FIELD_STRING | FIELD_ARRAY,
     .required = true,
     .unless = "messages",
     .min_length = 1,
     .min_items = 1,
     .element = &prompt_element,
     .doc = "What to embed: a string, an array of strings, of tokens, or of arrays of tokens."},
    {.name = "dimensions",
     .types = FIELD_INTEGER,
     .min = 1,
     .max = OPENAI_TOKENS_MOST,
     .doc = "The length of the vectors, for models that can shorten them."},
    {.name = "encoding_format", .types = FIELD_STRING, .doc = "How vectors are written: float or base64."},
    {.name = "user", .types = FIELD_STRING, .doc = "The end user on whose behalf the request is made."},
};

const struct field_table openai_embedding_fields = {.name = "EmbeddingRequest", FIELD_ROWS(embedding_rows)};

const struct field_table *openai_request_fields(enum openai_endpoint endpoint)
{
	static const struct field_table *const tables[] = {
	    [OPENAI_CHAT] = &openai_chat_fields,
	    [OPENAI_COMPLETIONS] = &openai_completion_fields,
	    [OPENAI_EMBEDDINGS] = &openai_embedding_fields,
	};
	return tables[endpoint];
}
