/* SPDX-License-Identifier: MIT */
/*
 * The field tables of chat completions. Roles are closed, since a gateway that
 * let an unknown one pass would only delay the refusal; types of content parts
 * and of tools are open, since backends add their own.
 */
#include "schemas/openai_fields.h"

static const struct field function_call_rows[] = {
    {.name = "name", .types = FIELD_STRING, .doc = "The function that is called."},
    {.name = "arguments",
     .types = FIELD_STRING | FIELD_OBJECT,
     .doc = "Its arguments: JSON in a string; some backends take an object."},
};

static const struct field_table function_call_fields = {.name = "FunctionCall", FIELD_ROWS(function_call_rows)};

static const struct field tool_call_rows[] = {
    {.name = "id", .types = FIELD_STRING, .doc = "The id that the tool's answer refers to."},
    {.name = "type", .types = FIELD_STRING, .doc = "The type of the tool, function when absent."},
    {.name = "function", .types = FIELD_OBJECT, .of = &function_call_fields, .doc = "The function called."},
};

static const struct field_table tool_call_fields = {.name = "ToolCall", FIELD_ROWS(tool_call_rows)};
static const struct field tool_call_element = {
    .types = FIELD_OBJECT, .of = &tool_call_fields, .doc = "One call of a tool."};

static const struct field text_part_rows[] = {
    {.name = "text", .types = FIELD_STRING, .required = true, .doc = "The text."},
};
static const struct field_table text_part_fields = {.name = "TextPart", FIELD_ROWS(text_part_rows)};

static const struct field image_url_rows[] = {
    {.name = "url", .types = FIELD_STRING, .required = true, .doc = "The image's URL, or its bytes as a data: URL."},
    {.name = "detail", .types = FIELD_STRING, .doc = "How closely to look: auto, low or high."},
};
static const struct field_table image_url_fields = {.name = "ImageUrl", FIELD_ROWS(image_url_rows)};

static const struct field image_part_rows[] = {
    {.name = "image_url",
     .types = FIELD_OBJECT | FIELD_STRING,
     .required = true,
     .of = &image_url_fields,
     .doc = "The image; some backends take the bare URL."},
};
static const struct field_table image_part_fields = {.name = "ImagePart", FIELD_ROWS(image_part_rows)};

static const struct field input_audio_rows[] = {
    {.name = "data", .types = FIELD_STRING, .required = true, .doc = "The sound in base64."},
    {.name = "format", .types = FIELD_STRING, .doc = "Its format, wav or mp3."},
};
static const struct field_table input_audio_fields = {.name = "InputAudio", FIELD_ROWS(input_audio_rows)};

static const struct field audio_part_rows[] = {
    {.name = "input_audio", .types = FIELD_OBJECT, .required = true, .of = &input_audio_fields, .doc = "The sound."},
};
static const struct field_table audio_part_fields = {.name = "AudioPart", FIELD_ROWS(audio_part_rows)};

static const struct field file_part_rows[] = {
    {.name = "file", .types = FIELD_OBJECT, .required = true, .doc = "The file: file_id, or file_data and filename."},
};
static const struct field_table file_part_fields = {.name = "FilePart", FIELD_ROWS(file_part_rows)};

static const struct field refusal_part_rows[] = {
    {.name = "refusal", .types = FIELD_STRING, .required = true, .doc = "The words of the refusal."},
};
static const struct field_table refusal_part_fields = {.name = "RefusalPart", FIELD_ROWS(refusal_part_rows)};

static const struct field part_rows[] = {
    {.name = "type", .types = FIELD_STRING, .required = true, .min_length = 1, .doc = "What the part is."},
};

static const struct field_variant part_variants[] = {
    {"text", &text_part_fields}, {"image_url", &image_part_fields}, {"input_audio", &audio_part_fields},
    {"file", &file_part_fields}, {"refusal", &refusal_part_fields},
};

static const struct field_table part_fields = {
    .name = "ContentPart",
    FIELD_ROWS(part_rows),
    .by = "type",
    .variants = part_variants,
    .variant_count = sizeof(part_variants) / sizeof(part_variants[0]),
};

static const struct field part_element = {
    .types = FIELD_OBJECT | FIELD_STRING,
    .of = &part_fields,
    .doc = "A part of the content; some backends take bare strings.",
};

static const char *const roles[] = {"system", "developer", "user", "assistant", "tool", "function", NULL};

