/* SPDX-License-Identifier: MIT */
/* What is wrong with a body that is no JSON, as a finding. */
#ifndef SLUICE_SCHEMAS_FINDING_JSON_H
#define SLUICE_SCHEMAS_FINDING_JSON_H

#include "lib/json.h"
#include "schemas/finding.h"

/* Makes it the only finding: it names line and column, the path of a duplicate key, the limit of levels. json, error:
 * as json_parse_within() left them. limits: those it was given. */
void finding_of_json(struct findings *findings, struct arena *arena, const struct json *json,
		     const struct json_error *error, const struct json_limits *limits);

#endif
