/* SPDX-License-Identifier: MIT */
/*
 * Inside of an origin: everything of a request that does not change from call
 * to call, prepared once. Private to clients/http.
 */
#ifndef SLUICE_CLIENTS_HTTP_ORIGIN_H
#define SLUICE_CLIENTS_HTTP_ORIGIN_H

#include <curl/curl.h>

#include "clients/http/client.h"

/* How requests to a path begin; lives as long as the origin. */
struct http_path {
	struct http_path *next;
	struct span opening[2]; /* [get]: the request line and the Host field; owned */
	char path[];
};

enum name_state {
	NAME_ST_NUMERIC, /* the host is an address */
	NAME_ST_UNKNOWN, /* the first lookup is under way */
	NAME_ST_KNOWN,
	NAME_ST_FAILED /* no addresses; looked up again by the timer */
};

struct name {
	enum name_state state;
	char *host;                   /* as curl will ask for it */
	unsigned port;                /* for curl's table of addresses */
	struct lookup *lookup;        /* NULL = none under way */
	struct timer timer;           /* the next lookup */
	struct curl_slist *addresses; /* "host:port:address,…" */
	size_t addresses_at;          /* where in that the addresses begin */
	unsigned generation;          /* counts changes of addresses */
	struct call_list waiting;
	const char *why; /* static: of NAME_ST_FAILED */
};

struct http_origin {
	TAILQ_ENTRY(http_origin) link;
	struct http_client *client; /* NULL once the client was destroyed */
	unsigned holders;           /* its owners and the calls that are not idle */
	char *url;
	char *ca_file;     /* NULL = the system's */
	char *certificate; /* NULL = none is shown */
	char *key;
	struct metrics_cells *metrics; /* borrows */
	uint32_t backend;
	bool secure;
	uint64_t connect_timeout_us;
	uint64_t resolve_us;
	struct secret *bearer;   /* holds; NULL = none */
	const char *bearer_line; /* static: what stands before it */
	const char *more_lines;  /* static: with the lines */
	unsigned bearer_version; /* that the lines have */
	struct span lines[2][2]; /* [get][stream]: fields that all its requests have; owned */
	struct http_path *paths;
	struct call_list idle_calls;
	struct pool call_pool;
	struct attempt_list spare; /* attempts that none is using */
	size_t spare_count;
	struct channel_list used; /* connections of calls */
	struct channel_list idle; /* the warmest one last */
	struct pool channel_pool; /* of these */
	struct name name;
};

/* Returns the fields that all such requests have, with the present bearer. They last until the next call of this. */
struct span origin_lines(struct http_origin *origin, bool get, bool stream);

/* The openings of a path, made when it is new. NULL: out of memory or not a URL. */
const struct http_path *origin_path(struct http_origin *origin, const char *path);

/* A call from the pool or a new one; holds origin. NULL: out of memory. */
struct http_call *origin_borrow(struct http_origin *origin);
/* Takes an idle call back, and drops origin. */
void origin_give(struct http_origin *origin, struct http_call *call);

/* Frees what needs the client; its calls are idle. */
void origin_detach(struct http_origin *origin);

/* Starts the lookups, unless the host is numeric. host: takes. */
void name_init(struct http_origin *origin, char *host, unsigned port);
void name_fini(struct http_origin *origin);
/* Whether the descriptor is connected to one of the addresses, or nothing is known of them. */
bool name_leads_to(const struct name *name, int fd);
/* The state of a new call, and its first step: waits for addresses, is queued, or fails. */
void name_admit(struct http_origin *origin, struct http_call *call);

#endif
