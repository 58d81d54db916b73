/* SPDX-License-Identifier: MIT */
/* Methods of paths, from the table of operations; methods.h holds the contract. */
#include "service/methods.h"

#include <stdio.h>

enum operation methods_find(struct span path, struct span method, struct span *argument)
{
	if (span_is(method, "HEAD"))
		method = SPAN("GET");
	enum operation operation = 0;
	while (operation < OPERATION_COUNT &&
	       !(span_is(method, operation_row(operation)->method) && operation_matches(operation, path, argument)))
		operation++;
	return operation;
}

enum operation methods_at(struct span path)
{
	struct span argument;
	enum operation operation = 0;
	while (operation < OPERATION_COUNT && !operation_matches(operation, path, &argument))
		operation++;
	return operation;
}

static void methods_add(char allow[METHODS_ALLOW_SIZE], const char *method)
{
	size_t len = strlen(allow);
	if (strstr(allow, method) == NULL)
		snprintf(allow + len, METHODS_ALLOW_SIZE - len, "%s%s", len == 0 ? "" : ", ", method);
}

bool methods_allow(const struct surface *surface, struct span path, char allow[METHODS_ALLOW_SIZE])
{
	struct span argument;
	allow[0] = '\0';
	for (enum operation operation = 0; operation < OPERATION_COUNT; operation++) {
		const char *method = operation_row(operation)->method;
		if (!surface_serves(surface, operation) ||
		    (!span_is(path, "*") && !operation_matches(operation, path, &argument)))
			continue;
		methods_add(allow, method);
		if (strcmp(method, "GET") == 0)
			methods_add(allow, "HEAD");
	}
	if (allow[0] == '\0')
		return false;
	methods_add(allow, "OPTIONS");
	return true;
}
