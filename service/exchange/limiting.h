/* SPDX-License-Identifier: MIT */
/*
 * The limits that a request falls under: whether it is taken, what its answer's head says of them, and the words of a
 * refusal. What it uses is counted by its bill (service/quotas/bill.h).
 */
#ifndef SLUICE_SERVICE_EXCHANGE_LIMITING_H
#define SLUICE_SERVICE_EXCHANGE_LIMITING_H

#include "service/exchange/limit_fields.h"
#include "service/quotas/borrow.h"

struct exchange;
struct failure;

struct limiting {
	bool opened;
	bool taken;                  /* the request was let in */
	struct bill *bill;           /* held; NULL = nothing is limited */
	struct failure *failure;     /* in the arena: why it was refused last; NULL = it was not, or memory ran out */
	struct limit_fields *fields; /* owned; NULL = none */
	struct quota_waiter waiter;  /* for what other replicas may leave */
};

enum limiting_verdict {
	LIMITING_TAKEN,
	LIMITING_REFUSED, /* there is no room, or no memory: limiting.failure */
	LIMITING_WAITS    /* Redis is asked: the exchange takes the same step again */
};

/*
 * Takes the request under its limits, once. calls: backends are asked for it, and it takes what they may use; another
 * time without calls changes nothing.
 */
enum limiting_verdict limiting_take(struct exchange *exchange, bool calls);

/* The same for a request that may follow the flight of another one, which costs no tokens. *joins_only: that is all
 * that it may do. */
enum limiting_verdict limiting_take_to_join(struct exchange *exchange, bool *joins_only);

/* Ends what the exchange itself holds, and its wait. */
void limiting_close(struct exchange *exchange);

#endif
