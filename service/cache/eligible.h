/* SPDX-License-Identifier: MIT */
/* Whether a request has to do with the cache: what it says of itself, under the rule of its model. */
#ifndef SLUICE_SERVICE_CACHE_ELIGIBLE_H
#define SLUICE_SERVICE_CACHE_ELIGIBLE_H

#include "config/config.h"
#include "schemas/request.h"

/*
 * NULL: an answer to the request may be kept and given again. Else why not, in words: "the policy of its model is
 * off". request: validated.
 */
const char *cache_ineligible(const struct request *request, const struct config_cache_rule *rule);

#endif
