/* SPDX-License-Identifier: MIT */
/* The table of the OpenAI dialect. */
#ifndef SLUICE_SCHEMAS_OPENAI_DIALECT_H
#define SLUICE_SCHEMAS_OPENAI_DIALECT_H

#include "schemas/dialect.h"

extern const struct dialect openai_dialect;

#endif
