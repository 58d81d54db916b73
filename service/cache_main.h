/* SPDX-License-Identifier: MIT */
/* The arguments of `sluice cache`, and what each of its commands does. */
#ifndef SLUICE_SERVICE_CACHE_MAIN_H
#define SLUICE_SERVICE_CACHE_MAIN_H

#include "lib/buf.h"

/* The commands, for the usage: lines with their ends. */
extern const char cache_main_usage[];

/*
 * arguments: behind "cache". text: any buffer. Prints to stdout and stderr. The status to exit with (command.h); for
 * arguments that make no sense *unexpected is the first of them.
 */
int cache_main(int count, char **arguments, struct buf *text, const char **unexpected);

#endif
