/* SPDX-License-Identifier: MIT */
/* sluice keys: making keys of clients, and the hashes that the configuration has of them. */
#ifndef SLUICE_SERVICE_KEYS_MAIN_H
#define SLUICE_SERVICE_KEYS_MAIN_H

#include "lib/buf.h"

extern const char keys_main_usage[];

/*
 * Runs the command whose arguments these are, behind "keys". The pepper comes from a file or the environment, a key
 * from stdin: neither is ever an argument, which other users of the machine can read. text: any buffer. Returns the
 * status of the process; *unexpected is the first argument that makes no sense, or NULL.
 */
int keys_main(int count, char **arguments, struct buf *text, const char **unexpected);

#endif
