/* SPDX-License-Identifier: MIT */
/* What clients ask models for, whatever the dialect. */
#ifndef SLUICE_SCHEMAS_ENDPOINT_H
#define SLUICE_SCHEMAS_ENDPOINT_H

enum endpoint { ENDPOINT_CHAT, ENDPOINT_COMPLETIONS, ENDPOINT_EMBEDDINGS };
enum { ENDPOINT_COUNT = ENDPOINT_EMBEDDINGS + 1 };

#endif
