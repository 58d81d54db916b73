/* SPDX-License-Identifier: MIT */
/*
 * The limits that a request falls under: whether it is taken, what its answer's head says of them, and the words of a
 * refusal. What it uses is counted by its bill (service/quotas/bill.h).
 */
#ifndef SLUICE_SERVICE_EXCHANGE_LIMITING_H
#define SLUICE_SERVICE_EXCHANGE_LIMITING_H

#include "service/exchange/limit_fields.h"

struct exchange;
struct failure;

struct limiting {
	bool opened;
	struct bill *bill;           /* held; NULL = nothing is limited */
	struct failure *failure;     /* in the arena: why it was refused last; NULL = it was not, or memory ran out */
	struct limit_fields *fields; /* in the arena; NULL = none */
};

/*
 * Takes the request under its limits, once. calls: backends are asked for it, and it takes what they may use; another
 * time without calls changes nothing. False, with limiting.failure: there is no room, or no memory.
 */
bool limiting_take(struct exchange *exchange, bool calls);

/* Ends what the exchange itself holds. */
void limiting_close(struct limiting *limiting);

#endif
