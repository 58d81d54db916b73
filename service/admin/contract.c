/* SPDX-License-Identifier: MIT */
/* GET /openapi.json: the contract of the service, made once. */
#include "service/admin/admin.h"

#include "schemas/openapi.h"

void admin_openapi(const struct admin_request *request, struct admin_answer *answer)
{
	(void)request;
	answer->constant = openapi_document();
	if (answer->constant.at == NULL)
		answer->error = ERROR_OVERLOADED;
}
