/* SPDX-License-Identifier: MIT */
/* Models as clients of the OpenAI dialect list them. */
#ifndef SLUICE_SCHEMAS_OPENAI_MODELS_WRITE_H
#define SLUICE_SCHEMAS_OPENAI_MODELS_WRITE_H

#include "lib/buf.h"

/* Appends a model as an object. Failure is the buffer's. */
void openai_model_write(struct buf *out, struct span name);

/* Appends what a list of models begins with, up to the first of them. */
void openai_models_begin(struct buf *out);

#endif
