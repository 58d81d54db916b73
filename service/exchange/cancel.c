/* SPDX-License-Identifier: MIT */
/*
 * Cancelling. A client that leaves ends its exchange at once; an exchange that ends leaves the source of its answer,
 * and is called by nobody afterwards. All calls to backends are aborted, including those that wait or have not started:
 *
 *   exchange_on_gone()           in this file: the next step is END
 *   exchange_set_source(NULL)    in this file, called by exchange.c: calls leave() of struct exchange_source
 *     of a flight of its own     leave_own() in join.c, flight_leave() in flights/flight.c, cancel() of each
 *                                combinator, target_cancel() in plan/target.c, http_call_cancel()
 *     of a shared flight         exchange_leave_follower() in join.c, follower_leave() in flights/follower.c; when
 *                                nobody follows, shared_wish() in flights/leader.c returns SHARED_CANCEL, and the
 *                                leader leaves the flight
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
