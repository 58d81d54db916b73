/* SPDX-License-Identifier: MIT */
/* Models as clients of the Anthropic dialect list them. */
#ifndef SLUICE_SCHEMAS_ANTHROPIC_MODELS_WRITE_H
#define SLUICE_SCHEMAS_ANTHROPIC_MODELS_WRITE_H

#include "lib/buf.h"

/* Appends a model as an object. Failure is the buffer's. */
void anthropic_model_write(struct buf *out, struct span name);

/* Appends what a list of models begins with, up to the first of them. */
void anthropic_models_begin(struct buf *out);

#endif
