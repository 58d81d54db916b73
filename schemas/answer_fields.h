/* SPDX-License-Identifier: MIT */
/*
 * What answers hold, as field tables for the documents made from them; answer_fields.def
 * is the source. Answers are not decoded into structs: what a backend says is relayed.
 */
#ifndef SLUICE_SCHEMAS_ANSWER_FIELDS_H
#define SLUICE_SCHEMAS_ANSWER_FIELDS_H

#include "schemas/field.h"

#define FIELD_DEF_NAMES
#include "schemas/field_def.h"
#include "schemas/answer_fields.def"
#undef FIELD_DEF_NAMES

#endif
