/* SPDX-License-Identifier: MIT */
/*
 * What the service tells about itself: models, health, backends, metrics, its contract; and what it does when it is
 * told to. An answer is made at once, in memory, or by a job that takes a moment.
 */
#ifndef SLUICE_SERVICE_ADMIN_ADMIN_H
#define SLUICE_SERVICE_ADMIN_ADMIN_H

#include "config/config.h"
#include "lib/arena.h"
#include "lib/errors.h"
#include "lib/http_field.h"
#include "schemas/finding.h"

struct bytes;
struct cache_worker;
struct dialect;
struct health;
struct holder;
struct job_port;
struct limit;
struct offload_port;
struct quotas;
struct response_store;
struct shared_responses;

enum { ADMIN_FIELDS_MAX = 4 };

struct admin_request {
	const struct config *config;
	const struct dialect *dialect;   /* of whoever asks */
	const struct config_key *holder; /* who asks; NULL = nobody was asked for a key */
	struct holder *shown;            /* the same, for a job to hold */
	uint64_t network, client;        /* where it comes from, and whose it is: hashes, for helpers */
	uint32_t party;                  /* of the ledger */
	/* Keeps the body for longer than the answer takes; the holder drops it. NULL: out of memory. */
	struct bytes *(*hold_body)(void *lender);
	void *lender;
	struct health *health;
	struct cache_worker *cache;
	struct offload_port *offload;              /* helper threads; NULL = none */
	struct response_store *responses;          /* that are stored; NULL = none are */
	struct shared_responses *shared_responses; /* the way to those in Redis; NULL = they are not shared */
	struct span tenant;          /* whose answers who asks may see; empty = those of nobody in particular */
	struct quotas *quotas;       /* NULL = nothing is limited */
	struct job_port *keys;       /* to the store of keys; NULL = there is none */
	struct job_port *usage;      /* to the record of use; NULL = there is none */
	struct limit *const *limits; /* by index of the target; NULL = none */
	uint64_t now_us;             /* on the clock of health */
	struct span argument;        /* the segment of the path in braces, still percent-encoded */
	struct span body;            /* of the request, borrowed */
	struct span query;           /* without '?' */
	struct span accept;          /* the header field; {NULL,0} = absent */
	struct span accept_encoding; /* the header field; {NULL,0} = absent */
	struct arena *arena;         /* lives until the answer was sent */
	bool draining;
};

struct admin_answer;

/* An answer that takes a moment. The operation that began it owns it. */
struct admin_job {
	/* Makes the answer, once it can be made; the job is gone then. answer is empty and good so far. */
	void (*tell)(struct admin_job *job, struct admin_answer *answer);
	/* Nobody waits any more; the job ends when it is done. */
	void (*leave)(struct admin_job *job);
	/* Of whoever waits, who sets it: the answer can be made. Never inside the operation. */
	void (*on_ready)(void *waiter);
	void *waiter;
};

struct admin_answer {
	struct admin_job *job; /* not NULL: the answer will be made by it, and this is empty */
	enum error_code error; /* not ERROR_NONE: refused, the body is the message */
	struct span param;     /* of a refusal; {NULL,0} = none */
	struct span details;   /* of a refusal: its findings as a JSON array; {NULL,0} = none */
	int status;
	const char *content_type;
	struct http_field fields[ADMIN_FIELDS_MAX]; /* more header fields; borrowed until the answer was sent */
	size_t field_count;
	struct span constant; /* a body that lives as long as the process; {NULL,0} = body is it */
	struct buf body;
	struct arena *arena; /* of an answer that a job makes: lives until it was sent */
};

void admin_models(const struct admin_request *request, struct admin_answer *answer);
void admin_model(const struct admin_request *request, struct admin_answer *answer);
void admin_count_tokens(const struct admin_request *request, struct admin_answer *answer);
void admin_limits(const struct admin_request *request, struct admin_answer *answer);
void admin_response(const struct admin_request *request, struct admin_answer *answer);
void admin_response_delete(const struct admin_request *request, struct admin_answer *answer);
void admin_response_items(const struct admin_request *request, struct admin_answer *answer);
void admin_usage(const struct admin_request *request, struct admin_answer *answer);
void admin_livez(const struct admin_request *request, struct admin_answer *answer);
void admin_readyz(const struct admin_request *request, struct admin_answer *answer);
void admin_docs(const struct admin_request *request, struct admin_answer *answer);
void admin_backends(const struct admin_request *request, struct admin_answer *answer);
void admin_cache(const struct admin_request *request, struct admin_answer *answer);
void admin_purge(const struct admin_request *request, struct admin_answer *answer);
void admin_keys(const struct admin_request *request, struct admin_answer *answer);
void admin_key_create(const struct admin_request *request, struct admin_answer *answer);
void admin_key(const struct admin_request *request, struct admin_answer *answer);
void admin_key_change(const struct admin_request *request, struct admin_answer *answer);
void admin_key_revoke(const struct admin_request *request, struct admin_answer *answer);
void admin_key_rotate(const struct admin_request *request, struct admin_answer *answer);
void admin_metrics(const struct admin_request *request, struct admin_answer *answer);
void admin_openapi(const struct admin_request *request, struct admin_answer *answer);

/* Refuses the request for what was found in its query. */
void admin_refuse_findings(const struct admin_request *request, struct admin_answer *answer,
			   const struct findings *findings);

/* The finding that a parameter of the query names no model. */
void admin_find_unknown(const struct admin_request *request, const char *name, struct span value,
			struct findings *findings);

#endif
