/* SPDX-License-Identifier: MIT */
/* Reading a request of the Responses dialect. */
#ifndef SLUICE_SCHEMAS_RESPONSES_REQUEST_H
#define SLUICE_SCHEMAS_RESPONSES_REQUEST_H

#include "schemas/request.h"

/*
 * Decodes and validates a body, as request_decode(). Leaves the chat request that asks for the same (to_chat.h) in the
 * place of the client's, in the arena: request->json is that one, and request->dialect its dialect. request->echo is
 * then a struct responses_echo.
 */
bool responses_request_decode(struct request *request, struct arena *arena, struct span body,
			      const struct json_limits *limits, struct findings *findings);

#endif
