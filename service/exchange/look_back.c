/* SPDX-License-Identifier: MIT */
/* The conversation that a request goes on from; look_back.h holds the contract. */
#include "service/exchange/look_back.h"

#include "lib/container.h"
#include "schemas/dialect.h"
#include "service/responses/response_memory.h"

struct look_back {
	struct exchange *exchange;
	struct response_recall recall;
};

/* Returns what comes next while Redis does not answer: what is in memory serves. */
static enum exchange_step look_in_memory(const struct look_back *look)
{
	struct exchange *exchange = look->exchange;
	struct stored_response *found = response_store_get(exchange->worker->responses, look->recall.tenant,
							   look->recall.id, timers_monotonic(NULL));
	if (found == NULL)
		return exchange_fails(exchange, ERROR_RESPONSE_STORE);
	stored_response_drop(found);
	return EXCHANGE_RECALL;
}

static void on_done(struct response_recall *recall, enum recall_result result)
{
	struct look_back *look = container_of(recall, struct look_back, recall);
	struct exchange *exchange = look->exchange;
	exchange->look_back = NULL;
	exchange_set_state(exchange, EXCHANGE_ST_WAITING);
	if (exchange_go(exchange, result == RECALL_SILENT ? look_in_memory(look) : EXCHANGE_RECALL) &&
	    exchange->state != EXCHANGE_ST_READING)
		exchange_keepalive_begin(exchange);
}

/* Returns the id that the request goes on from; {NULL,0}: Redis need not be asked. */
static struct span previous_of(const struct exchange *exchange)
{
	const struct exchange_request *asked = &exchange->asked;
	struct span none = {NULL, 0};
	if (exchange->worker->shared_responses == NULL || exchange->request->memory == NULL ||
	    asked->dialect->previous_glance == NULL)
		return none;
	struct span id = asked->dialect->previous_glance(asked->body);
	return shared_responses_may_have(id) ? id : none;
}

enum exchange_step exchange_look_back(struct exchange *exchange)
{
	struct span id = previous_of(exchange);
	if (id.at == NULL)
		return EXCHANGE_RECALL;
	struct look_back *look = arena_zalloc(exchange_arena(exchange), 1, sizeof(*look));
	if (look == NULL)
		return exchange_fails(exchange, ERROR_OVERLOADED);
	*look = (struct look_back){.exchange = exchange,
				   .recall = {.tenant = exchange->asked.tenant,
					      .id = id,
					      .limits = response_limits(&exchange_config(exchange)->responses),
					      .on_done = on_done}};
	if (!shared_responses_recall(exchange->worker->shared_responses, &look->recall))
		return look_in_memory(look);
	exchange->look_back = look;
	exchange_set_state(exchange, EXCHANGE_ST_READING);
	return EXCHANGE_WAIT;
}

void look_back_close(struct exchange *exchange)
{
	if (exchange->look_back != NULL)
		response_recall_cancel(&exchange->look_back->recall);
	exchange->look_back = NULL;
}
