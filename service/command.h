/* SPDX-License-Identifier: MIT */
/* What the commands of the program have in common: how they end, print and read their configuration. */
#ifndef SLUICE_SERVICE_COMMAND_H
#define SLUICE_SERVICE_COMMAND_H

#include <stdio.h>

#include "config/config.h"
#include "lib/buf.h"

/* Statuses of the process. */
enum { COMMAND_OK = 0, COMMAND_FAILED = 1, COMMAND_USAGE = 2 };

/* Writes text to the stream, and empties it. */
void command_print(FILE *stream, struct buf *text);

/* The configuration at path, the embedded one when that is NULL. NULL with what is wrong printed. text: any buffer. */
const struct config *command_load(const char *path, struct buf *text);

#endif
