/* SPDX-License-Identifier: MIT */
/* The Responses dialect (OpenAI's Responses API), towards clients. Only the table of operations includes this. */
#ifndef SLUICE_SCHEMAS_RESPONSES_DIALECT_H
#define SLUICE_SCHEMAS_RESPONSES_DIALECT_H

#include "schemas/dialect.h"

extern const struct dialect responses_dialect;

#endif
