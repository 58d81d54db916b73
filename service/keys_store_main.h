/* SPDX-License-Identifier: MIT */
/* sluice keys create, list, show, rotate and revoke, of the store that a configuration names. */
#ifndef SLUICE_SERVICE_KEYS_STORE_MAIN_H
#define SLUICE_SERVICE_KEYS_STORE_MAIN_H

#include "lib/buf.h"

extern const char keys_store_usage[];

/* Returns whether the command, with these arguments behind it, is about a store. */
bool keys_store_is_meant(const char *command, int count, char **arguments);

/* Runs it; as keys_main(). */
int keys_store_main(const char *command, int count, char **arguments, struct buf *text, const char **unexpected);

#endif
