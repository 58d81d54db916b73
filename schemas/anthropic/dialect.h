/* SPDX-License-Identifier: MIT */
/* The Anthropic dialect (Messages), towards clients. Only schemas/dialect.c and the table of operations include this.
 */
#ifndef SLUICE_SCHEMAS_ANTHROPIC_DIALECT_H
#define SLUICE_SCHEMAS_ANTHROPIC_DIALECT_H

#include "schemas/dialect.h"

extern const struct dialect anthropic_dialect;

#endif
