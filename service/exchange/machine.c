/* SPDX-License-Identifier: MIT */
/*
 * The machine that runs the steps of an exchange (internal.h); exchange.c has the table of them. Whatever is not
 * allowed traps: it is an error of ours.
 */
#include "service/exchange/internal.h"

/* FAIL and END may follow any step. */
static bool may_follow(const struct exchange *exchange, enum exchange_step step)
{
	unsigned next = exchange->steps[exchange->step].next | 1u << EXCHANGE_FAIL | 1u << EXCHANGE_END;
	return exchange->step == step || (next & 1u << step) != 0;
}

bool exchange_go(struct exchange *exchange, enum exchange_step step)
{
	while (step != EXCHANGE_WAIT) {
		if (!may_follow(exchange, step))
			__builtin_trap();
		exchange->step = step;
		bool ends = step == EXCHANGE_END;
		step = exchange->steps[step].run(exchange);
		if (ends)
			return false;
	}
	return true;
}

void exchange_set_state(struct exchange *exchange, enum exchange_state state)
{
#define FROM(st) (1u << EXCHANGE_ST_##st)
	static const unsigned allowed[EXCHANGE_ST_COUNT] = {
	    [EXCHANGE_ST_READING] = FROM(WAITING),
	    [EXCHANGE_ST_WAITING] = FROM(NEW) | FROM(READING),
	    [EXCHANGE_ST_STREAM] = FROM(WAITING),
	    [EXCHANGE_ST_BODY] = FROM(WAITING),
	    [EXCHANGE_ST_ENDED] = FROM(NEW) | FROM(READING) | FROM(WAITING) | FROM(STREAM) | FROM(BODY),
	};
#undef FROM
	if ((allowed[state] & 1u << exchange->state) == 0)
		__builtin_trap();
	exchange->state = state;
}

unsigned exchange_attempts(const struct exchange *exchange)
{
	const struct exchange_source *source = exchange->source;
	return source != NULL && source->attempts != NULL ? source->attempts(exchange) : exchange->attempts;
}

enum exchange_step exchange_fails(struct exchange *exchange, enum error_code code)
{
	exchange->failure = NULL;
	exchange->failure_code = code;
	return EXCHANGE_FAIL;
}

enum exchange_step exchange_completes(struct exchange *exchange)
{
	exchange->ending = EXCHANGE_COMPLETE;
	return EXCHANGE_END;
}

enum exchange_step exchange_cuts(struct exchange *exchange, enum error_code code)
{
	exchange->report.error = code;
	exchange->ending = EXCHANGE_CUT;
	return EXCHANGE_END;
}
