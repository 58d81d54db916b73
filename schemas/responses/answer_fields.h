/* SPDX-License-Identifier: MIT */
/* What answers of the Responses dialect hold, as field tables; answer_fields.def is the source. */
#ifndef SLUICE_SCHEMAS_RESPONSES_ANSWER_FIELDS_H
#define SLUICE_SCHEMAS_RESPONSES_ANSWER_FIELDS_H

#include "schemas/field.h"

#define FIELD_DEF_NAMES
#include "schemas/field_def.h"
#include "schemas/responses/answer_fields.def"
#undef FIELD_DEF_NAMES

#endif
