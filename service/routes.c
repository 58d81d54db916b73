/* SPDX-License-Identifier: MIT */
/*
 * Routing: the table of operations is the whole surface of the service. Errors
 * of the HTTP layer, of routing and of media types are told here, in the same
 * forms as all others.
 */
#include "service/routes.h"

#include "lib/json.h"
#include "lib/media_type.h"
#include "lib/step.h"
#include "schemas/dialect.h"
#include "service/authorize.h"
#include "service/client_dialect.h"
#include "service/cors.h"
#include "service/deprecation.h"
#include "service/http/http_exchange.h"
#include "service/listener_surface.h"
#include "service/loop/offload.h"
#include "service/methods.h"
#include "service/refusal_text.h"
#include "service/refuse.h"
#include "service/reply.h"
#include "service/unpacking.h"
#include "service/unserved.h"
#include "service/waiting.h"
#include "service/web_origin.h"

/* How the operations are answered; those without an entry become exchanges. */
static void (*const answers[OPERATION_COUNT])(const struct admin_request *request, struct admin_answer *answer) = {
    [OPERATION_MODELS] = admin_models,
    [OPERATION_MODEL] = admin_model,
    [OPERATION_LIVEZ] = admin_livez,
    [OPERATION_READYZ] = admin_readyz,
    [OPERATION_METRICS] = admin_metrics,
    [OPERATION_OPENAPI] = admin_openapi,
    [OPERATION_CACHE] = admin_cache,
    [OPERATION_PURGE] = admin_purge,
    [OPERATION_BACKENDS] = admin_backends,
    [OPERATION_DOCS] = admin_docs,
    [OPERATION_DOCS_FILE] = admin_docs,
    [OPERATION_KEYS] = admin_keys,
    [OPERATION_KEY_CREATE] = admin_key_create,
    [OPERATION_KEY] = admin_key,
    [OPERATION_KEY_CHANGE] = admin_key_change,
    [OPERATION_KEY_REVOKE] = admin_key_revoke,
    [OPERATION_KEY_ROTATE] = admin_key_rotate,
    [OPERATION_LIMITS] = admin_limits,
    [OPERATION_USAGE] = admin_usage,
    [OPERATION_RESPONSE] = admin_response,
    [OPERATION_RESPONSE_DELETE] = admin_response_delete,
    [OPERATION_RESPONSE_ITEMS] = admin_response_items,
    [OPERATION_COUNT_TOKENS] = admin_count_tokens,
    [OPERATION_COUNT_INPUT_TOKENS] = admin_count_tokens,
};

static void refuse_as(struct routes *routes, struct http_request *request, struct refusal refusal)
{
	refuse(request, routes->exchange->flights.plan.metrics, &refusal);
}

/* What is to be done with a request, as its head says. */
struct decision {
	struct surface surface;
	enum operation operation; /* OPERATION_COUNT: what methods the path has is asked, or there is a refusal */
	enum operation elsewhere; /* what another listener serves at this path; OPERATION_COUNT: nothing */
	struct span argument;
	struct holder *holder;  /* counted; whose key was shown; NULL = nobody's was, or needed to be */
	struct refusal refusal; /* code ERROR_NONE: none */
	char allow[METHODS_ALLOW_SIZE];
};

/* Refuses what is too large, in words about this request. */
static void refuse_size(struct routes *routes, struct http_request *request, enum error_code error)
{
	struct arena arena;
	arena_init(&arena, 0);
	struct span message = refusal_text_size(error, http_request_body_size(request),
						&routes->exchange->flights.plan.config->limits, &arena);
	refuse_as(routes, request, (struct refusal){.code = error, .message = message});
	arena_fini(&arena);
}

/* Returns the model that the request names, for the log; {NULL,0}: it cannot be told at little cost. */
static struct span requested_model(const struct http_request *request, struct arena *arena)
{
	enum { BODY_MOST = 64 << 10, NAME_MOST = 256, DEPTH = 64 };
	struct span none = {NULL, 0}, body = http_request_body(request);
	struct json json;
	struct json_error error;
	if (body.len == 0 || body.len > BODY_MOST || offload_is_heavy(body) ||
	    !json_parse(&json, arena, body, DEPTH, &error))
		return none;
	uint32_t model = json_member(&json, 0, "model");
	struct span name =
	    model == JSON_NONE || json_type(&json, model) != JSON_STRING ? none : json_string(&json, model, arena);
	return name.len <= NAME_MOST ? name : none;
}

