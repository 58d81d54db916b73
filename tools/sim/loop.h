/* SPDX-License-Identifier: MIT */
/* The loop: epoll, timers, signals. Everything of the simulator runs on its turns. */
#ifndef SLUICE_TOOLS_SIM_LOOP_H
#define SLUICE_TOOLS_SIM_LOOP_H

#include "tools/sim/sim.h"

/* Sets signals, descriptors and listeners up. False after printing why. */
bool loop_setup(struct sim *sim);

/* Turns until SIGTERM or SIGINT. */
void loop_run(struct sim *sim);

/* Mirrors loop_setup. */
void loop_teardown(struct sim *sim);

#endif
