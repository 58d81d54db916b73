/* SPDX-License-Identifier: MIT */
/* Limits of an exchange; limiting.h holds the contract. */
#include "service/exchange/limiting.h"

#include <inttypes.h>
#include <stdlib.h>

#include "lib/container.h"
#include "lib/seconds.h"
#include "service/exchange/internal.h"

enum {
	MODELS_MOST = 64,      /* fanout.width, at most */
	PATIENCE_US = 60000000 /* the SDKs wait no longer than that */
};

/* ---- the words ---- */

/* "60 requests", "5.5 dollars", "100000 tokens of input". */
static struct span amount_text(struct arena *arena, unsigned unit, uint64_t amount)
{
	static const char *const names[QUOTA_ACCOUNT_UNITS] = {[QUOTA_REQUESTS] = "requests",
							       [QUOTA_TOKENS] = "tokens",
							       [QUOTA_INPUT_TOKENS] = "tokens of input",
							       [QUOTA_OUTPUT_TOKENS] = "tokens of output",
							       [QUOTA_CONCURRENT] = "requests"};
	return unit == QUOTA_SPEND ? arena_printf(arena, "%.9g dollars", (double)amount / QUOTA_MONEY)
				   : arena_printf(arena, "%" PRIu64 " %s", amount, names[unit]);
}

/* Says which share of a limit the request has: ", share of acme/search: 40%", ", without a share", nothing. */
static struct span share_text(struct arena *arena, const struct quota_guaranteed *share)
{
	if (share->tenant != NULL)
		return arena_printf(arena, ", share of %s: %u%%", share->tenant, share->percent);
	return share->exists ? SPAN(", without a share") : SPAN("");
}

/* "60 requests per minute (team)", "8 requests at once (acme, share of acme/search: 40%)". */
static struct span limit_text(struct arena *arena, const struct quota_refusal *refusal)
{
	struct span amount = amount_text(arena, refusal->unit, refusal->limit);
	struct span share = share_text(arena, &refusal->share);
	bool once = refusal->unit == QUOTA_CONCURRENT;
	return arena_printf(arena, "%.*s %s (%s%.*s)", SPAN_ARG(amount),
			    once ? "at once" : arena_printf(arena, "per %s", quota_window_name(refusal->kind)).at,
			    refusal->name, SPAN_ARG(share));
}

/* Redis does not answer, and the limit lets nothing through then. */
static void write_loss(struct failure *failure, const struct quota_refusal *refusal, struct arena *arena)
{
	*failure = failure_of(ERROR_LIMITS_UNAVAILABLE);
	failure->should_retry = true;
	failure->retry_after = SPAN("1");
	failure->message = arena_printf(arena, "The limit of %.*s cannot be counted at present.",
					SPAN_ARG(limit_text(arena, refusal)));
}

static void write_refusal(struct failure *failure, const struct quota_refusal *refusal, struct arena *arena)
{
	struct span limit = limit_text(arena, refusal);
	if (refusal->wait_us == UINT64_MAX) {
		struct span least = amount_text(arena, refusal->unit, refusal->least);
		failure->should_retry = false;
		failure->message = arena_printf(arena, "The limit is %.*s; this request alone comes to about %.*s.",
						SPAN_ARG(limit), SPAN_ARG(least));
		return;
	}
	uint64_t seconds = seconds_rounded_up(refusal->wait_us);
	failure->should_retry = refusal->wait_us <= PATIENCE_US;
	failure->retry_after = arena_printf(arena, "%" PRIu64, seconds);
	failure->message = arena_printf(arena, "The limit of %.*s is reached; there is room again in %" PRIu64 " s.",
					SPAN_ARG(limit), seconds);
}

static enum limiting_verdict refuse_with(struct exchange *exchange, const struct quota_refusal *refusal)
{
	struct arena *arena = exchange_arena(exchange);
	struct failure *failure = refusal == NULL ? NULL : arena_alloc(arena, sizeof(*failure));
	exchange->limiting.failure = failure;
	if (failure == NULL)
		return LIMITING_REFUSED;
	*failure = failure_of(ERROR_LIMIT_REACHED);
	if (refusal->lost)
		write_loss(failure, refusal, arena);
	else
		write_refusal(failure, refusal, arena);
	failure->refused = true;
	return LIMITING_REFUSED;
}

/* ---- taking ---- */

