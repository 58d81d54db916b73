/* SPDX-License-Identifier: MIT */
/* Checks of authentication that need several keys of the file. */
#ifndef SLUICE_CONFIG_AUTH_CHECK_H
#define SLUICE_CONFIG_AUTH_CHECK_H

#include "config/config.h"
#include "config/reader.h"

/*
 * Decides auth.mode where the file does not say it, and adds a finding for each: keys that nobody asks for; keys asked
 * for that there are not; a pepper that is missing or short; two keys with one id; a listener, public or of operators,
 * on an address that other machines may reach, when nobody is asked for a key and the file does not say so.
 */
void auth_check(const struct reader *reader, const struct tree_node *root, struct config *config);

#endif
