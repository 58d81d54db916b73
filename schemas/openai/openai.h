/* SPDX-License-Identifier: MIT */
/* What the requests and the answers of the OpenAI dialect have in common. */
#ifndef SLUICE_SCHEMAS_OPENAI_H
#define SLUICE_SCHEMAS_OPENAI_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/arena.h"
#include "lib/span.h"
#include "schemas/dialect.h"
#include "schemas/endpoint.h"
#include "schemas/event.h"
#include "schemas/finding.h"

/* The path below a backend's base URL: "/chat/completions", "/completions", "/embeddings". */
const char *openai_endpoint_path(enum endpoint endpoint);

/* Returns a fresh id of an answer, in room: like those of backends. */
struct span openai_make_id(enum endpoint endpoint, char room[ANSWER_ID_SIZE]);

#endif
