/* SPDX-License-Identifier: MIT */
/* CORS fields, added to answers before anybody makes them; cors.h holds the contract. */
#include "service/cors.h"

#include <stdio.h>

#include "lib/http_text.h"

enum { REQUESTED_FIELDS_MAX = 4096 /* bytes of names that a preflight may ask for */ };

/* What of our heads a page may read besides the fields that every page may. */
static const char exposed[] = "etag, openai-processing-ms, retry-after, x-request-id, x-should-retry, "
			      "x-sluice-attempts, x-sluice-dropped, x-sluice-estimated, x-sluice-target";

static bool allows_any(const struct config_cors *cors)
{
	for (size_t i = 0; i < cors->origin_count; i++)
		if (strcmp(cors->origins[i], "*") == 0)
			return true;
	return false;
}

/* Origins are compared byte by byte: browsers send them in one form, which the configuration brings them to. */
bool cors_allows(const struct config_cors *cors, struct span origin)
{
	for (size_t i = 0; i < cors->origin_count; i++)
		if (span_is(origin, cors->origins[i]))
			return true;
	return allows_any(cors);
}

void cors_add(const struct config_cors *cors, struct http_request *request)
{
	if (cors->origin_count == 0)
		return;
	struct span origin = http_request_field(request, "origin");
	bool any = allows_any(cors);
	if (!any) /* the answer to one page must not be handed to another */
		http_request_add_field(request, SPAN("vary"), SPAN("origin"));
	if (!cors_allows(cors, origin))
		return;
	http_request_add_field(request, SPAN("access-control-allow-origin"), any ? SPAN("*") : origin);
	http_request_add_field(request, SPAN("access-control-expose-headers"), SPAN(exposed));
}

/* Names of fields, by commas, that may be repeated in our head. */
static bool are_names(struct span list)
{
	if (list.len == 0 || list.len > REQUESTED_FIELDS_MAX)
		return false;
	while (list.at != NULL)
		if (!http_is_token(http_take(&list, ',')))
			return false;
	return true;
}

void cors_add_preflight(const struct config_cors *cors, struct http_request *request, const char *allow)
{
	char seconds[24];
	struct span origin = http_request_field(request, "origin");
	struct span names = http_request_field(request, "access-control-request-headers");
	bool preflight = origin.at != NULL && http_request_field(request, "access-control-request-method").at != NULL;
	if (!preflight || !cors_allows(cors, origin))
		return;
	snprintf(seconds, sizeof(seconds), "%llu", (unsigned long long)(cors->max_age_us / 1000000));
	http_request_add_field(request, SPAN("access-control-allow-methods"), span_of(allow));
	if (are_names(names)) /* "*" would leave out authorization, and the SDKs send many names of their own */
		http_request_add_field(request, SPAN("access-control-allow-headers"), names);
	http_request_add_field(request, SPAN("access-control-max-age"), span_of(seconds));
}
