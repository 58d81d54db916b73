/* SPDX-License-Identifier: MIT */
/*
 * Embeddings and the cache: each input of a request is looked for by itself, the plan is asked only for those that
 * are not there, each once, and the answer is put together in the order of the inputs.
 *
 * Where all inputs are missing and none is repeated, the answer is relayed as it comes, as without a cache. Where an
 * answer cannot be taken apart, the plan is asked for the whole request and its answer relayed, whatever it is.
 */
#ifndef SLUICE_SERVICE_EXCHANGE_EMBEDDING_H
#define SLUICE_SERVICE_EXCHANGE_EMBEDDING_H

#include "service/exchange/internal.h"

/*
 * Lists the inputs of a decoded request and computes their keys; thread-safe. tenant: whose request it is. NULL when
 * out of memory: not for the cache, then.
 */
struct embedding *embedding_create(const struct request *request, const struct config_model *model, struct span tenant);

/* Frees what no exchange has. */
void embedding_destroy(struct embedding *embedding);

/* Gives it to the exchange, whose request is that one. */
void embedding_attach(struct exchange *exchange, struct embedding *embedding);

/* The steps EXCHANGE_LOOK_UP_INPUTS, EXCHANGE_JOIN_INPUTS and EXCHANGE_HIT_INPUTS. */
enum exchange_step embedding_look_up(struct exchange *exchange);
enum exchange_step embedding_join(struct exchange *exchange);
enum exchange_step embedding_hit(struct exchange *exchange);

/* Returns whether stale vectors may stand in for all that are missing; EXCHANGE_HIT_INPUTS gives them then. */
bool embedding_stale_suffices(struct exchange *exchange);

/* The exchange is over. Harmless when it has none. */
void embedding_close(struct exchange *exchange);

#endif
