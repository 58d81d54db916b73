/* SPDX-License-Identifier: MIT */
/*
 * Failures. While the client may still get any answer, another one may stand in: the exchange asks again in its own
 * words or on its own account, or gives what is stale. Otherwise the failure is told, as far as it still can be.
 */
#include "service/exchange/embedding.h"
#include "service/exchange/internal.h"
#include "service/exchange/telling.h"
#include "service/plan/causes.h"

enum { EXCHANGE_DETAILS_MOST = 65536 };

/* ---- what is told ---- */

/* An error while any status is still possible. */
static enum exchange_step refuse_exchange(struct exchange *exchange, const struct failure *failure)
{
	exchange->report.error = failure->code;
	if (failure->target != NULL)
		exchange->report.target = failure->target->target;
	exchange->report.status = respond_error(&exchange->to, exchange_attempts(exchange), failure, &exchange->out);
	return exchange_completes(exchange);
}

enum exchange_step exchange_refuse_findings(struct exchange *exchange, const struct findings *findings)
{
	struct buf details;
	struct failure failure = failure_of(findings->list[0].code);
	failure.message = findings->list[0].message;
	failure.param = findings->list[0].param;
	buf_init(&details, EXCHANGE_DETAILS_MOST);
	finding_write_all(&details, findings);
	if (findings->list[0].loc.at != NULL && !buf_failed(&details))
		failure.details = buf_span(&details);
	enum exchange_step next = refuse_exchange(exchange, &failure);
	buf_fini(&details);
	return next;
}

/* An error within a stream: told in-band, and no [DONE]. */
static enum exchange_step break_stream(struct exchange *exchange, const struct failure *failure)
{
	const struct error_told told = {
	    .code = failure->code, .message = failure->message, .details = failure->details};
	exchange->report.error = failure->code;
	bool told_anew = telling_is_needed(exchange) && !exchange->relays_own; /* else nobody knows how far it came */
	if (told_anew ? telling_fail(exchange, &told) : respond_stream_error(&exchange->to, &told, &exchange->out))
		return exchange_completes(exchange);
	return exchange_cuts(exchange, failure->code);
}

static enum exchange_step fail_told(struct exchange *exchange, const struct failure *failure)
{
	if (exchange->state == EXCHANGE_ST_WAITING || exchange->state == EXCHANGE_ST_READING)
		return refuse_exchange(exchange, failure);
	if (exchange->state == EXCHANGE_ST_STREAM)
		return break_stream(exchange, failure);
	return exchange_cuts(exchange, failure->code);
}

/* When several targets failed, all of it is told. */
static enum exchange_step tell_causes(struct exchange *exchange, const struct failure *failure)
{
	struct failure told = *failure;
	struct buf details;
	buf_init(&details, EXCHANGE_DETAILS_MOST);
	causes_write(&details, failure->causes);
	if (!buf_failed(&details))
		told.details = buf_span(&details);
	enum exchange_step next = fail_told(exchange, &told);
	buf_fini(&details);
	return next;
}

/* ---- what stands in; each returns WAIT for nothing ---- */

static enum exchange_step ask_again(const struct caching *caching)
{
	return caching->embedding != NULL ? EXCHANGE_JOIN_INPUTS : EXCHANGE_JOIN;
}

/*
 * What a backend refuses may be a member that counts for no answer (user, metadata), in the words of whoever leads:
 * others ask in their own.
 */
static enum exchange_step ask_in_own_words(struct caching *caching)
{
	if (caching->follower == NULL || !follower_may_differ(caching->follower))
		return EXCHANGE_WAIT;
	caching->by_bytes = true;
	return ask_again(caching);
}

/* The client that leads holds all the memory that it may have, which is nothing to others. */
static enum exchange_step ask_on_own_account(struct caching *caching, uint32_t party)
{
	if (caching->follower == NULL || caching->on_own || follower_is_charged_to(caching->follower, party))
		return EXCHANGE_WAIT;
	caching->on_own = true;
	return ask_again(caching);
}

static enum exchange_step give_stale(struct exchange *exchange)
{
	struct caching *caching = &exchange->caching;
	const struct cache_keeping *keeping = &caching->keeping;
	const struct cache_wanted wanted = {
	    .key = &keeping->key, .rule = keeping->rule, .now_us = exchange_now(exchange)};
	if (caching->embedding != NULL)
		return embedding_stale_suffices(exchange) ? EXCHANGE_HIT_INPUTS : EXCHANGE_WAIT;
	if (caching->stale == NULL || !cache_hit_of(caching->stale, &wanted, &caching->search->fetch.hit))
		return EXCHANGE_WAIT;
	caching->stale = NULL;
	caching->how = CACHE_RESULT_STALE;
	return EXCHANGE_HIT;
}

static enum exchange_step stand_in(struct exchange *exchange, const struct failure *failure)
{
	struct caching *caching = &exchange->caching;
	enum exchange_step next = EXCHANGE_WAIT;
	if (exchange->recast != NULL || failure == exchange->limiting.failure) /* whatever it gets costs a request */
		return EXCHANGE_WAIT;
	if (error_row(failure->code)->blame == BLAME_CLIENT)
		return ask_in_own_words(caching);
	if (failure->code == ERROR_OVERLOADED)
		next = ask_on_own_account(caching, exchange->request->party);
	return next != EXCHANGE_WAIT ? next : give_stale(exchange);
}

/* Returns whether the client may still get any answer: nothing was sent, or comments at most. */
static bool may_get_any(const struct exchange *exchange)
{
	return exchange->state == EXCHANGE_ST_WAITING ||
	       (exchange->state == EXCHANGE_ST_STREAM && exchange->report.events == 0);
}

enum exchange_step exchange_fail(struct exchange *exchange)
{
	const struct failure own = failure_of(exchange->failure_code);
	const struct failure *failure = exchange->failure != NULL ? exchange->failure : &own;
	enum exchange_step next = may_get_any(exchange) ? stand_in(exchange, failure) : EXCHANGE_WAIT;
	if (next != EXCHANGE_WAIT)
		return next;
	return failure->causes == NULL || failure->causes->next == NULL ? fail_told(exchange, failure)
									: tell_causes(exchange, failure);
}
