/* SPDX-License-Identifier: MIT */
/*
 * Cancelling. When a client leaves, its exchange ends at once, and ending leaves the source of the answer: a flight of
 * its own cancels every call to a backend, those included that wait or have not started; a shared flight does so when
 * its last follower has left (service/flights). Nobody is called for the exchange afterwards.
 */
#include "service/exchange/internal.h"

void exchange_set_source(struct exchange *exchange, const struct exchange_source *source)
{
	const struct exchange_source *before = exchange->source;
	exchange->attempts = exchange_attempts(exchange);
	exchange->source = source;
	if (before != NULL)
		before->leave(exchange);
}

void exchange_on_gone(struct exchange *exchange)
{
	exchange->report.error = ERROR_CLIENT_CLOSED;
	exchange->ending = EXCHANGE_GONE;
	exchange_go(exchange, EXCHANGE_END);
}
