/* SPDX-License-Identifier: MIT */
/* What `sluice cache` prints. */
#ifndef SLUICE_SERVICE_CACHE_COMMAND_H
#define SLUICE_SERVICE_CACHE_COMMAND_H

#include "config/config.h"
#include "lib/buf.h"

/*
 * Tells how the cache sees a request: whether it can be cached under the rule of its model, and if not, why; its
 * canonical form; its key; of embeddings those of each input. The endpoint is known by the body: messages are a chat, a
 * prompt is a completion, an input an embedding. tenant: whose request it is, as http_request_tenant() has it; empty =
 * nobody's in particular. False with what is wrong appended instead.
 */
bool cache_command_key(const struct config *config, struct span body, struct span tenant, struct buf *out);

#endif
