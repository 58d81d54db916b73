/* SPDX-License-Identifier: MIT */
/* The requests of the Responses dialect as typed structs, and their field tables; request_fields.def is the source. */
#ifndef SLUICE_SCHEMAS_RESPONSES_REQUEST_FIELDS_H
#define SLUICE_SCHEMAS_RESPONSES_REQUEST_FIELDS_H

#include "schemas/field.h"

#define FIELD_DEF_STRUCTS
#include "schemas/field_def.h"
#include "schemas/responses/request_fields.def"
#undef FIELD_DEF_STRUCTS

#endif
