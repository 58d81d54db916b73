/* SPDX-License-Identifier: MIT */
/* Advice about a configuration that can be used, but holds what cannot do what its author probably wants. */
#ifndef SLUICE_CONFIG_ADVICE_H
#define SLUICE_CONFIG_ADVICE_H

#include "config/config.h"
#include "config/findings.h"

/*
 * Adds advice about URLs that end in an operation, listeners that are listed twice, spares that start after their
 * first child gave up, streams that nobody can continue, queues that are longer than their wait allows, and limits that
 * can never count anything. config: read as far as it is good.
 */
void advice_give(const struct config *config, struct findings *findings);

#endif
