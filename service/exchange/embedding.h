/* SPDX-License-Identifier: MIT */
/*
 * Embeddings and the cache: each input of a request is looked for by itself, the plan is asked only for those that
 * are not there, each once, and the answer is put together in the order of the inputs. caching.c hands such
 * exchanges over to this.
 *
 * Where all inputs are missing and none is repeated, the answer is relayed as it comes, as without a cache. Where an
 * answer cannot be taken apart, the plan is asked for the whole request and its answer relayed, whatever it is.
 */
#ifndef SLUICE_SERVICE_EXCHANGE_EMBEDDING_H
#define SLUICE_SERVICE_EXCHANGE_EMBEDDING_H

#include "service/exchange/caching.h"

/*
 * Lists the inputs of a decoded request and computes their keys; thread-safe. tenant: whose request it is. NULL when
 * out of memory: not for the cache, then.
 */
struct embedding *embedding_create(const struct openai_request *request, const struct config_model *model,
				   struct span tenant);

/* Frees what no exchange has. */
void embedding_destroy(struct embedding *embedding);

/* Gives it to the exchange, whose request is that one, or a copy. */
void embedding_attach(struct exchange *exchange, struct embedding *embedding);

/* Looks for the inputs, and answers or asks, at once or when the cache has said what it has. */
enum caching_step embedding_start(struct exchange *exchange);

/* An event of the flight that the exchange follows, but for errors. */
void embedding_on_event(struct exchange *exchange, const struct event *event);

/* True when stale vectors stood in for all that are missing: the exchange answers, or is over. */
bool embedding_stand_in(struct exchange *exchange);

/* Asks for what is missing once more, in the client's own words. True: the exchange goes on, or is over. */
bool embedding_ask_again(struct exchange *exchange);

/* The client took what it was given: more of the answer goes out, in a task. */
void embedding_on_drained(struct exchange *exchange);

/* Why the plan was asked, as Cache-Status says it: "miss", "partial" or "stale". */
struct span embedding_forward(const struct exchange *exchange);

void embedding_close(struct exchange *exchange);

#endif
