/* SPDX-License-Identifier: MIT */
/* Sending what service/admin has made, or 304 to a client that has it already. */
#ifndef SLUICE_SERVICE_REPLY_H
#define SLUICE_SERVICE_REPLY_H

#include "schemas/operations.h"
#include "service/admin/admin.h"
#include "service/http/http_server.h"

/* A good answer of that operation. arena: scratch. */
void reply_made(struct http_request *request, const struct operation_row *row, const struct admin_answer *answer,
		struct arena *arena);

/* 204 with the field Allow. arena: scratch. */
void reply_allow(struct http_request *request, const char *allow, struct arena *arena);

/* 200 without a body. */
void reply_empty(struct http_request *request);

/* 302 to a path of this service. */
void reply_redirect(struct http_request *request, const char *path);

#endif
