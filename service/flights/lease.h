/* SPDX-License-Identifier: MIT */
/*
 * The right to ask a backend for an answer, of one replica at a time, and what the others hear of its flight. In Redis,
 * beside the answer's own key (remote.h):
 *
 *   …:lease        who has it: TOKEN = the worker's mailbox, "#", a number. Expires unless it is renewed.
 *   …:lease:want   somewhere somebody follows: expires unless it is renewed
 *   …:lease:log:N  the events of the flight with that number, as sealed records, once somebody wanted them
 *
 * Whoever stores an answer does so before the lease is given back, so that whoever gets the lease finds the
 * answer. When the holder dies the lease expires, and the next one asks anew. A lease is never waited for beyond the
 * budget: without Redis everybody asks for himself.
 */
#ifndef SLUICE_SERVICE_FLIGHTS_LEASE_H
#define SLUICE_SERVICE_FLIGHTS_LEASE_H

#include "service/flights/mailbox.h"
#include "service/cache/remote.h"

enum lease_verdict {
	LEASE_MINE,     /* until lease_end */
	LEASE_TAKEN,    /* another one asks; listen.h tells what it hears */
	LEASE_ANSWERED, /* the answer is there: lease->what.hit */
	LEASE_SILENT,   /* Redis does not say */
};

enum lease_state { LEASE_ST_NONE, LEASE_ST_ASKED, LEASE_ST_MINE, LEASE_ST_ENDING };

enum { LEASE_TOKEN_SIZE = REMOTE_NAME_SIZE + 24 };

/* Embedded in its owner, zero-initialised. */
struct lease {
	/* from the owner; none is called from inside a call of the owner's */
	void (*on_verdict)(struct lease *lease, enum lease_verdict verdict);
	void (*on_wanted)(struct lease *lease);  /* others follow: all events from the first on are to be published */
	void (*on_forlorn)(struct lease *lease); /* nobody follows any more */
	void (*on_over)(struct lease *lease);    /* behind lease_end */
	/* for the owner to read */
	struct cache_fetch what; /* key, tags and rule of the answer; hit: LEASE_ANSWERED, the owner's to drop */
	struct remote_name name;
	char holder[LEASE_TOKEN_SIZE]; /* LEASE_TAKEN: whose it is */
	bool wanted;
	/* its own */
	enum lease_state state;
	struct remote *remote;
	struct mailbox *mailbox;
	bool fresh; /* an answer that is there already will not do */
	bool got;   /* SET said that it is ours */
	bool silent;
	unsigned asked; /* how often */
	int64_t left_ms;
	char token[LEASE_TOKEN_SIZE];
	struct remote_name log;
	struct mailbox_place place;
	struct redis_command set, holds, left, answer, renew;
	struct remote_taking taking;
	struct timer beat;
	bool published; /* something */
};

struct lease_request {
	struct remote *remote;
	struct mailbox *mailbox; /* of the worker, where others ask for the flight */
	struct cache_key key;    /* of the answer */
	struct store_tags tags;
	const struct config_cache_rule *rule;
	struct offload_owner owner; /* whose work it is to open a large answer */
	struct span variant; /* tells apart flights of one answer that cannot stand in for each other; may be empty */
	bool fresh;          /* an answer that is there already will not do */
};

/* Once, before any of the rest is used by a thread. */
void lease_setup(void);

/* Asks for the lease, and whether the answer is there. on_verdict tells. False: Redis is not to be had. */
bool lease_ask(struct lease *lease, const struct lease_request *request);

/* LEASE_MINE: appends a record to what followers hear, in order, from the first event on; it is sealed (seal.h) in the
 * buffer. False: they lose the flight. */
bool lease_publish(struct lease *lease, struct buf *record);

/*
 * LEASE_MINE: the flight is over. answered: the answer was stored. When nothing was published, and somebody may wait
 * for what did not become an answer, on_wanted may come once more; then on_over.
 */
void lease_end(struct lease *lease, bool answered);

/* The log of the flight that a token is about, and the mailbox of who runs it. Only for tokens that leases have. */
struct remote_name lease_log_name(const struct remote_name *name, struct span token);
struct span lease_mailbox(struct span token);

/* The owner goes: what it holds is given back without a word. */
void lease_drop(struct lease *lease);

#endif
