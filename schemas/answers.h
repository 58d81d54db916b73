/* SPDX-License-Identifier: MIT */
/*
 * What answers hold, as field tables for the documents made from them; answers.def
 * is the source. Answers are not decoded into structs: what a backend says is relayed.
 */
#ifndef SLUICE_SCHEMAS_ANSWERS_H
#define SLUICE_SCHEMAS_ANSWERS_H

#include "schemas/field.h"

#define FIELD_DEF_NAMES
#include "schemas/field_def.h"
#include "schemas/answers.def"
#undef FIELD_DEF_NAMES

#endif
