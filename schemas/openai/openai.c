/* SPDX-License-Identifier: MIT */
/* What the requests and the answers of the OpenAI dialect have in common. */
#include "schemas/openai/openai.h"

#include <string.h>

#include "lib/random.h"

const char *openai_endpoint_path(enum endpoint endpoint)
{
	static const char *const paths[] = {
	    [ENDPOINT_CHAT] = "/chat/completions",
	    [ENDPOINT_COMPLETIONS] = "/completions",
	    [ENDPOINT_EMBEDDINGS] = "/embeddings",
	};
	return paths[endpoint];
}

struct span openai_make_id(enum endpoint endpoint, char room[ANSWER_ID_SIZE])
{
	enum { RANDOM_BYTES = 16 };
	struct span prefix = endpoint == ENDPOINT_CHAT ? SPAN("chatcmpl-") : SPAN("cmpl-");
	memcpy(room, prefix.at, prefix.len);
	random_hex(room + prefix.len, RANDOM_BYTES);
	return (struct span){room, prefix.len + (size_t)2 * RANDOM_BYTES};
}
