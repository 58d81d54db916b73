/* SPDX-License-Identifier: MIT */
/*
 * Which settings hold for a call. Headers win over the model name, that over the
 * standing fault of the control endpoint, that over the command line.
 */
#ifndef SLUICE_TOOLS_SIM_SETTINGS_H
#define SLUICE_TOOLS_SIM_SETTINGS_H

#include "tools/sim/ask.h"
#include "tools/sim/http_parse.h"
#include "tools/sim/sim.h"

/*
 * Settings of a call to a model. attempt: how many calls carried this model string; 0 = this is no call, count nothing.
 * Texts are borrowed from the request and from sim. False with *error filled.
 */
bool settings_of_call(struct knobs *knobs, struct sim *sim, const struct ask *ask, const struct http_request *request,
		      uint64_t attempt, struct knobs_error *error);

/* Settings of GET /models and /health: the standing fault, if it holds for them. */
void settings_of_probe(struct knobs *knobs, struct sim *sim);

#endif
