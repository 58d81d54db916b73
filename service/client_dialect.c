/* SPDX-License-Identifier: MIT */
/* The dialect of whoever asks; client_dialect.h holds the contract. */
#include "service/client_dialect.h"

#include "service/methods.h"

const struct dialect *client_dialect(const struct http_request *request)
{
	enum operation operation = methods_at(http_request_path(request));
	const struct dialect *found = operation == OPERATION_COUNT ? NULL : operation_row(operation)->dialect;
	for (size_t i = 0; i < http_request_field_count(request) && found == NULL; i++)
		found = dialect_by_field(http_request_field_at(request, i).name);
	return found == NULL ? dialect_default() : found;
}
