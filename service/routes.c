/* SPDX-License-Identifier: MIT */
/*
 * Routing: the table of operations is the whole surface of the service. Errors
 * of the HTTP layer, of routing and of media types are told here, in the same
 * form as all others.
 */
#include "service/routes.h"

#include "schemas/operations.h"
#include "service/admin/admin.h"
#include "service/exchange/report.h"
#include "service/http/http_exchange.h"

/* How the operations are answered; those without an entry become exchanges. */
static void (*const answers[OPERATION_COUNT])(const struct admin_request *request, struct admin_answer *answer) = {
    [OPERATION_MODELS] = admin_models, [OPERATION_MODEL] = admin_model,     [OPERATION_LIVEZ] = admin_livez,
    [OPERATION_READYZ] = admin_readyz, [OPERATION_METRICS] = admin_metrics, [OPERATION_OPENAPI] = admin_livez,
};

/* OPERATION_COUNT when there is nothing at this path. */
static enum operation find_operation(struct span path, struct span *argument)
{
	enum operation operation = 0;
	while (operation < OPERATION_COUNT && !operation_matches(operation, path, argument))
		operation++;
	return operation;
}

static bool is_get(enum operation operation)
{
	return strcmp(operation_row(operation)->method, "GET") == 0;
}

static bool method_matches(enum operation operation, struct span method)
{
	return span_is(method, operation_row(operation)->method) || (span_is(method, "HEAD") && is_get(operation));
}

static void refuse(struct routes *routes, struct http_request *request, enum error_code code, struct span message,
		   const char *allow)
{
	struct buf body;
	struct arena arena;
	arena_init(&arena, 0);
	buf_init(&body, 65536);
	error_write(&body, ERROR_FORM_OPENAI, &(struct error_told){.code = code, .message = message});
	struct http_field fields[] = {
	    {SPAN("content-type"), SPAN("application/json")},
	    {SPAN("x-request-id"), exchange_request_id(http_request_field(request, "x-request-id"), &arena)},
	    {SPAN("x-should-retry"), error_row(code)->retryable ? SPAN("true") : SPAN("false")},
	    {SPAN("allow"), span_of(allow)}};
	report_refusal(routes->exchange->plan.metrics, fields[1].value, http_request_version(request), code);
	http_respond_head(request, error_row(code)->status, fields, allow == NULL ? 3 : 4, (int64_t)buf_len(&body));
	http_respond_write(request, buf_span(&body));
	http_respond_finish(request);
	buf_fini(&body);
	arena_fini(&arena);
}

static bool is_json(struct span content_type)
{
	static const struct span json = {"application/json", 16};
	if (content_type.at == NULL)
		return true; /* tools that send no type at all send JSON here */
	return content_type.len >= json.len && strncasecmp(content_type.at, json.at, json.len) == 0 &&
	       (content_type.len == json.len || strchr("; \t", content_type.at[json.len]) != NULL);
}

static void answer_exchange(struct routes *routes, struct http_request *request, enum openai_endpoint endpoint)
{
	struct span encoding = http_request_field(request, "content-encoding");
	if (!is_json(http_request_field(request, "content-type")))
		refuse(routes, request, ERROR_UNSUPPORTED_MEDIA_TYPE,
		       SPAN("The request body must be JSON: set the header Content-Type: application/json."), NULL);
	else if (encoding.len != 0 && !span_is(encoding, "identity"))
		refuse(routes, request, ERROR_UNSUPPORTED_MEDIA_TYPE,
		       SPAN("The request body must not be compressed: send it without Content-Encoding."), NULL);
	else
		http_exchange_start(routes->exchange, request, endpoint, ERROR_FORM_OPENAI);
}

static void send_made(struct http_request *request, const struct admin_answer *answer)
{
	struct arena arena;
	arena_init(&arena, 0);
	struct http_field fields[] = {
	    {SPAN("content-type"), span_of(answer->content_type)},
	    {SPAN("cache-control"), SPAN("no-store")},
	    {SPAN("x-request-id"), exchange_request_id(http_request_field(request, "x-request-id"), &arena)}};
	http_respond_head(request, answer->status, fields, 3, (int64_t)buf_len(&answer->body));
	http_respond_write(request, buf_span(&answer->body));
	http_respond_finish(request);
	arena_fini(&arena);
}

static void answer_admin(struct routes *routes, struct http_request *request, enum operation operation,
			 struct span argument)
{
	struct admin_request ask = {
	    .config = routes->exchange->plan.config, .argument = argument, .draining = routes->draining};
	struct admin_answer answer = {.status = 200, .content_type = "application/json"};
	buf_init(&answer.body, (size_t)64 << 20);
	answers[operation](&ask, &answer);
	if (buf_failed(&answer.body))
		refuse(routes, request, ERROR_OVERLOADED, (struct span){NULL, 0}, NULL);
	else if (answer.error == ERROR_NONE)
		send_made(request, &answer);
	else
		refuse(routes, request, answer.error,
		       buf_len(&answer.body) == 0 ? (struct span){NULL, 0} : buf_span(&answer.body), NULL);
	buf_fini(&answer.body);
}

void routes_dispatch(struct routes *routes, struct http_request *request)
{
	struct span argument = {NULL, 0};
	enum error_code error = http_request_error(request);
	enum operation operation = find_operation(http_request_path(request), &argument);
	if (error != ERROR_NONE)
		refuse(routes, request, error, (struct span){NULL, 0}, NULL);
	else if (operation == OPERATION_COUNT)
		refuse(routes, request, ERROR_NOT_FOUND, (struct span){NULL, 0}, NULL);
	else if (!method_matches(operation, http_request_method(request)))
		refuse(routes, request, ERROR_METHOD_NOT_ALLOWED, (struct span){NULL, 0},
		       is_get(operation) ? "GET, HEAD" : "POST");
	else if (answers[operation] == NULL)
		answer_exchange(routes, request, (enum openai_endpoint)operation_row(operation)->endpoint);
	else
		answer_admin(routes, request, operation, argument);
}
