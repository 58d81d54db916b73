/* SPDX-License-Identifier: MIT */
/* The accounts of a process, as quotas.c and subjects.c share them. Nobody else includes this. */
#ifndef SLUICE_SERVICE_QUOTAS_INTERNAL_H
#define SLUICE_SERVICE_QUOTAS_INTERNAL_H

#include <pthread.h>

#include "lib/span.h"
#include "service/quotas/quotas.h"

enum { QUOTA_BUCKETS = 4096 /* of subjects, and of accounts */ };

/* Found by its name: quota, limit, and what has an account of its own. */
struct quota_entry {
	struct quota_entry *next;
	struct quota_account account;
	unsigned users; /* subjects */
	uint64_t hash;
	char *name; /* owned */
	size_t name_len;
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
};

#endif