static const struct field message_rows[] = {
    {.name = "role", .types = FIELD_STRING, .required = true, .choices = roles, .doc = "Who speaks."},
    {.name = "content",
     .types = FIELD_STRING | FIELD_ARRAY,
     .element = &part_element,
     .doc = "What is said: a string or an array of parts."},
    {.name = "name", .types = FIELD_STRING, .doc = "The speaker's name, to tell several of one role apart."},
    {.name = "tool_calls",
     .types = FIELD_ARRAY,
     .element = &tool_call_element,
     .doc = "The calls of tools that the assistant made."},
    {.name = "tool_call_id", .types = FIELD_STRING, .doc = "The call that this message of a tool answers."},
    {.name = "refusal", .types = FIELD_STRING, .doc = "The assistant's refusal."},
    {.name = "audio", .types = FIELD_OBJECT, .doc = "An earlier spoken answer, by id."},
    {.name = "function_call",
     .types = FIELD_OBJECT,
     .of = &function_call_fields,
     .doc = "Deprecated: the one function that the assistant called."},
};

static const struct field_table message_fields = {.name = "Message", FIELD_ROWS(message_rows)};
static const struct field message_element = {.types = FIELD_OBJECT, .of = &message_fields, .doc = "One message."};

static const struct field function_rows[] = {
    {.name = "name", .types = FIELD_STRING, .required = true, .min_length = 1, .doc = "The function's name."},
    {.name = "description", .types = FIELD_STRING, .doc = "What it does, for the model to choose by."},
    {.name = "parameters", .types = FIELD_OBJECT, .doc = "Its parameters as a JSON Schema."},
    {.name = "strict", .types = FIELD_BOOLEAN, .doc = "Whether calls must follow the schema exactly."},
};

static const struct field_table function_fields = {.name = "Function", FIELD_ROWS(function_rows)};
static const struct field function_element = {.types = FIELD_OBJECT, .of = &function_fields, .doc = "One function."};

static const struct field function_tool_rows[] = {
    {.name = "function", .types = FIELD_OBJECT, .required = true, .of = &function_fields, .doc = "The function."},
};
static const struct field_table function_tool_fields = {.name = "FunctionTool", FIELD_ROWS(function_tool_rows)};

static const struct field tool_rows[] = {
    {.name = "type", .types = FIELD_STRING, .required = true, .min_length = 1, .doc = "The type of the tool."},
};
static const struct field_variant tool_variants[] = {{"function", &function_tool_fields}};
static const struct field_table tool_fields = {
    .name = "Tool", FIELD_ROWS(tool_rows), .by = "type", .variants = tool_variants, .variant_count = 1};
static const struct field tool_element = {.types = FIELD_OBJECT, .of = &tool_fields, .doc = "One tool."};

static const struct field chosen_rows[] = {
    {.name = "name", .types = FIELD_STRING, .required = true, .min_length = 1, .doc = "The function to call."},
};
static const struct field_table chosen_fields = {.name = "ChosenFunction", FIELD_ROWS(chosen_rows)};
static const struct field function_choice_rows[] = {
    {.name = "function", .types = FIELD_OBJECT, .required = true, .of = &chosen_fields, .doc = "Which function."},
};
static const struct field_table function_choice_fields = {.name = "FunctionChoice", FIELD_ROWS(function_choice_rows)};
static const struct field tool_choice_rows[] = {
    {.name = "type", .types = FIELD_STRING, .required = true, .min_length = 1, .doc = "The type of the tool."},
};
static const struct field_variant tool_choice_variants[] = {{"function", &function_choice_fields}};
static const struct field_table tool_choice_fields = {.name = "ToolChoice",
						      FIELD_ROWS(tool_choice_rows),
						      .by = "type",
						      .variants = tool_choice_variants,
						      .variant_count = 1};

static const struct field json_schema_rows[] = {
    {.name = "json_schema", .types = FIELD_OBJECT, .required = true, .doc = "The schema, its name and strictness."},
};
static const struct field_table json_schema_fields = {.name = "JsonSchemaFormat", FIELD_ROWS(json_schema_rows)};
static const struct field response_format_rows[] = {
    {.name = "type", .types = FIELD_STRING, .required = true, .doc = "text, json_object or json_schema."},
};
static const struct field_variant response_format_variants[] = {{"json_schema", &json_schema_fields}};
static const struct field_table response_format_fields = {.name = "ResponseFormat",
							  FIELD_ROWS(response_format_rows),
							  .by = "type",
							  .variants = response_format_variants,
							  .variant_count = 1};

