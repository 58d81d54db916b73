/* SPDX-License-Identifier: MIT */
/*
 * JSON Web Tokens that requests show, against the issuers of the configuration.
 *
 *   token ─► proven before? ─► taken apart ─► issuer by `iss` ─► signature ─► aud, exp, nbf ─► claims ─► holder
 *
 * A worker keeps the holders of tokens that it has proven, by a SipHash of all of the token under a secret of its own,
 * so that a token costs one signature for each worker. They are forgotten when they expire, when their issuer's keys
 * change, or for others: the table has a fixed size.
 */
#ifndef SLUICE_SERVICE_ACCESS_TOKENS_H
#define SLUICE_SERVICE_ACCESS_TOKENS_H

#include "config/config.h"
#include "lib/errors.h"
#include "service/access/holder.h"

struct issuers;

/* One worker's; for its thread alone. */
struct tokens;

/* config, issuers: borrows. NULL: out of memory. */
struct tokens *tokens_create(const struct config *config, struct issuers *issuers);
/* Holders that requests hold stay. NULL is harmless. */
void tokens_destroy(struct tokens *tokens);

/* Returns whether text is more like a token than like a key: it has a dot, and does not begin as keys do. */
bool tokens_is_one(struct span text);

/*
 * Finds whose token it is. now_s: since 1970. ERROR_NONE with a reference to *holder, which the caller drops;
 * TOKEN_INVALID, TOKEN_EXPIRED, TOKEN_KEYS (the issuer's keys were not fetched yet) or OVERLOADED without.
 */
enum error_code tokens_check(struct tokens *tokens, struct span token, uint64_t now_s, struct holder **holder);

/* Returns what is wrong with the last token that was refused, as a sentence; nothing of the token is in it. Valid until
 * the next check. */
const char *tokens_why(const struct tokens *tokens);

#endif
