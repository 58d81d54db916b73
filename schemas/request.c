/* SPDX-License-Identifier: MIT */
/* Requests with several holders; request.h holds the contract. */
#include "schemas/request.h"

#include <stdlib.h>
#include <string.h>

#include "lib/bytes.h"
#include "schemas/dialect.h"

struct request *request_create(const struct dialect *dialect, enum endpoint endpoint, size_t limit, uint32_t party)
{
	struct request *request = malloc(sizeof(*request)); /* malloc() reuses what was freed last; calloc() does not */
	if (request == NULL)
		return NULL;
	memset(request, 0, sizeof(*request));
	atomic_init(&request->holders, 1);
	arena_init(&request->arena, limit);
	arena_charge(&request->arena, party);
	request->party = party;
	request->dialect = dialect;
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

bool request_decode(struct request *request, struct span body, const struct json_limits *limits,
		    struct findings *findings)
{
	return request->dialect->request_decode(request, &request->arena, body, limits, findings);
}

void request_keep_body(struct request *request, struct bytes *body)
{
	request->body = body;
}

const char *request_checksum(struct request *request)
{
	if (!request->summed)
		hash_checksum(HASH_START, request->json.text, request->checksum);
	request->summed = true;
	return request->checksum;
}

const char *request_caching_text(enum request_caching caching)
{
	static const char *const texts[CACHING_GRADE_COUNT] = {
	    [CACHING_GRADE_YES] = "it can be cached",
	    [CACHING_GRADE_SEEDED] = "it is deterministic by its seed only, which cache.seed does not count",
	    [CACHING_GRADE_RANDOM] = "it is not deterministic: its temperature is not 0, and it has no seed",
	    [CACHING_GRADE_CHOICES] = "it asks for several choices",
	    [CACHING_GRADE_STORE] = "store is true: the backend is to keep it",
	    [CACHING_GRADE_TOOLS] = "it has tools that the backend runs itself",
	    [CACHING_GRADE_OUTSIDE] =
		"it refers to something outside of it, or has a member or part that is not known not to",
	    [CACHING_GRADE_DIALECT] = "it has what only backends of the client's own dialect are told",
	    [CACHING_GRADE_INPUTS] =
		"its inputs cannot be told apart: they are messages, tokens among texts, or too many",
	};
	return texts[caching];
}
