/* SPDX-License-Identifier: MIT */
/* The paths below /sim/, by which tests read what happened and switch faults. Never recorded, never faulty. */
#ifndef SLUICE_TOOLS_SIM_CONTROL_H
#define SLUICE_TOOLS_SIM_CONTROL_H

#include "tools/sim/http_parse.h"
#include "tools/sim/sim.h"

/* Appends the JSON answer to a request for a path below /sim/; returns the HTTP status. */
int control_answer(struct sim *sim, const struct http_request *request, struct span body, struct buf *out);

#endif
