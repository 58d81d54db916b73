/* SPDX-License-Identifier: MIT */
/*
 * One client request and its answer, from the complete request to the last
 * byte. The exchange knows nothing of HTTP versions: it answers through the
 * methods of client.h, which service/http provides.
 */
#ifndef SLUICE_SERVICE_EXCHANGE_EXCHANGE_H
#define SLUICE_SERVICE_EXCHANGE_EXCHANGE_H

#include "schemas/error_body.h"
#include "service/access/holder.h"
#include "service/exchange/client.h"
#include "service/flights/flight_worker.h"

struct response_store;
struct shared_responses;
struct exchange;
struct quota_port;
struct quotas;

/* What an exchange needs of its worker. */
struct exchange_worker {
	struct flight_worker flights;              /* lent to flights */
	struct response_store *responses;          /* responses, of the process; NULL = none are kept */
	struct shared_responses *shared_responses; /* the worker's way to those in Redis; NULL = they are not shared */
	struct quotas *quotas;                     /* of the process; NULL = nothing is limited */
	struct quota_port *quota_port;             /* the worker's; NULL = limits are this process' own */
	const struct plan *const *plans;           /* by index of the model in the configuration */
	struct exchange *exchanges;                /* all of them now, newest first */
};

/* What is done with a request: a model is asked, and its answer relayed; or the request brings a plan, and every lane
 * of it is told. */
struct exchange_kind;
extern const struct exchange_kind exchange_relay;
extern const struct exchange_kind exchange_fanout;

/* One request. Spans are borrowed for as long as the client is valid. */
struct exchange_request {
	const struct exchange_kind *kind;
	const struct dialect *dialect;
	enum endpoint endpoint; /* of a relay; a fan-out asks for chats */
	struct span body;
	struct span request_id;  /* the client's x-request-id, empty = none */
	struct span traceparent; /* the client's, empty = none */
	struct span retry_count; /* the client's x-stainless-retry-count, empty = none */
	struct span options;     /* the client's field that its dialect has for options; empty = none */
	struct span timeout;     /* the client's x-stainless-timeout: seconds that it waits; empty = it does not say */
	struct holder *holder;   /* whose key was shown; NULL = nobody was asked for one */
	uint64_t client;         /* whose request it is: a hash of its tenant or address */
	uint64_t network;        /* where it comes from: a hash */
	uint32_t party;          /* who is charged for it in the ledger */
	struct span tenant;      /* whose answers it may see; empty = those of nobody in particular */
	struct span cache_control; /* the client's, empty = none */
	struct span if_none_match; /* the client's, empty = none */
	struct span lossy;         /* the client's x-sluice-lossy, empty = none */
	int http_version;          /* 10, 11 or 20, for the log */
	enum error_form form;      /* of errors while nothing was sent */
};

/*
 * Takes a request. NULL when it was answered at once, or when out of memory (answered with 503); else the exchange,
 * which lives until it finishes or aborts the client, or until exchange_on_gone.
 */
struct exchange *exchange_start(struct exchange_worker *worker, const struct exchange_request *request,
				const struct exchange_client_ops *ops, void *client);

/* The client has left: everything done for it stops at once. The exchange is gone when this returns. */
void exchange_on_gone(struct exchange *exchange);

/* Ends all exchanges of the worker with that error, told as far as it still can be. */
void exchange_end_all(struct exchange_worker *worker, enum error_code code);

/* The client's backlog fell below the low mark. */
void exchange_on_drained(struct exchange *exchange);

#endif
