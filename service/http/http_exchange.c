/* SPDX-License-Identifier: MIT */
/* The methods of struct exchange_client_ops on an http_request, and its callbacks back to the exchange. */
#include "service/http/http_exchange.h"

#include "schemas/dialect.h"

static void client_head(void *client, int status, const struct http_field *fields, size_t count, int64_t content_length)
{
	http_respond_head(client, status, fields, count, content_length);
}

static bool client_write(void *client, struct span bytes)
{
	return http_respond_write(client, bytes);
}

static size_t client_backlog(const void *client)
{
	return http_respond_backlog(client);
}

static bool client_is_full(void *client, size_t most)
{
	return http_respond_is_full(client, most);
}

static void client_finish(void *client)
{
	http_respond_finish(client);
}

static void client_abort(void *client)
{
	http_respond_abort(client);
}

static struct bytes *client_hold_body(void *client)
{
	return http_request_hold_body(client);
}

static void on_gone(void *context)
{
	exchange_on_gone(context);
}

static void on_drained(void *context)
{
	exchange_on_drained(context);
}

void http_exchange_start(struct exchange_worker *worker, struct http_request *request, const struct exchange_kind *kind,
			 const struct operation_row *row, enum error_form form)
{
	static const struct exchange_client_ops client_ops = {.head = client_head,
							      .write = client_write,
							      .backlog = client_backlog,
							      .is_full = client_is_full,
							      .finish = client_finish,
							      .abort = client_abort,
							      .hold_body = client_hold_body};
	static const struct http_request_ops request_ops = {on_gone, on_drained};
	struct exchange_request ask = {.kind = kind,
				       .dialect = row->dialect,
				       .endpoint = (enum endpoint)row->endpoint,
				       .body = http_request_body(request),
				       .request_id = http_request_field(request, "x-request-id"),
				       .traceparent = http_request_field(request, "traceparent"),
				       .retry_count = http_request_field(request, "x-stainless-retry-count"),
				       .options = row->dialect->options_field.at == NULL
						      ? SPAN("")
						      : http_request_list(request, row->dialect->options_field.at),
				       .timeout = http_request_field(request, "x-stainless-timeout"),
				       .holder = http_request_holder(request),
				       .tenant = http_request_tenant(request),
				       .cache_control = http_request_list(request, "cache-control"),
				       .if_none_match = http_request_list(request, "if-none-match"),
				       .lossy = http_request_field(request, "x-sluice-lossy"),
				       .client = http_request_client(request),
				       .network = http_request_network(request),
				       .party = http_request_party(request),
				       .http_version = http_request_version(request),
				       .form = form};
	struct exchange *exchange = exchange_start(worker, &ask, &client_ops, request);
	if (exchange != NULL)
		http_request_attach(request, &request_ops, exchange);
}
