/* SPDX-License-Identifier: MIT */
/* The field tables of answer_fields.def. */
#include "schemas/responses/answer_fields.h"

#define FIELD_DEF_BARE_TABLES
#include "schemas/field_def.h"
#include "schemas/responses/answer_fields.def"
#undef FIELD_DEF_BARE_TABLES