/* Refuses what routing finds, in words about this request. */
static void refuse_route(struct routes *routes, struct http_request *request, const struct decision *decision)
{
	struct arena arena;
	arena_init(&arena, 0);
	struct refusal refusal = decision->refusal;
	struct span method = http_request_method(request), path = http_request_path(request);
	refusal.requested = requested_model(request, &arena);
	if (decision->elsewhere != OPERATION_COUNT)
		refusal.message = refusal_text_elsewhere(method, path, decision->elsewhere, &decision->surface, &arena);
	else if (refusal.code == ERROR_UNKNOWN_PATH)
		refusal.message = refusal_text_path(method, path, &decision->surface, &arena);
	else
		refusal.message = refusal_text_method(method, path, refusal.allow, &arena);
	refuse_as(routes, request, refusal);
	arena_fini(&arena);
}

static bool is_packed(const struct http_request *request)
{
	struct span encoding = http_request_field(request, "content-encoding");
	return encoding.len != 0 && !media_type_is(encoding, "identity");
}

static struct refusal refuse_body(const struct http_request *request)
{
	struct span type = http_request_field(request, "content-type");
	struct span encoding = http_request_field(request, "content-encoding");
	struct refusal refusal = {.code = ERROR_UNSUPPORTED_MEDIA_TYPE};
	if (type.at != NULL && !media_type_is(type, "application/json")) { /* tools that send no type send JSON */
		refusal.message = SPAN("The request body must be JSON: set the header Content-Type: application/json.");
	} else if (is_packed(request) && !media_type_is(encoding, "gzip") && !media_type_is(encoding, "x-gzip")) {
		refusal.message = SPAN("The request body must be sent as it is, or with Content-Encoding: gzip.");
		refusal.accept_encoding = "gzip, identity";
	} else {
		refusal.code = ERROR_NONE;
	}
	return refusal;
}

/* The root leads to the docs page, where that is served. */
static bool is_root(const struct http_request *request, const struct surface *surface)
{
	struct span method = http_request_method(request);
	return surface_serves(surface, OPERATION_DOCS) && span_is(http_request_path(request), "/") &&
	       (span_is(method, "GET") || span_is(method, "HEAD"));
}

/* Agents ask for the head of the root before anything else, to see whether they can connect (Claude Code). */
static bool is_connection_check(const struct http_request *request, const struct surface *surface)
{
	return surface_serves(surface, OPERATION_MESSAGES) && span_is(http_request_path(request), "/") &&
	       span_is(http_request_method(request), "HEAD");
}

static struct refusal refuse_method(const struct http_request *request, const struct surface *surface,
				    char allow[METHODS_ALLOW_SIZE])
{
	if (is_root(request, surface) || is_connection_check(request, surface))
		return (struct refusal){.code = ERROR_NONE};
	if (!methods_allow(surface, http_request_path(request), allow))
		return (struct refusal){.code = ERROR_UNKNOWN_PATH};
	if (span_is(http_request_method(request), "OPTIONS"))
		return (struct refusal){.code = ERROR_NONE};
	return (struct refusal){.code = ERROR_METHOD_NOT_ALLOWED, .allow = allow};
}

/* Finds the operation, or what is wrong with path and method. */
static void route(const struct http_request *request, struct decision *decision)
{
	struct span path = http_request_path(request);
	enum operation found = methods_find(path, http_request_method(request), &decision->argument);
	enum operation at = found != OPERATION_COUNT ? found : methods_at(path);
	if (at != OPERATION_COUNT && !surface_serves(&decision->surface, at)) {
		decision->elsewhere = at;
		decision->refusal.code = ERROR_UNKNOWN_PATH;
	} else if (found != OPERATION_COUNT) {
		decision->operation = found;
	} else if (!unserved_refuse(request, &decision->refusal)) {
		decision->refusal = refuse_method(request, &decision->surface, decision->allow);
	}
}

static void decide(const struct routes *routes, const struct http_request *request, struct decision *decision)
{
	const struct config *config = routes->exchange->flights.plan.config;
	decision->surface = surface_of(config, request);
	decision->argument = (struct span){NULL, 0};
	decision->holder = NULL;
	decision->operation = decision->elsewhere = OPERATION_COUNT;
	decision->refusal = (struct refusal){.code = http_request_error(request)};
	if (decision->refusal.code == ERROR_NONE)
		decision->refusal.code = web_origin_check(config, request);
	if (decision->refusal.code != ERROR_NONE)
		return;
	route(request, decision);
	if (decision->operation == OPERATION_COUNT)
		return;
	decision->refusal.code =
	    authorize(routes->access, config, request, operation_row(decision->operation), &decision->holder);
	if (decision->refusal.code != ERROR_NONE || operation_row(decision->operation)->body == NULL)
		return;
	decision->refusal = refuse_body(request);
	if (decision->refusal.code == ERROR_NONE && !http_request_has_memory(request))
		decision->refusal.code = ERROR_MEMORY_FULL;
}

