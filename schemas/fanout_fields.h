/* SPDX-License-Identifier: MIT */
/* The request of POST /v1/fanout as a typed struct, and its field tables; fanout_fields.def is the source. */
#ifndef SLUICE_SCHEMAS_FANOUT_FIELDS_H
#define SLUICE_SCHEMAS_FANOUT_FIELDS_H

#include "schemas/openai/request_fields.h"

#define FIELD_DEF_STRUCTS
#include "schemas/field_def.h"
#include "schemas/fanout_fields.def"
#undef FIELD_DEF_STRUCTS

#endif