/* Adds the models that the plan asks, each once. */
static void list_models(const struct plan *plan, const struct config_model *models[MODELS_MOST], size_t *count)
{
	for (size_t i = 0; plan->model == NULL && i < plan->child_count; i++)
		list_models(plan->children[i], models, count);
	if (plan->model == NULL || *count == MODELS_MOST)
		return;
	for (size_t i = 0; i < *count; i++)
		if (models[i] == plan->model)
			return;
	models[(*count)++] = plan->model;
}

static bool open_bill(struct exchange *exchange)
{
	const struct config_model *models[MODELS_MOST] = {exchange->report.model};
	size_t count = exchange->report.model != NULL;
	bool exhausted = false;
	if (count == 0)
		list_models(exchange->options.plan, models, &count);
	struct bill_party party = {.key = holder_key(exchange->asked.holder), .models = models, .model_count = count};
	exchange->limiting.bill = bill_open(exchange->worker->quotas, &party, exchange_timers(exchange), &exhausted);
	exchange->limiting.opened = !exhausted;
	return !exhausted;
}

/* Says how the limits stand, in the head of whatever is answered. */
static void tell(struct exchange *exchange)
{
	struct limiting *limiting = &exchange->limiting;
	free(limiting->fields);
	limiting->fields = limit_fields_create(limiting->bill);
	exchange->to.more = limiting->fields == NULL ? NULL : limiting->fields->list;
	exchange->to.more_count = limiting->fields == NULL ? 0 : limiting->fields->count;
}

static void on_ready(struct quota_waiter *waiter)
{
	struct exchange *exchange = container_of(waiter, struct exchange, limiting.waiter);
	exchange_go(exchange, exchange->step);
}

/* Has the exchange wait for what Redis may give. False: there is nothing to wait for. */
static bool wait_for_more(struct exchange *exchange, const struct bill_estimate *estimate)
{
	struct limiting *limiting = &exchange->limiting;
	limiting->waiter.on_ready = on_ready;
	limiting->waiter.port = exchange->worker->quota_port;
	return limiting->waiter.port != NULL && bill_wait(limiting->bill, estimate, &limiting->waiter);
}

/* Remembers that it was taken, for the record of use. */
static enum limiting_verdict take(struct limiting *limiting)
{
	limiting->taken = true;
	return LIMITING_TAKEN;
}

enum limiting_verdict limiting_take(struct exchange *exchange, bool calls)
{
	struct limiting *limiting = &exchange->limiting;
	const struct request *request = exchange->request;
	struct bill_estimate estimate = {
	    .body = request->json.text.len, .output_most = request->output_most, .choices = request->choices};
	const struct bill_estimate *asked = calls ? &estimate : NULL;
	struct quota_refusal refusal = {.short_only = false};
	if (exchange->worker->quotas == NULL)
		return take(limiting);
	if (!limiting->opened && !open_bill(exchange))
		return refuse_with(exchange, NULL);
	if (limiting->bill == NULL)
		return take(limiting);
	bool taken = bill_admit(limiting->bill, asked, &refusal);
	if (!taken && refusal.short_only) {
		if (wait_for_more(exchange, asked))
			return LIMITING_WAITS;
		taken = bill_admit(limiting->bill, asked, &refusal); /* another worker may have got it meanwhile */
	}
	tell(exchange);
	exchange->options.bill = limiting->bill;
	if (!taken)
		return refuse_with(exchange, &refusal);
	limiting->waiter.waits = 0;
	return take(limiting);
}

enum limiting_verdict limiting_take_to_join(struct exchange *exchange, bool *joins_only)
{
	enum limiting_verdict verdict = limiting_take(exchange, true);
	*joins_only = false;
	if (verdict != LIMITING_REFUSED)
		return verdict;
	verdict = limiting_take(exchange, false); /* the tokens of another one's flight are not its own */
	*joins_only = verdict == LIMITING_TAKEN;
	return verdict;
}

enum exchange_step limiting_stops(struct exchange *exchange, enum limiting_verdict verdict)
{
	if (verdict == LIMITING_WAITS)
		return EXCHANGE_WAIT;
	enum exchange_step next = exchange_fails(exchange, ERROR_OVERLOADED);
	exchange->failure = exchange->limiting.failure;
	return next;
}

void limiting_close(struct exchange *exchange)
{
	struct limiting *limiting = &exchange->limiting;
	if (limiting->waiter.port != NULL)
		quotas_abandon(exchange->worker->quotas, &limiting->waiter);
	free(limiting->fields);
	bill_drop(limiting->bill);
	limiting->bill = NULL;
}
