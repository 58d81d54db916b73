/* SPDX-License-Identifier: MIT */
/*
 * What a store keeps of a key: JSON text with the hash of the key, and the name, tenant, scopes, expiry, state, labels
 * and limits that operators gave it. The key itself is nowhere in it.
 */
#ifndef SLUICE_SERVICE_ACCESS_KEY_RECORD_H
#define SLUICE_SERVICE_ACCESS_KEY_RECORD_H

#include "config/config.h"
#include "lib/arena.h"

enum { KEY_RECORD_FORM = 1 /* a later build's record has another one, and is not read */ };

/* Texts are borrowed from whoever filled it in. */
struct key_record {
	struct span name;
	struct span tenant;                      /* {NULL,0} = the name */
	struct span models, endpoints, networks; /* JSON arrays of strings; {NULL,0} = all */
	struct span expires;                     /* as in the configuration; {NULL,0} = never */
	struct span labels;                      /* a JSON object of strings; {NULL,0} = none */
	struct span limits;                      /* a JSON object; {NULL,0} = none */
	bool admin;
	enum config_key_state state;
	struct span hash;        /* 64 hex digits */
	struct span former;      /* of the secret before; {NULL,0} = there is none */
	uint64_t former_until_s; /* since 1970: the former one is good before that */
	uint64_t created_s, updated_s;
};

/* Appends it as a store keeps it. */
void key_record_write(const struct key_record *record, struct buf *out);

/* Reads a stored record; texts are in the arena, or in text. False: it is none of this form. */
bool key_record_read(struct span text, struct arena *arena, struct key_record *record);

/* Appends it as operators see it, an object without hashes. now_s: since 1970. secret: the key itself, shown once;
 * {NULL,0} = it is not. */
void key_record_show(struct span id, const struct key_record *record, uint64_t now_s, struct span secret,
		     struct buf *out);

/*
 * Gives the record the meaning that keys of the configuration have. key: filled with what the arena holds; hash with
 * id and sums, *former with the former one or NULL. False with why appended when a value is none.
 */
bool key_record_resolve(struct span id, const struct key_record *record, struct arena *arena, struct config_key *key,
			const struct config_key_hash **former, struct buf *why);

#endif