static const struct field chat_rows[] = {
    {.name = "model", .types = FIELD_STRING, .required = true, .min_length = 1, .doc = "The model to ask."},
    {.name = "messages",
     .types = FIELD_ARRAY,
     .required = true,
     .min_items = 1,
     .element = &message_element,
     .doc = "The conversation so far."},
    {.name = "audio", .types = FIELD_OBJECT, .doc = "Voice and format of a spoken answer."},
    {.name = "frequency_penalty",
     .types = FIELD_NUMBER,
     .min = -2,
     .max = 2,
     .doc = "Makes tokens less likely the more often they occurred."},
    {.name = "function_call",
     .types = FIELD_STRING | FIELD_OBJECT,
     .doc = "Deprecated by tool_choice: which function is called."},
    {.name = "functions",
     .types = FIELD_ARRAY,
     .element = &function_element,
     .doc = "Deprecated by tools: the functions that may be called."},
    {.name = "logit_bias", .types = FIELD_OBJECT, .doc = "A bias for single tokens, by token id."},
    {.name = "logprobs", .types = FIELD_BOOLEAN, .doc = "Whether log probabilities of the tokens are told."},
    {.name = "max_completion_tokens",
     .types = FIELD_INTEGER,
     .min = 1,
     .max = OPENAI_TOKENS_MOST,
     .doc = "The most tokens to generate, those of reasoning included."},
    {.name = "max_tokens",
     .types = FIELD_INTEGER,
     .min = 1,
     .max = OPENAI_TOKENS_MOST,
     .doc = "Deprecated by max_completion_tokens: the most tokens to generate."},
    {.name = "metadata", .types = FIELD_OBJECT, .doc = "Up to 16 pairs of strings kept with a stored completion."},
    {.name = "modalities",
     .types = FIELD_ARRAY,
     .element = &openai_string_element,
     .doc = "What kinds of output are wanted: text, audio."},
    {.name = "n", .types = FIELD_INTEGER, .min = 1, .max = 128, .doc = "How many choices are generated."},
    {.name = "parallel_tool_calls", .types = FIELD_BOOLEAN, .doc = "Whether several tools may be called at once."},
    {.name = "prediction", .types = FIELD_OBJECT, .doc = "Text that the answer will largely repeat."},
    {.name = "presence_penalty",
     .types = FIELD_NUMBER,
     .min = -2,
     .max = 2,
     .doc = "Makes tokens less likely once they occurred."},
    {.name = "prompt_cache_key", .types = FIELD_STRING, .doc = "Groups requests for the backend's prompt cache."},
    {.name = "prompt_cache_retention", .types = FIELD_STRING, .doc = "How long the backend keeps a prompt's cache."},
    {.name = "reasoning_effort", .types = FIELD_STRING, .doc = "How much a reasoning model thinks."},
    {.name = "response_format",
     .types = FIELD_OBJECT,
     .of = &response_format_fields,
     .doc = "The form the answer must have."},
    {.name = "safety_identifier", .types = FIELD_STRING, .doc = "A stable, anonymous id of the end user."},
    {.name = "seed", .types = FIELD_INTEGER, .doc = "Makes sampling repeatable as far as the backend can."},
    {.name = "service_tier", .types = FIELD_STRING, .doc = "The class of service to be used."},
    {.name = "stop",
     .types = FIELD_STRING | FIELD_ARRAY,
     .element = &openai_string_element,
     .doc = "Texts at which generation stops."},
    {.name = "store", .types = FIELD_BOOLEAN, .doc = "Whether the backend keeps the completion."},
    {.name = "stream", .types = FIELD_BOOLEAN, .doc = "Whether the answer is streamed as server-sent events."},
    {.name = "stream_options",
     .types = FIELD_OBJECT,
     .of = &openai_stream_options_fields,
     .doc = "Options of a streamed answer."},
    {.name = "temperature",
     .types = FIELD_NUMBER,
     .min = 0,
     .max = 2,
     .doc = "The randomness of sampling; 0 takes the likeliest token."},
    {.name = "tool_choice",
     .types = FIELD_STRING | FIELD_OBJECT,
     .of = &tool_choice_fields,
     .doc = "Which tool is called: none, auto, required, or one by name."},
    {.name = "tools", .types = FIELD_ARRAY, .element = &tool_element, .doc = "The tools the model may call."},
    {.name = "top_logprobs",
     .types = FIELD_INTEGER,
     .min = 0,
     .max = 20,
     .doc = "How many of the likeliest tokens are told at each position."},
    {.name = "top_p",
     .types = FIELD_NUMBER,
     .min = 0,
     .max = 1,
     .doc = "Samples among the likeliest tokens of this total probability."},
    {.name = "user", .types = FIELD_STRING, .doc = "The end user on whose behalf the request is made."},
    {.name = "verbosity", .types = FIELD_STRING, .doc = "How wordy the answer is: low, medium or high."},
    {.name = "web_search_options", .types = FIELD_OBJECT, .doc = "Options of the backend's web search."},
};

const struct field_table openai_chat_fields = {.name = "ChatCompletionRequest", FIELD_ROWS(chat_rows)};
