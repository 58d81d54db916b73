/* SPDX-License-Identifier: MIT */
/* The requests of the Anthropic dialect as typed structs, and their field tables; request_fields.def is the source. */
#ifndef SLUICE_SCHEMAS_ANTHROPIC_REQUEST_FIELDS_H
#define SLUICE_SCHEMAS_ANTHROPIC_REQUEST_FIELDS_H

#include "schemas/field.h"

#define FIELD_DEF_STRUCTS
#include "schemas/field_def.h"
#include "schemas/anthropic/request_fields.def"
#undef FIELD_DEF_STRUCTS

#endif
