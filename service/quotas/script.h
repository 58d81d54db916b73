/* SPDX-License-Identifier: MIT */
/*
 * The script that keeps an account for all replicas in Redis: one hash for each account. Its fields:
 *
 *   t        when the script ran last, in ms by the clock of Redis
 *   sNUMBER  what was used in that slot of the window, or in that day or month
 *   hID      what a process holds: ten numbers, listed in script.c
 *
 * Where tenants have shares of the limit (shares.h), a process has a holding for each of them. Besides there are
 *
 *   sNUMBER:TENANT, hID:TENANT   the same, of the tenant's share
 *   aTENANT                      when it asked last, in ms, and since when without a pause
 *   lTENANT                      the number of the day or month, and what is lost of its share then
 *
 * and nothing is lent that is kept for another tenant.
 *
 * A process holds a part of the limit, and grants requests out of it. It asks with totals instead of differences, so
 * that a lost or repeated message changes nothing:
 *
 *   covered    what it has used of what it held, ever
 *   uncovered  what it has used besides, ever
 *   ceiling    up to which covered may grow: covered + what it holds
 *
 *   used in the window + held by all processes <= limit      whenever something is given to a process
 *
 * A process is given nothing that would serve none of its requests: two processes that each hold half of what is left
 * would otherwise refuse all of theirs for as long as both are asked.
 *
 * A holding expires when its process is silent for SCRIPT_LEASE_MS while others are answered. Then it counts as used,
 * because nobody knows how much of it was. A process that comes back while this use is still in the window gets its
 * holding back. A holding of requests that run at once ends without a trace.
 */
#ifndef SLUICE_SERVICE_QUOTAS_SCRIPT_H
#define SLUICE_SERVICE_QUOTAS_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/span.h"
#include "service/quotas/account.h"

enum { SCRIPT_LEASE_MS = 10000, SCRIPT_ID_SIZE = 40, SCRIPT_ARGS = 17, SCRIPT_REPLIES = 7 };

/* What a process asks. Amounts are in the unit of the account. */
struct script_ask {
	char id[SCRIPT_ID_SIZE]; /* of the process and its account */
	uint64_t number;         /* grows with each call: older calls that arrive late are refused */
	uint64_t covered, uncovered;
	uint64_t known_covered, known_uncovered; /* the same, as Redis last answered to */
	uint64_t want;                           /* ceiling */
	uint64_t must;                           /* ceiling that requests wait for; 0 = none waits */
	uint64_t least;                          /* that one of them waits for */
	uint64_t idle;                           /* ceiling if none of them is served */
	uint64_t enough;                         /* on top of idle, for one of them to be served */
	uint64_t limit;
	unsigned unit; /* of the account */
	enum quota_window kind;
	/* of a limit that has shares; otherwise all zero */
	const struct config_share *shares; /* borrowed from the configuration */
	size_t share_count;
	size_t member;    /* whose holding it is: the place of a share; share_count = everybody else's */
	int64_t asked_ms; /* ago, by a request; -1 = long ago */
	bool leaves;      /* the process holds nothing from now on and need not be counted */
};

struct script_answer {
	uint64_t ceiling;
	uint64_t holders; /* processes, this one included */
	bool others_lack; /* a request of another process has waited for more within two seconds */
	uint64_t free;    /* of the limit: neither used nor held, nor kept for other tenants */
	int64_t wait_ms;  /* until `least` is left of the limit when nothing is held; -1 = the day or month must end */
	int64_t reset_ms; /* until nothing is used; -1 = the same */
	bool owed;        /* what requests wait for is of their tenant's share, and other processes hold some of that */
};

/* Writes the script, in Lua. Its key is that of the account. */
enum { SCRIPT_LUA_SIZE = 12288 };
void script_write_text(char text[SCRIPT_LUA_SIZE]);

/* Writes the arguments into text and lists them. text: at least SCRIPT_TEXT_SIZE bytes. */
enum { SCRIPT_SHARE_SIZE = 200 /* a tenant and its percent */ };
enum { SCRIPT_TEXT_SIZE = SCRIPT_ID_SIZE + SCRIPT_ARGS * 22 + QUOTA_SHARES * SCRIPT_SHARE_SIZE };
void script_write(const struct script_ask *ask, char text[SCRIPT_TEXT_SIZE], struct span args[SCRIPT_ARGS]);

/* Reads the numbers of a reply. False: they are no answer, or the call was older than another one. */
bool script_read(const int64_t *numbers, size_t count, struct script_answer *answer);

/* Returns the length of a slot in ms; 0 = a day, -1 = a month, -2 = there is no window. */
int script_slot_ms(unsigned unit, enum quota_window kind);

#endif
