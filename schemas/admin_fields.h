/* SPDX-License-Identifier: MIT */
/* Parameters of our own endpoints as typed structs, and their field tables; admin_fields.def is the source. */
#ifndef SLUICE_SCHEMAS_ADMIN_FIELDS_H
#define SLUICE_SCHEMAS_ADMIN_FIELDS_H

#include "schemas/field.h"

#define FIELD_DEF_STRUCTS
#include "schemas/field_def.h"
#include "schemas/admin_fields.def"
#undef FIELD_DEF_STRUCTS

#endif
