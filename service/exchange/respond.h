/* SPDX-License-Identifier: MIT */
/* The heads and errors of responses. */
#ifndef SLUICE_SERVICE_EXCHANGE_RESPOND_H
#define SLUICE_SERVICE_EXCHANGE_RESPOND_H

#include "schemas/dialect.h"
#include "schemas/error_body.h"
#include "service/exchange/client.h"
#include "service/plan/failure.h"

/* Who is answered, and how errors are told. */
struct respond_to {
	const struct exchange_client_ops *ops;
	void *client;
	struct span request_id;
	enum error_form form;
	const struct dialect *dialect;
	bool named;                    /* the events of a stream have names */
	const struct http_field *more; /* fields of any head, limits for one; borrowed */
	size_t more_count;
	struct span dropped; /* what of the request no backend was told: paths; {NULL,0} = nothing */
};

struct respond_head {
	const char *target; /* which backend and model answers; NULL = several */
	unsigned attempts;  /* calls started so far */
	uint64_t processing_us;
	bool stream;
	const struct http_field *more; /* fields of the cache */
	size_t more_count;
};

/* The head of a good answer. content_length: bytes, -1 = unknown. */
void respond_head(const struct respond_to *to, const struct respond_head *head, int64_t content_length);

/* A complete error response but for finish. scratch: any buffer. Returns the status sent. */
int respond_error(const struct respond_to *to, unsigned attempts, const struct failure *failure, struct buf *scratch);

/* An error as an event of a stream: the form on which the OpenAI SDKs raise. False when out of memory. */
bool respond_stream_error(const struct respond_to *to, const struct error_told *told, struct buf *scratch);

/* 503 without any memory of our own, finish included. */
void respond_overloaded(const struct exchange_client_ops *ops, void *client);

#endif
