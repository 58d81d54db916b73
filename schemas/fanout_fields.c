/* SPDX-License-Identifier: MIT */
/* The field tables of fanout_fields.def. */
#include "schemas/fanout_fields.h"

#define FIELD_DEF_TABLES
#include "schemas/field_def.h"
#include "schemas/fanout_fields.def"
#undef FIELD_DEF_TABLES
