/* SPDX-License-Identifier: MIT */
/* Where HTTP meets exchanges: an http_request in the role of an exchange's client. */
#ifndef SLUICE_SERVICE_HTTP_HTTP_EXCHANGE_H
#define SLUICE_SERVICE_HTTP_HTTP_EXCHANGE_H

#include "schemas/error_body.h"
#include "schemas/operations.h"
#include "service/exchange/exchange.h"
#include "service/http/http_server.h"

/* Hands a request to a new exchange, which answers it. form: of errors while nothing was sent. */
void http_exchange_start(struct exchange_worker *worker, struct http_request *request, const struct exchange_kind *kind,
			 const struct operation_row *row, enum error_form form);

#endif
