/* SPDX-License-Identifier: MIT */
/* The table of configuration keys; keys.def is its source. */
#ifndef SLUICE_CONFIG_KEYS_H
#define SLUICE_CONFIG_KEYS_H

#include "lib/span.h"

enum key_type {
	/* these hold other keys */
	KEY_SECTION,      /* a mapping with known keys */
	KEY_CERTIFICATES, /* mapping or list of mappings; of struct config_listener */
	KEY_LISTENERS,    /* list; entries are struct config_listener */
	KEY_BACKENDS,     /* mapping of names to struct config_backend */
	KEY_MODELS,       /* mapping of names to plans */
	KEY_KEYS,         /* mapping of names to struct config_key */
	KEY_QUOTAS,       /* mapping of names to struct config_quota */
	KEY_SHARES,       /* mapping of tenants to struct config_share */
	KEY_TENANTS,      /* mapping of paths to struct config_tenant */
	KEY_PRICES,       /* mapping of targets to struct config_price */
	KEY_ISSUERS,      /* mapping of names to struct config_issuer */
	KEY_CACHE_MODELS, /* mapping of models' names to struct config_cache_rule */
	KEY_PLAN,         /* config/plan.h */
	/* these are scalars; the member's type follows in brackets */
	KEY_BOOL,     /* [bool] */
	KEY_UNSIGNED, /* [unsigned] */
	KEY_SIZE,     /* [size_t] bytes */
	KEY_DURATION, /* [uint64_t] microseconds */
	KEY_ENUM,     /* [const char *] one of some words */
	KEY_PERCENT,  /* [unsigned] */
	KEY_WORD,     /* [unsigned] as KEY_ENUM, its place among the words */
	KEY_WORDS,    /* [unsigned] one of some words or a list of them, a bit for each by its place */
	KEY_NUMBERS,  /* [const unsigned *] a list; bounds are those of its entries */
	KEY_KINDS,    /* [failure_set] one kind of failure or a list */
	KEY_NAME,     /* [const char *] letters, digits, ".", "_" and "-" */
	KEY_TEXT,     /* [const char *] visible ASCII, or a word that stands for NULL */
	KEY_TEXTS,    /* [const char *const *, size_t count, adjacent] one text or a list */
	KEY_PATH,     /* [const char *] a readable file, resolved; NULL when empty */
	KEY_SECRET,   /* [const char *] never shown; NULL when empty */
	KEY_URL,      /* [const char *] */
	KEY_URL_PATH, /* [const char *] with its leading slash; NULL when empty */
	KEY_ADDRESS,  /* [const char *host, *port, adjacent] */
	KEY_LISTENER, /* [struct config_listener] an address, "unix:" and a path, or a word that turns it off */
	KEY_FILE,     /* [const char *] path of a file that need not be there yet, resolved; NULL when empty */
	KEY_SOCKET,   /* [const char *] path of a unix socket, resolved; NULL when empty */
	KEY_SERVERS,  /* [const struct config_address *, size_t count, adjacent] one entry or a list */
	KEY_ORIGINS,  /* [const char *const *, size_t count, adjacent] one entry or a list */
	KEY_HOSTS,    /* [const char *const *, size_t count, adjacent] one entry or a list */
	KEY_HASH,     /* [const struct config_key_hash *] */
	KEY_TENANT,   /* [const char *] one to three names, by slashes */
	KEY_PATTERNS, /* [const char *const *, size_t count, adjacent] one entry or a list */
	KEY_NETWORKS, /* [const struct config_network *, size_t count, adjacent] one entry or a list */
	KEY_TIME,     /* [uint64_t] seconds since 1970 */
	KEY_RATES,    /* [struct config_rates] one entry or a list */
	KEY_SPENDING, /* [struct config_rates] as RATES, in billionths of a dollar */
	KEY_MONEY,    /* [uint64_t] billionths of a dollar */
};

/* The struct that keeps a key's value. */
enum key_owner {
	KEY_OF_NOTHING,
	KEY_OF_config,
	KEY_OF_config_listener,
	KEY_OF_config_backend,
	KEY_OF_config_key,
	KEY_OF_config_quota,
	KEY_OF_config_share,
	KEY_OF_config_tenant,
	KEY_OF_config_price,
	KEY_OF_config_issuer,
	KEY_OF_config_model,
	KEY_OF_config_cache_rule,
	KEY_OF_config_plan_options
};

enum { KEY_REQUIRED = 1, KEY_SHORT = 2 };

struct key {
	const char *path;
	enum key_type type;
	enum key_owner owner;
	size_t offset; /* of the member in its owner */
	const char *standard;
	const char *least;
	const char *most;
	const char *words;
	unsigned flags; /* KEY_REQUIRED … */
	const char *text;
};

extern const struct key keys_table[];
extern const size_t keys_count;

/*
 * section: the path of what holds the keys: "" for the file, "listen[]",
 * "backends.*", "backends.*.timeouts", … True when key is directly in it.
 */
bool key_is_in(const struct key *key, const char *section);

/* The key of that name in section; NULL when there is none. */
const struct key *key_find(const char *section, struct span name);

/* The last part of its path: "connect". */
const char *key_leaf(const struct key *key);

/* Iterates over words separated by spaces; *at starts as the words and ends as NULL. False at the end. */
bool key_next_word(const char **at, struct span *word);

#endif
