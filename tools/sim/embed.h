/* SPDX-License-Identifier: MIT */
/* Deterministic embeddings: unit vectors that depend on the model, the input and the seed only. */
#ifndef SLUICE_TOOLS_SIM_EMBED_H
#define SLUICE_TOOLS_SIM_EMBED_H

#include "lib/buf.h"
#include "tools/sim/ask.h"

/* Appends the JSON answer. arena: for decoded inputs. */
void embed_write(struct buf *out, const struct ask *ask, uint64_t seed, struct arena *arena);

#endif
