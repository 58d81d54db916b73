/* SPDX-License-Identifier: MIT */
/* The accounts of a process, as quotas.c, subjects.c and entries.c share them. Nobody else includes this. */
#ifndef SLUICE_SERVICE_QUOTAS_INTERNAL_H
#define SLUICE_SERVICE_QUOTAS_INTERNAL_H

#include <pthread.h>
#include <sys/queue.h>

#include "lib/span.h"
#include "service/quotas/borrow.h"
#include "service/quotas/holding.h"
#include "service/quotas/quotas.h"

enum {
	QUOTA_BUCKETS = 4096,    /* of subjects, and of accounts */
	QUOTA_ENTRIES_MOST = 256 /* accounts that one request can fall under */
};

/* Who asks for what. */
struct quota_party {
	const struct config_key *key;     /* NULL = nobody in particular */
	const struct config_model *model; /* NULL = no single one */
};

/* What an account that replicas share has besides; borrow.c's own. */
struct quota_sharing {
	struct holding holding;
	uint64_t serial;     /* tells apart accounts of one name, one after the other */
	uint64_t round;      /* calls that were begun */
	uint64_t renewed_us; /* the last one */
	bool asking;         /* a call is under way */
	bool wanting;        /* in the list of those that want a call, now or soon */
	bool abandoned;      /* a request that the call under way asks for does not wait any more */
	bool active;         /* in the list of those that are renewed */
	TAILQ_HEAD(quota_waiter_list, quota_waiter) waiters;
};

/* Found by its name: quota, limit, and what has an account of its own. */
struct quota_entry {
	struct quota_entry *next;
	struct quota_account account;
	unsigned users; /* subjects */
	uint64_t hash;
	char *name; /* owned */
	size_t name_len;
	size_t limit_len;              /* of the name: the limit, of which there may be shares */
	struct quota_sharing *sharing; /* owned; NULL = the account is this process' alone */
	TAILQ_ENTRY(quota_entry) wanting_link, active_link;
};

struct quota_subject {
	struct quota_subject *next;
	unsigned users;    /* bills, and others that hold it */
	uint64_t revision; /* of the key */
	bool superseded;   /* no longer found: it goes with its last user */
	uint64_t hash;
	char *name; /* owned */
	size_t name_len;
	struct quota_habit habit;
	struct quota_words *words; /* owned, with their text; of each entry */
	char *text;
	size_t count;
	struct quota_entry *entries[];
};

struct quotas {
	const struct config *config;
	struct prices *prices;
	bool any; /* the configuration limits something */
	pthread_mutex_t lock;
	size_t hand; /* the bucket that is looked through next */
	struct quota_subject *subjects[QUOTA_BUCKETS];
	struct quota_entry *entries[QUOTA_BUCKETS];
	/* of accounts that replicas share */
	bool shared;  /* there are ports */
	bool closing; /* the process ends: everything is given back */
	char id[17];  /* of the process; hexadecimal */
	uint64_t serials, calls;
	struct holding_loss loss;
	struct quota_port *ports;
	unsigned open_ports;
	TAILQ_HEAD(quota_entry_list, quota_entry) wanting, active;
	struct quota_entry_list deferred; /* that want a call at the next renewal */
};

/* ---- entries.c; the lock is held ---- */

/* Lists the accounts of all limits that a party falls under, and makes those that are not there. False: memory ran out.
 */
bool entries_gather(struct quotas *quotas, const struct quota_party *party,
		    struct quota_entry *entries[QUOTA_ENTRIES_MOST], size_t *count);
/* Forgets accounts of a bucket that would be made anew just so. */
void entries_sweep(struct quotas *quotas, size_t bucket, struct quota_now now);
void entries_destroy(struct quotas *quotas);
/* Returns what tells a key from others: keys of a store may share a name. */
const char *entries_key_id(const struct config_key *key);

/* ---- subjects.c; the lock is held ---- */

/* Drops a reference. */
void subjects_drop(struct quota_subject *subject);

/* ---- quotas.c; the lock is held ---- */

/* Has the waiter wait for every account that lacks what Redis may give. */
void quotas_each_short(struct quotas *quotas, struct quota_part *parts, size_t count, struct quota_now now,
		       struct quota_waiter *waiter);

/* ---- borrow.c; the lock is held ---- */

/* NULL: out of memory. */
struct quota_sharing *borrow_create_sharing(struct quotas *quotas);
/* Returns whether the entry must stay. */
bool borrow_is_busy(const struct quota_entry *entry);
/* Frees what is shared of an entry that goes. */
void borrow_forget(struct quotas *quotas, struct quota_entry *entry);
/* Has a shared entry renewed and reported from now on. */
void borrow_note_active(struct quotas *quotas, struct quota_entry *entry, struct quota_now now);
/* Returns soon what an ended request leaves, where others lack it. */
void borrow_note_end(struct quotas *quotas, struct quota_entry *entry);
/* Has a request wait for what it asks; it waits in one entry, whatever number it needs. */
void borrow_wait(struct quotas *quotas, struct quota_entry *entry, const struct quota_ask *ask,
		 struct quota_waiter *waiter);
/* Once no worker is left. */
void borrow_free_ports(struct quotas *quotas);

#endif
