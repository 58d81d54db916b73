/* SPDX-License-Identifier: MIT */
/* The field tables of admin_fields.def. */
#include "schemas/admin_fields.h"

#define FIELD_DEF_TABLES
#include "schemas/field_def.h"
#include "schemas/admin_fields.def"
#undef FIELD_DEF_TABLES
