/* SPDX-License-Identifier: MIT */
/* A listening socket that can be closed for a while and comes back on the same port. */
#ifndef SLUICE_TOOLS_SIM_LISTEN_H
#define SLUICE_TOOLS_SIM_LISTEN_H

#include "tools/sim/sim.h"

/* Binds and listens. sim: borrowed. False with errno set. */
bool listener_open(struct listener *listener, struct sim *sim, const struct address *address);

/* Closes the socket: connections are refused from now on. Harmless when closed. */
void listener_close(struct listener *listener);

/* Closes it and opens it again after_us later; 0 = not by itself. */
void listener_close_for(struct listener *listener, uint64_t after_us);

/* Opens it again on the port it had. False with errno set; harmless when open. */
bool listener_reopen(struct listener *listener);

#endif
