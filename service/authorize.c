/* SPDX-License-Identifier: MIT */
/* Keys in the fields of requests; authorize.h holds the contract. */
#include "service/authorize.h"

#include <time.h>

#include "lib/api_key.h"
#include "lib/seconds.h"
#include "service/access/claims.h"
#include "service/access/key_metrics.h"

enum { ADDRESS_SIZE = 16 };

static struct access_offer read_offer(const struct http_request *request)
{
	struct access_offer offer = {.broken = false};
	for (size_t i = 0; i < http_request_field_count(request); i++)
		access_offer_field(&offer, http_request_field_at(request, i));
	return offer;
}

/* The socket of an admin listener is its owner's alone. */
static bool is_of_this_machine(const struct http_request *request)
{
	return http_request_is_admin(request) && http_request_hosts(request) != HTTP_HOSTS_ADDRESSES;
}

static bool needs_key(const struct config *config, const struct http_request *request, enum operation_right right)
{
	if (!config_auth_is_on(config) || right == OPERATION_FREE)
		return false;
	return right != OPERATION_RIGHT_ADMIN || !is_of_this_machine(request);
}

enum error_code authorize(struct access *access, const struct config *config, const struct http_request *request,
			  const struct operation_row *row, struct holder **holder)
{
	unsigned char address[ADDRESS_SIZE];
	*holder = NULL;
	if (!needs_key(config, request, row->right))
		return ERROR_NONE;
	struct access_offer offer = read_offer(request);
	struct access_use use = {.address = http_request_address(request, address) ? address : NULL,
				 .now_s = (uint64_t)time(NULL)};
	enum error_code error = access_check(access, &offer, &use, holder);
	if (error != ERROR_NONE)
		return error;
	return access_has_right((*holder)->key, row->right) ? ERROR_NONE : ERROR_KEY_SCOPE;
}

bool authorize_refuses_with(enum error_code code)
{
	return code >= ERROR_KEY_MISSING && code <= ERROR_KEY_STORE;
}

/* Nothing of what was shown is repeated. */
static struct span text_of_wrong(const struct http_request *request)
{
	struct access_offer offer = read_offer(request);
	struct span id;
	if (offer.broken)
		return SPAN("The request offers several keys that differ, or an Authorization that is not Bearer: send "
			    "one key.");
	if (!api_key_parse(offer.key, &id))
		return SPAN("The key is mistyped, or is none of this gateway's: they begin with " API_KEY_PREFIX
			    " and end in a checksum, which does not fit.");
	return (struct span){NULL, 0};
}

static struct span text_of_scope(const struct operation_row *row, const struct config_key *key, struct arena *arena)
{
	if (key->hash == NULL)
		return arena_printf(arena,
				    "The token of %s may not use %s %s: it lacks the scope `" CLAIMS_PREFIX "%s`.",
				    key->name, row->method, row->path,
				    row->right == OPERATION_RIGHT_ADMIN ? "admin" : operation_right_name(row->right));
	if (row->right == OPERATION_RIGHT_ADMIN)
		return arena_printf(arena, "The key %s may not use %s %s: it lacks the scope `admin`.", key->name,
				    row->method, row->path);
	return arena_printf(arena, "The key %s may not use %s %s: its scope `endpoints` lacks `%s`.", key->name,
			    row->method, row->path, operation_right_name(row->right));
}

static struct span text_of(enum error_code code, const struct http_request *request, const struct operation_row *row,
			   const struct config_key *key, struct arena *arena)
{
	struct span standard = {NULL, 0};
	if (key == NULL) /* none was shown in full */
		return code == ERROR_KEY_INVALID ? text_of_wrong(request) : standard;
	switch (code) {
	case ERROR_KEY_EXPIRED:
		return arena_printf(arena, "The key %s has expired%s.", key->name,
				    key->expires_s == 0 ? ": it has got a new secret" : "");
	case ERROR_KEY_REVOKED:
		return arena_printf(arena, "The key %s was revoked.", key->name);
	case ERROR_KEY_NETWORK:
		return arena_printf(arena, "The key %s may not be used from this network (keys.%s.networks).",
				    key->name, key->name);
	case ERROR_KEY_SCOPE:
		return text_of_scope(row, key, arena);
	default:
		return standard;
	}
}

struct refusal authorize_refusal(enum error_code code, const struct access *access, const struct http_request *request,
				 const struct operation_row *row, struct holder *holder,
				 struct access_failures *failures, uint64_t now_us, struct arena *arena)
{
	struct refusal refusal = {
	    .code = code, .key = holder == NULL ? NULL : holder->id, .key_number = key_metrics_of(holder)};
	uint64_t wait_us = 0;
	if (code == ERROR_KEY_INVALID || code == ERROR_TOKEN_INVALID)
		wait_us = access_failures_count(failures, http_request_network(request), now_us);
	if (wait_us > 0) {
		refusal.code = ERROR_KEY_FAILURES;
		refusal.retry_after_s = (unsigned)seconds_rounded_up(wait_us);
		return refusal;
	}
	if (code == ERROR_KEY_STORE)
		refusal.retry_after_s = 1;
	if (code == ERROR_TOKEN_INVALID)
		refusal.message = span_of(access_why(access));
	else
		refusal.message = text_of(code, request, row, holder_key(holder), arena);
	return refusal;
}
