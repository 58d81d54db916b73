/* SPDX-License-Identifier: MIT */
/* Whether a request may do what its head asks for: service/access over service/http, and the words of refusals. */
#ifndef SLUICE_SERVICE_AUTHORIZE_H
#define SLUICE_SERVICE_AUTHORIZE_H

#include "lib/arena.h"
#include "schemas/operations.h"
#include "service/access/access.h"
#include "service/access/failures.h"
#include "service/refuse.h"

/*
 * Returns ERROR_NONE, with *holder where the operation needs a key, or one of ERROR_KEY_*, with *holder when the key
 * was shown in full. The caller drops the reference. No key is needed where nobody is asked for keys; for free
 * operations; and for those of operators, on an admin listener that only this machine reaches.
 */
enum error_code authorize(struct access *access, const struct config *config, const struct http_request *request,
			  const struct operation_row *row, struct holder **holder);

/* Returns whether authorize() can refuse with that code. */
bool authorize_refuses_with(enum error_code code);

/*
 * Returns the refusal of such a code in words; a wrong key counts for its network, and one too many becomes
 * KEY_FAILURES. holder: as authorize() left it. now_us: monotonic. The text is in the arena.
 */
struct refusal authorize_refusal(enum error_code code, const struct access *access, const struct http_request *request,
				 const struct operation_row *row, struct holder *holder,
				 struct access_failures *failures, uint64_t now_us, struct arena *arena);

#endif
