/* SPDX-License-Identifier: MIT */
/* GET /openapi.json: the contract of the service, built once. */
#include "service/admin/admin.h"

#include <pthread.h>

#include "schemas/openapi.h"

enum { DOCUMENT_BYTES_MAX = 16 << 20 };

static struct buf text;

static void build(void)
{
	buf_init(&text, DOCUMENT_BYTES_MAX);
	openapi_write(&text);
}

/* {NULL,0} = out of memory. */
static struct span document(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, build);
	return buf_failed(&text) ? (struct span){NULL, 0} : buf_span(&text);
}

void admin_openapi(const struct admin_request *request, struct admin_answer *answer)
{
	(void)request;
	answer->constant = document();
	if (answer->constant.at == NULL)
		answer->error = ERROR_OVERLOADED;
}
