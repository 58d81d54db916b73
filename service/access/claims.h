/* SPDX-License-Identifier: MIT */
/*
 * From the claims of a token that was proven to what its holder may do: subject, tenant, endpoints, models, admin. A
 * token may do what its claims say and nothing else; a claim that is missing or cannot be understood refuses the token.
 */
#ifndef SLUICE_SERVICE_ACCESS_CLAIMS_H
#define SLUICE_SERVICE_ACCESS_CLAIMS_H

#include "config/config.h"
#include "lib/jwt.h"

enum {
	CLAIMS_MODELS_MAX = 64,   /* patterns in a token */
	CLAIMS_SUBJECT_SHOWN = 64 /* bytes of a subject that logs show */
};

/* Words of a scope begin with it. */
#define CLAIMS_PREFIX "sluice:"

/*
 * Fills the rights of a token, in the arena. name and tenant: see docs/guarantees/tokens.md. Returns NULL, or the name
 * in the configuration of the claim that refuses the token, such as "subject"; of a tenant that is too deep, "tenant".
 * Check arena_failed().
 */
const char *claims_read(struct config_key *rights, const struct config_issuer *issuer, const struct jwt *jwt,
			struct arena *arena);

#endif