/* Says which fields of the request choose what a good answer of the operation has. */
static void add_vary(struct http_request *request, const struct operation_row *row, struct arena *arena)
{
	bool keyed =
	    row->right == OPERATION_RIGHT_MODELS && http_request_holder(request) != NULL; /* it may list less */
	struct span keys = SPAN("authorization, x-api-key, api-key"), form = dialect_fields(), both = {NULL, 0};
	if (keyed && row->other != NULL)
		both = arena_printf(arena, "%.*s, %.*s", SPAN_ARG(keys), SPAN_ARG(form));
	else if (row->other != NULL)
		both = form;
	if (both.at != NULL)
		http_request_add_field(request, SPAN("vary"), both);
}

/* Sends what was made: an answer, or why there is none. */
static void answer_made(void *context, struct http_request *request, enum operation operation,
			const struct admin_answer *answer, struct arena *arena)
{
	struct routes *routes = context;
	bool told = answer->error != ERROR_NONE && buf_len(&answer->body) > 0;
	if (buf_failed(&answer->body)) {
		refuse_as(routes, request, (struct refusal){.code = ERROR_OVERLOADED});
	} else if (answer->error == ERROR_NONE) {
		add_vary(request, operation_row(operation), arena);
		reply_made(request, operation_row(operation), answer, arena);
	} else {
		refuse_as(routes, request,
			  (struct refusal){.code = answer->error,
					   .message = told ? buf_span(&answer->body) : (struct span){NULL, 0},
					   .param = answer->param,
					   .details = answer->details});
	}
}

static struct bytes *hold_body(void *lender)
{
	return http_request_hold_body(lender);
}

static void answer_admin(struct routes *routes, struct http_request *request, enum operation operation,
			 struct span argument)
{
	struct arena arena;
	arena_init(&arena, 0);
	const struct plan_worker *plan = &routes->exchange->flights.plan;
	struct admin_request ask = {.config = plan->config,
				    .dialect = client_dialect(request),
				    .holder = holder_key(http_request_holder(request)),
				    .shown = http_request_holder(request),
				    .network = http_request_network(request),
				    .client = http_request_client(request),
				    .party = http_request_party(request),
				    .hold_body = hold_body,
				    .lender = request,
				    .health = plan->health,
				    .cache = routes->exchange->flights.cache,
				    .offload = plan->offload,
				    .keys = routes->keys,
				    .usage = routes->usage,
				    .limits = plan->limits,
				    .responses = routes->exchange->responses,
				    .shared_responses = routes->exchange->shared_responses,
				    .tenant = http_request_tenant(request),
				    .quotas = routes->exchange->quotas,
				    .now_us = timers_now(&plan->reactor->timers),
				    .argument = argument,
				    .body = http_request_body(request),
				    .query = http_request_query(request),
				    .accept = http_request_field(request, "accept"),
				    .accept_encoding = http_request_field(request, "accept-encoding"),
				    .arena = &arena,
				    .draining = routes->draining};
	struct admin_answer answer = waiting_answer(operation);
	struct step_mark before = step_enter("admin");
	answers[operation](&ask, &answer);
	step_leave(before);
	if (answer.job == NULL)
		answer_made(routes, request, operation, &answer, &arena);
	else if (!waiting_begin(request, operation, answer.job, answer_made, routes))
		refuse_as(routes, request, (struct refusal){.code = ERROR_OVERLOADED});
	buf_fini(&answer.body);
	arena_fini(&arena);
}

/* Answers a request whose body is as it is meant to be. */
static void start(struct routes *routes, struct http_request *request, const struct operation_row *row)
{
	struct span argument = {NULL, 0};
	enum operation operation = methods_find(http_request_path(request), http_request_method(request), &argument);
	if (answers[operation] != NULL) {
		answer_admin(routes, request, operation, argument);
		return;
	}
	http_exchange_start(routes->exchange, request, row->plans ? &exchange_fanout : &exchange_relay, row,
			    http_request_error_form(request));
}

