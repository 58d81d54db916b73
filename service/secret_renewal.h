/* SPDX-License-Identifier: MIT */
/*
 * Secrets in files are read again on SIGHUP (config/secrets.h): each by itself, so that one that cannot be read leaves
 * the others new. What comes of it is logged, by the key of the configuration.
 */
#ifndef SLUICE_SERVICE_SECRET_RENEWAL_H
#define SLUICE_SERVICE_SECRET_RENEWAL_H

#include "config/config.h"

/* Reads all secrets that are in files again. For one thread at a time; others may use the secrets meanwhile. */
void secret_renewal_run(const struct config *config);

#endif
