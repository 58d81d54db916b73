/* SPDX-License-Identifier: MIT */
/* The OpenAI dialect, as the service sees it. */
#include "schemas/openai/dialect.h"

#include "schemas/openai/deltas.h"

const struct dialect openai_dialect = {
    .name = "openai",
    .read_deltas = openai_deltas_read,
};