/* Starts the exchange of a request whose body was unpacked, or refuses it. */
static void on_unpacked(void *context, struct http_request *request, const struct operation_row *row,
			enum error_code error)
{
	struct routes *routes = context;
	if (error == ERROR_INVALID_VALUE)
		refuse_as(
		    routes, request,
		    (struct refusal){.code = error, .message = SPAN("The request body is not complete gzip data.")});
	else if (error != ERROR_NONE)
		refuse_size(routes, request, error);
	else
		start(routes, request, row);
}

static void unpack(struct routes *routes, struct http_request *request, const struct operation_row *row)
{
	const struct plan_worker *plan = &routes->exchange->flights.plan;
	size_t most = plan->config->limits.body;
	bool small = http_request_body(request).len <= UNPACKING_IN_TURN || plan->offload == NULL;
	if (!small && unpacking_begin(plan->offload, request, row, most, on_unpacked, routes))
		return;
	struct step_mark before = step_enter("gunzip");
	enum error_code error = small ? http_request_gunzip_body(request, most) : ERROR_OVERLOADED;
	step_leave(before);
	on_unpacked(routes, request, row, error);
}

static void answer_options(struct routes *routes, struct http_request *request, const char *allow)
{
	struct arena arena;
	arena_init(&arena, 0);
	if (!web_origin_is_kept_out(request))
		cors_add_preflight(&routes->exchange->flights.plan.config->cors, request, allow);
	reply_allow(request, allow, &arena);
	arena_fini(&arena);
}

/* Whatever the answer will be, it tells that the operation is on its way out. */
static void add_notice(struct http_request *request, const struct operation_row *row)
{
	if (row->deprecated == NULL && row->sunset == NULL)
		return;
	struct deprecation notice = deprecation_of(row->deprecated, row->sunset);
	if (notice.deprecation[0] != '\0')
		http_request_add_field(request, SPAN("deprecation"), span_of(notice.deprecation));
	if (notice.sunset[0] != '\0')
		http_request_add_field(request, SPAN("sunset"), span_of(notice.sunset));
}

/* Refuses a request for its key. */
static void refuse_key(struct routes *routes, struct http_request *request, const struct decision *decision)
{
	struct arena arena;
	arena_init(&arena, 0);
	struct refusal refusal = authorize_refusal(
	    decision->refusal.code, routes->access, request, operation_row(decision->operation), decision->holder,
	    routes->failures, timers_now(&routes->exchange->flights.plan.reactor->timers), &arena);
	refuse_as(routes, request, refusal);
	arena_fini(&arena);
}

static void refuse_decided(struct routes *routes, struct http_request *request, const struct decision *decision)
{
	enum error_code code = decision->refusal.code;
	if (decision->refusal.message.at == NULL && (code == ERROR_UNKNOWN_PATH || code == ERROR_METHOD_NOT_ALLOWED))
		refuse_route(routes, request, decision);
	else if (authorize_refuses_with(code))
		refuse_key(routes, request, decision);
	else if (decision->refusal.message.at == NULL)
		refuse_size(routes, request, code);
	else
		refuse_as(routes, request, decision->refusal);
}

bool routes_refuses(const struct routes *routes, const struct http_request *request)
{
	struct decision decision;
	decide(routes, request, &decision);
	holder_drop(decision.holder);
	return decision.refusal.code != ERROR_NONE;
}

void routes_dispatch(struct routes *routes, struct http_request *request)
{
	struct decision decision;
	decide(routes, request, &decision);
	if (!web_origin_is_kept_out(request))
		cors_add(&routes->exchange->flights.plan.config->cors, request);
	http_request_identify(request, decision.refusal.code == ERROR_NONE ? decision.holder : NULL);
	if (decision.operation != OPERATION_COUNT)
		add_notice(request, operation_row(decision.operation));
	if (decision.refusal.code != ERROR_NONE)
		refuse_decided(routes, request, &decision);
	else if (decision.operation == OPERATION_COUNT && is_root(request, &decision.surface))
		reply_redirect(request, operation_row(OPERATION_DOCS)->path);
	else if (decision.operation == OPERATION_COUNT && is_connection_check(request, &decision.surface))
		reply_empty(request);
	else if (decision.operation == OPERATION_COUNT)
		answer_options(routes, request, decision.allow);
	else if (operation_row(decision.operation)->body != NULL && is_packed(request))
		unpack(routes, request, operation_row(decision.operation));
	else
		start(routes, request, operation_row(decision.operation));
	holder_drop(decision.holder);
}
