/* SPDX-License-Identifier: MIT */
/* Refusals by name; unserved.h holds the contract. */
#include "service/unserved.h"

#include <strings.h>

static bool is_asked(const struct http_request *request, const char *method, const char *path)
{
	return span_is(http_request_method(request), method) && span_is(http_request_path(request), path);
}

/* Returns whether a list of protocols (RFC 9110, section 7.8) has WebSocket. */
static bool has_websocket(struct span list)
{
	static const char name[] = "websocket";
	enum { NAME_LEN = sizeof(name) - 1 };
	for (size_t i = 0; i + NAME_LEN <= list.len; i++) {
		bool begins = i == 0 || memchr(", \t", list.at[i - 1], 3) != NULL;
		bool ends = i + NAME_LEN == list.len || memchr(", \t/", list.at[i + NAME_LEN], 4) != NULL;
		if (begins && ends && strncasecmp(list.at + i, name, NAME_LEN) == 0)
			return true;
	}
	return false;
}

bool unserved_refuse(const struct http_request *request, struct refusal *refusal)
{
	if (is_asked(request, "GET", "/v1/responses") && has_websocket(http_request_field(request, "upgrade"))) {
		*refusal = (struct refusal){
		    .code = ERROR_UPGRADE_UNSUPPORTED,
		    .message =
			SPAN("The upgrade to WebSocket is not supported for GET /v1/responses; POST /v1/responses "
			     "with `stream` true answers with server-sent events."),
		    .param = SPAN("upgrade"),
		    .upgrade = "HTTP/1.1"};
		return true;
	}
	if (is_asked(request, "POST", "/v1/responses/compact")) {
		*refusal = (struct refusal){
		    .code = ERROR_UNKNOWN_PATH,
		    .message = SPAN("POST /v1/responses/compact is not supported: no backend compacts conversations. "
				    "Send the items themselves, or ask a model for a summary by POST /v1/responses.")};
		return true;
	}
	return false;
}
