/* SPDX-License-Identifier: MIT */
/* Queries (application/x-www-form-urlencoded) read by the same field tables as bodies. */
#ifndef SLUICE_SCHEMAS_QUERY_H
#define SLUICE_SCHEMAS_QUERY_H

#include "schemas/field.h"

/*
 * Reads a query into the typed struct of table: names and values are percent-decoded ('+' is a
 * space), and a value becomes a number, a boolean or a string as its row asks; one that
 * can't is left a string, for the table to refuse. Findings say "query". A name
 * that comes twice, or bytes that are not UTF-8, are refused. True when nothing was found.
 */
bool query_read(struct span query, const struct field_table *table, struct arena *arena, void *into,
		struct findings *findings);

#endif
