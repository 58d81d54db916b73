/* SPDX-License-Identifier: MIT */
/* The field tables of answers.def. */
#include "schemas/answers.h"

#define FIELD_DEF_BARE_TABLES
#include "schemas/field_def.h"
#include "schemas/answers.def"
#undef FIELD_DEF_BARE_TABLES
