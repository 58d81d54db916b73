/* SPDX-License-Identifier: MIT */
/* Requests with several holders; request.h holds the contract. */
#include "schemas/request.h"

#include <stdlib.h>
#include <string.h>

struct request *request_create(enum endpoint endpoint, size_t limit, uint32_t party)
{
	struct request *request = malloc(sizeof(*request)); /* malloc() reuses what was freed last; calloc() does not */
	if (request == NULL)
		return NULL;
	memset(request, 0, sizeof(*request));
	atomic_init(&request->holders, 1);
	arena_init(&request->arena, limit);
	arena_charge(&request->arena, party);
	request->party = party;
	request->endpoint = endpoint;
	return request;
}

struct request *request_hold(struct request *request)
{
	atomic_fetch_add_explicit(&request->holders, 1, memory_order_relaxed);
	return request;
}

void request_drop(struct request *request)
{
	if (request == NULL || atomic_fetch_sub_explicit(&request->holders, 1, memory_order_acq_rel) != 1)
		return;
	arena_fini(&request->arena);
	bytes_drop(request->body);
	free(request);
}

size_t request_arena_most(size_t body)
{
	enum { FACTOR = 32, LEAST = 1024 * 1024, DENSE_MOST = 64 * 1024 * 1024, LARGE_FACTOR = 4 };
	size_t dense = body * FACTOR + LEAST, large = body * LARGE_FACTOR + DENSE_MOST;
	return dense < large ? dense : large; /* a large body is text or pictures, not millions of members */
}

void request_learn(struct request *request)
{
	request->model = request->openai.model;
	request->choices = request->openai.choices;
	request->stream = request->openai.stream;
	request->include_usage = request->openai.include_usage;
}

bool request_decode(struct request *request, struct span body, const struct json_limits *limits,
		    struct findings *findings)
{
	bool good = openai_request_decode(&request->openai, request->endpoint, &request->arena, body, limits, findings);
	request_learn(request);
	return good;
}

void request_keep_body(struct request *request, struct bytes *body)
{
	request->body = body;
}

const char *request_checksum(struct request *request)
{
	if (!request->summed)
		hash_checksum(HASH_START, request->openai.json.text, request->checksum);
	request->summed = true;
	return request->checksum;
}
