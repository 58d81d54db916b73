/* SPDX-License-Identifier: MIT */
/* The running service: set-up in order, waiting for signals, mirrored tear-down. */
#ifndef SLUICE_SERVICE_APP_H
#define SLUICE_SERVICE_APP_H

#include "config/config.h"

/* Serves until a signal ends it. config: borrows. Returns the exit status. */
int app_run(const struct config *config);

/* Checks what only the service can judge (plans, TLS files, backend URLs); findings are appended to errors. True when
 * it could start. */
bool app_check(const struct config *config, struct buf *errors);

#endif
