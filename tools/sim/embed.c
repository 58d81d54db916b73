/* SPDX-License-Identifier: MIT */
/* Vectors by hash; embed.h holds the contract. */
#include "tools/sim/embed.h"

#include <inttypes.h>
#include <math.h>

#include "lib/json_write.h"
#include "tools/sim/model.h"

static void base64_write(struct buf *out, const unsigned char *bytes, size_t len)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	for (size_t i = 0; i < len; i += 3) {
		unsigned have = len - i > 2 ? 3 : (unsigned)(len - i);
		unsigned group = (unsigned)bytes[i] << 16 | (have > 1 ? (unsigned)bytes[i + 1] << 8 : 0) |
				 (have > 2 ? (unsigned)bytes[i + 2] : 0);
		char text[4] = {digits[group >> 18], digits[group >> 12 & 63], have > 1 ? digits[group >> 6 & 63] : '=',
				have > 2 ? digits[group & 63] : '='};
		buf_append(out, (struct span){text, 4});
	}
}

/* The vector of a text: components from -1 to 1 by hash, divided by their norm. */
static void vector_make(float *vector, uint32_t dimensions, uint64_t hash)
{
	double square = 0;
	for (uint32_t i = 0; i < dimensions; i++) {
		double value = (double)(model_mix(hash + i) >> 11) / 9007199254740992.0 * 2 - 1;
		vector[i] = (float)value;
		square += value * value;
	}
	double norm = square > 0 ? sqrt(square) : 1;
	for (uint32_t i = 0; i < dimensions; i++)
		vector[i] = (float)(vector[i] / norm);
}

static void vector_write(struct buf *out, const float *vector, uint32_t dimensions, bool base64)
{
	if (base64) {
		buf_append(out, SPAN("\""));
		base64_write(out, (const unsigned char *)vector, dimensions * sizeof *vector);
		buf_append(out, SPAN("\""));
		return;
	}
	for (uint32_t i = 0; i < dimensions; i++)
		buf_printf(out, "%s%.9g", i == 0 ? "[" : ",", (double)vector[i]);
	buf_append(out, SPAN("]"));
}

static void item_write(struct buf *out, const struct ask *ask, uint64_t seed, struct span text, uint32_t index)
{
	float vector[ASK_DIMENSIONS_MOST] = {0};
	uint64_t hash = model_hash(UINT64_C(0xcbf29ce484222325) ^ model_mix(seed), ask->name);
	vector_make(vector, ask->dimensions, model_mix(model_hash(model_hash(hash, SPAN("\n")), text)));
	buf_printf(out, "%s{\"object\":\"embedding\",\"index\":%u,\"embedding\":", index == 0 ? "" : ",", index);
	vector_write(out, vector, ask->dimensions, ask->base64);
	buf_append(out, SPAN("}"));
}

/* True when the input is one array of token numbers rather than an array of inputs. */
static bool is_tokens(const struct ask *ask)
{
	uint32_t first = json_first(&ask->json, ask->input);
	return first != JSON_NONE && json_type(&ask->json, first) == JSON_NUMBER;
}

void embed_write(struct buf *out, const struct ask *ask, uint64_t seed, struct arena *arena)
{
	const struct json *json = &ask->json;
	buf_append(out, SPAN("{\"object\":\"list\",\"data\":["));
	if (json_type(json, ask->input) == JSON_STRING) {
		item_write(out, ask, seed, ask->prompt, 0);
	} else if (is_tokens(ask)) {
		item_write(out, ask, seed, json_raw(json, ask->input), 0);
	} else {
		uint32_t index = 0;
		for (uint32_t at = json_first(json, ask->input); at != JSON_NONE;
		     at = json_next(json, ask->input, at)) {
			bool string = json_type(json, at) == JSON_STRING;
			item_write(out, ask, seed, string ? json_string(json, at, arena) : json_raw(json, at), index++);
		}
	}
	buf_append(out, SPAN("],\"model\":"));
	json_write_string(out, ask->name);
	buf_printf(out, ",\"usage\":{\"prompt_tokens\":%" PRIu64 ",\"total_tokens\":%" PRIu64 "}}", ask->prompt_tokens,
		   ask->prompt_tokens);
}
