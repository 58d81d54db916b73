/* SPDX-License-Identifier: MIT */
/* The most telling of several failures; see causes.h. */
#include "service/plan/causes.h"

#include "lib/json_write.h"
#include "schemas/backend_retry_after.h"
#include "schemas/finding.h"

unsigned causes_rank(enum error_code code)
{
	static const unsigned char ranks[ERROR_COUNT] = {
	    [ERROR_UPSTREAM_REJECTED] = 12,
	    [ERROR_CONTEXT_LENGTH] = 12,
	    [ERROR_BODY_TOO_LARGE] = 12,
	    [ERROR_UPSTREAM_UNSUPPORTED] = 11,
	    [ERROR_UPSTREAM_ERROR] = 11,
	    [ERROR_UPSTREAM_STATUS] = 11,
	    [ERROR_UPSTREAM_INVALID] = 10,
	    [ERROR_UPSTREAM_TOO_LARGE] = 10,
	    [ERROR_UPSTREAM_ENCODING] = 10,
	    [ERROR_UPSTREAM_REDIRECT] = 10,
	    [ERROR_NO_QUORUM] = 9,
	    [ERROR_UPSTREAM_BUSY] = 8,
	    [ERROR_UPSTREAM_FIRST_CONTENT] = 7,
	    [ERROR_UPSTREAM_IDLE] = 7,
	    [ERROR_UPSTREAM_TOTAL] = 7,
	    [ERROR_UPSTREAM_TRUNCATED] = 6,
	    [ERROR_UPSTREAM_PROTOCOL] = 6,
	    [ERROR_UPSTREAM_RESET] = 5,
	    [ERROR_UPSTREAM_TLS] = 4,
	    [ERROR_UPSTREAM_CONNECT_TIMEOUT] = 4,
	    [ERROR_UPSTREAM_CONNECT] = 4,
	    [ERROR_UPSTREAM_DNS] = 4,
	    [ERROR_QUEUE_TIMEOUT] = 3,
	    [ERROR_QUEUE_FULL] = 3,
	    [ERROR_UPSTREAM_UNAVAILABLE] = 2,
	    [ERROR_UPSTREAM_DIVERGED] = 1,
	};
	return ranks[code];
}

/* What the gateway itself wrote into a request is nobody's news but the operator's. */
static unsigned rank_of(const struct failure *failure)
{
	return failure->kind == FAILURE_REWRITE ? 0 : causes_rank(failure->code);
}

/* True when the new failure tells at least as much as the one that told most so far. */
static bool tells_more(const struct failure *now, const struct failure *before)
{
	unsigned rank = rank_of(now), most = rank_of(before);
	if (rank != most || !now->refused || !before->refused)
		return rank >= most;
	int64_t wait = backend_retry_after_seconds(now->retry_after, 0);
	int64_t least = backend_retry_after_seconds(before->retry_after, 0);
	return least < 0 || (wait >= 0 && wait <= least);
}

static void append(struct causes *causes, struct arena *arena, const struct cause *cause)
{
	struct cause *copy = arena_alloc(arena, sizeof(*copy));
	if (copy == NULL)
		return;
	*copy = *cause;
	copy->next = NULL;
	if (causes->first == NULL)
		causes->first = copy;
	else
		causes->last->next = copy;
	causes->last = copy;
}

void causes_add(struct causes *causes, const struct run *child, const struct failure *failure)
{
	struct arena *arena = child->context->arena;
	bool first = causes->telling.code == ERROR_NONE;
	struct cause own = {
	    .loc = child->plan->loc, .message = failure->message, .code = failure->code, .target = failure->target};
	if (failure->causes == NULL)
		append(causes, arena, &own);
	for (const struct cause *cause = failure->causes; cause != NULL; cause = cause->next)
		append(causes, arena, cause);
	causes->called |= !failure->refused;
	if (!first && !tells_more(failure, &causes->telling))
		return;
	causes->telling = *failure;
	if (failure->body.at != NULL) /* a buffer of a run that is about to go */
		causes->telling.body = arena_copy(arena, failure->body);
}

struct failure causes_failure(const struct causes *causes)
{
	struct failure failure = causes->telling;
	failure.refused = !causes->called;
	failure.causes = causes->first;
	return failure;
}

void causes_write(struct buf *out, const struct cause *first)
{
	buf_append(out, SPAN("["));
	for (const struct cause *cause = first; cause != NULL; cause = cause->next) {
		struct buf input;
		struct finding finding = {.code = cause->code, .message = cause->message, .loc = cause->loc};
		buf_init(&input, 65536);
		if (cause->target != NULL) {
			json_write_string(&input, span_of(cause->target->target));
			finding.input = buf_span(&input);
		}
		if (cause != first)
			buf_append(out, SPAN(","));
		finding_write(out, &finding);
		buf_fini(&input);
	}
	buf_append(out, SPAN("]"));
}
