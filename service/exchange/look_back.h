/* SPDX-License-Identifier: MIT */
/*
 * Requests that go on from a stored response: where replicas share responses, Redis is asked before the request is
 * read, so that reading finds the conversation in memory.
 */
#ifndef SLUICE_SERVICE_EXCHANGE_LOOK_BACK_H
#define SLUICE_SERVICE_EXCHANGE_LOOK_BACK_H

#include "service/exchange/internal.h"

/* The step EXCHANGE_LOOK_BACK. Fails with ERROR_RESPONSE_STORE when Redis does not answer and memory has nothing. */
enum exchange_step exchange_look_back(struct exchange *exchange);

/* Nothing comes from it any more. Harmless when none is under way. */
void look_back_close(struct exchange *exchange);

#endif
