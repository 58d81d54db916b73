/* SPDX-License-Identifier: MIT */
/* Stored responses as a request sees them: those of its tenant. */
#ifndef SLUICE_SERVICE_RESPONSES_RESPONSE_MEMORY_H
#define SLUICE_SERVICE_RESPONSES_RESPONSE_MEMORY_H

#include "config/config.h"
#include "schemas/request.h"
#include "service/responses/shared_responses.h"

/* Returns the limits that the configuration sets. */
struct response_store_limits response_limits(const struct config_responses *config);

/* Returns what is kept for that tenant, in the request's arena; NULL: nothing is, or memory ran out. store: borrows,
 * for the request's life; NULL = nothing is kept. */
const struct request_memory *response_memory(struct response_store *store, const struct response_store_limits *limits,
					     struct span tenant, struct arena *arena);

/* Sends what was kept in that memory to the other replicas, if anything was. By the worker of shared, when the request
 * ends. */
void response_memory_share(const struct request_memory *memory, struct shared_responses *shared);

#endif
