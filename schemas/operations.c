/* SPDX-License-Identifier: MIT */
/* The operations as an array, and matching of paths. */
#include "schemas/operations.h"

#include "schemas/admin_fields.h"
#include "schemas/openai_requests.h"

static const struct operation_row rows[OPERATION_COUNT] = {
#define OPERATION(symbol, ...) [OPERATION_##symbol] = {__VA_ARGS__},
#include "schemas/operations.def"
#undef OPERATION
};

const struct operation_row *operation_row(enum operation operation)
{
	return &rows[operation];
}

bool operation_matches(enum operation operation, struct span path, struct span *argument)
{
	const char *pattern = rows[operation].path;
	const char *brace = strchr(pattern, '{');
	if (brace == NULL)
		return span_is(path, pattern);
	size_t fixed = (size_t)(brace - pattern);
	if (path.len <= fixed || memcmp(path.at, pattern, fixed) != 0)
		return false;
	*argument = (struct span){path.at + fixed, path.len - fixed};
	return true;
}
