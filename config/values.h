/* SPDX-License-Identifier: MIT */
/* From the text of a scalar to its value, by the key's row of the table, and what to say when it is none. */
#ifndef SLUICE_CONFIG_VALUES_H
#define SLUICE_CONFIG_VALUES_H

#include <stdint.h>

#include "config/keys.h"
#include "lib/arena.h"

struct secret;

/* Which member holds the value follows from the key's type. */
struct value {
	bool truth;         /* BOOL */
	uint64_t number;    /* UNSIGNED, PERCENT; SIZE in bytes; DURATION in microseconds; TIME in seconds since 1970;
			     * MONEY;    WORD, one of WORDS: its place */
	const void *made;   /* HASH, one of NETWORKS, RATES and SPENDING: the struct, in the arena */
	const char *string; /* the others, in the arena; of ADDRESS, LISTENER and SERVERS the host, NULL = none */
	const char *port;   /* ADDRESS, LISTENER, SERVERS */
	const char *socket; /* LISTENER: the path of a unix socket, NULL = none */
	struct secret *secret; /* SECRET, when reader_value() read it; NULL = none. Of the snapshot */
};

enum { VALUE_EXPECTED_MAX = 256 };

/*
 * Reads text (borrows) as key's type, one entry where it takes several, and checks bounds. directory: where a
 * relative PATH begins, "" or with a trailing slash. False, with expected
 * filled ("a size such as 4MiB, …"), when it is not what the key takes.
 */
bool value_read(struct arena *arena, const struct key *key, struct span text, const char *directory,
		struct value *value, char expected[VALUE_EXPECTED_MAX]);

/* What the key takes, for messages: "a duration such as 250ms, 2s, 10m or 1h". Returns text. */
const char *value_expected(const struct key *key, char text[VALUE_EXPECTED_MAX]);

/* Digits only, no sign, no leading zero. */
bool value_parse_unsigned(struct span text, uint64_t *number);
/* Digits and one of B KB MB GB KiB MiB GiB, or no unit: bytes. */
bool value_parse_size(struct span text, uint64_t *bytes);
/* Digits and one of ms s m h. */
bool value_parse_duration(struct span text, uint64_t *microseconds);
/* Digits and %. */
bool value_parse_percent(struct span text, uint64_t *percent);
/* 1 to VALUE_NAME_MAX letters, digits, ".", "_" and "-". */
enum { VALUE_NAME_MAX = 64 };
bool value_is_name(struct span text);
/* Characters of TEXT. */
enum { VALUE_TEXT_MAX = 256 };
/* Characters of SECRET, or none. */
bool value_is_secret(struct span text);
/* true or false. */
bool value_parse_bool(struct span text, bool *truth);

#endif
