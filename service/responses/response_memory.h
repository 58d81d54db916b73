/* SPDX-License-Identifier: MIT */
/* Stored responses as a request sees them: those of its tenant. */
#ifndef SLUICE_SERVICE_RESPONSES_RESPONSE_MEMORY_H
#define SLUICE_SERVICE_RESPONSES_RESPONSE_MEMORY_H

#include "schemas/request.h"
#include "service/responses/response_store.h"

/* Returns what is kept for that tenant, in the request's arena; NULL: nothing is, or memory ran out. store: borrows,
 * for the request's life; NULL = nothing is kept. */
const struct request_memory *response_memory(struct response_store *store, const struct response_store_limits *limits,
					     struct span tenant, struct arena *arena);

#endif
