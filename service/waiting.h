/* SPDX-License-Identifier: MIT */
/* Requests whose answers take a moment: they are answered when the job is ready, or left when the client goes. */
#ifndef SLUICE_SERVICE_WAITING_H
#define SLUICE_SERVICE_WAITING_H

#include "schemas/operations.h"
#include "service/admin/admin.h"
#include "service/http/http_server.h"

/* Sends an answer that was made, or why there is none. arena: scratch. */
typedef void (*waiting_send)(void *context, struct http_request *request, enum operation operation,
			     const struct admin_answer *answer, struct arena *arena);

/* Has the request answered by send(context, …) when the job is ready. False: out of memory, and the job was left. */
bool waiting_begin(struct http_request *request, enum operation operation, struct admin_job *job, waiting_send send,
		   void *context);

/* An answer of that operation, good and empty so far. */
struct admin_answer waiting_answer(enum operation operation);

#endif
