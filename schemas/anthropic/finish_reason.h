/* SPDX-License-Identifier: MIT */
/* Why a message ended, in the words of a chat. */
#ifndef SLUICE_SCHEMAS_ANTHROPIC_FINISH_REASON_H
#define SLUICE_SCHEMAS_ANTHROPIC_FINISH_REASON_H

#include "lib/span.h"

/* Returns the finish_reason of a stop_reason; a word that a chat has not stays as it is. */
struct span anthropic_finish_reason(struct span stop_reason);

#endif
