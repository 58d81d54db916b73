/* SPDX-License-Identifier: MIT */
/* The field tables of request_fields.def. */
#include "schemas/responses/request_fields.h"

#define FIELD_DEF_TABLES
#include "schemas/field_def.h"
#include "schemas/responses/request_fields.def"
#undef FIELD_DEF_TABLES
