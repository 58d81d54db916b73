/* SPDX-License-Identifier: MIT */
/* Liveness and readiness of the process. */
#include "service/admin/admin.h"

void admin_livez(const struct admin_request *request, struct admin_answer *answer)
{
	(void)request;
	buf_append(&answer->body, SPAN("{\"status\":\"ok\"}"));
}

void admin_readyz(const struct admin_request *request, struct admin_answer *answer)
{
	if (!request->draining) {
		buf_append(&answer->body, SPAN("{\"status\":\"ready\"}"));
		return;
	}
	answer->status = 503;
	buf_append(&answer->body, SPAN("{\"status\":\"draining\"}"));
}
