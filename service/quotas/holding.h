/* SPDX-License-Identifier: MIT */
/*
 * What this process holds of a limit that all replicas share. Redis gives a part of the limit for some seconds
 * (script.h); the process grants requests out of that part and asks nobody. When it needs more it asks, when it needs
 * less it gives back.
 *
 *   covered + reserved <= ceiling      whenever something was granted, until the holding expires
 *
 * The process counts the time from before it asks, and a second less than Redis does, so that it stops first.
 *
 * When Redis does not answer, what is held is used up; then a limit either refuses, or lets this process have its share
 * of the whole limit, by what it counted itself. For a lease that is no more than its share of what was free when Redis
 * answered last, so that a short silence does not grant a limit that others used up.
 */
#ifndef SLUICE_SERVICE_QUOTAS_HOLDING_H
#define SLUICE_SERVICE_QUOTAS_HOLDING_H

#include "service/quotas/account.h"
#include "service/quotas/script.h"

enum {
	HOLDING_RENEW_US = 1000000,  /* how often what is held is renewed, and what was used is reported */
	HOLDING_LOSS_US = 1000000,   /* how long Redis is left alone after it did not answer */
	HOLDING_REFUSED_US = 100000, /* how long nobody asks for more than there was */
	HOLDING_SECONDS = 3          /* of recent use that are remembered; the present one is the last */
};

/* What the process knows of Redis. All zero at first. */
struct holding_loss {
	uint64_t until_us; /* it did not answer: nobody asks before */
	uint64_t holders;  /* processes that shared an account, as heard last; 0 = not known */
};

/* Why an account has no room. */
enum holding_lack {
	HOLDING_REFUSED, /* nothing is left */
	HOLDING_SHORT,   /* Redis may give more */
	HOLDING_LOST     /* Redis does not answer, and the limit refuses then */
};

/* Embedded in an entry of the accounts. All zero but for loss and refuses: nothing is held. */
struct holding {
	const struct holding_loss *loss; /* borrowed */
	bool refuses;                    /* when Redis does not answer */
	/* totals of this account, as the script has them */
	uint64_t covered, uncovered, ceiling;
	uint64_t known_covered, known_uncovered;
	uint64_t sent_uncovered; /* that Redis may know of */
	uint64_t until_us;       /* what is held may be granted */
	bool local;              /* the last grant was made without Redis */
	bool unsure;             /* Redis may have given more than was heard */
	/* requests that wait for more */
	uint64_t need, least; /* of all together, and of the one that needs least; 0 = none waits */
	uint64_t enough;      /* for one of them to be served */
	/* as heard last */
	uint64_t holders;
	uint64_t free;
	uint64_t heard_us; /* 0 = never */
	uint64_t free_again_us, reset_us;
	bool others_lack;
	uint64_t refused_us, refused_amount; /* so much was not to be had, until when that is believed */
	/* by second: what was used, and the most that was reserved */
	uint64_t second;
	uint64_t used[HOLDING_SECONDS], peak[HOLDING_SECONDS];
};

/* ---- for account.c: the account is a shared one ---- */

bool holding_has_room(struct quota_account *account, struct quota_now now, uint64_t amount, uint64_t least);
/* Notes a grant for which there was room: a request is used, anything else was reserved by the caller. */
void holding_grant(struct quota_account *account, struct quota_now now, uint64_t amount);
/* Undoes the last holding_grant(). */
void holding_take_back(struct quota_account *account, struct quota_now now, uint64_t amount);
/* Notes what a reservation came to. */
void holding_use(struct quota_account *account, struct quota_now now, uint64_t used);
/* Returns what may be granted, here or elsewhere, as far as it is known. */
uint64_t holding_left(struct quota_account *account, struct quota_now now);
uint64_t holding_wait(struct quota_account *account, struct quota_now now, uint64_t amount, uint64_t least);
/* Returns the limit divided by those who share it, as heard last. */
uint64_t holding_part(const struct quota_account *account);
uint64_t holding_reset(struct quota_account *account, struct quota_now now);
/* Returns whether nobody loses anything when a holding without use and reservations is forgotten. */
bool holding_is_forgettable(const struct quota_account *account, struct quota_now now);

/* ---- for those who ask ---- */

/* Returns why the amount, for which there is no room, is not granted. */
enum holding_lack holding_lack(const struct quota_account *account, struct quota_now now, uint64_t amount);

/* Notes a request that waits for the amount. enough: with so much it would be served, too. */
void holding_need(struct quota_account *account, uint64_t amount, uint64_t enough);

/* Writes what to ask Redis, but for id and number; the waiting requests are in it. closing: gives back all that is not
 * reserved. */
void holding_ask(struct quota_account *account, struct quota_now now, bool closing, struct script_ask *ask);

/* Takes the answer to a call that was sent at sent_us. What is still owed is not refused. */
void holding_hear(struct quota_account *account, struct quota_now now, uint64_t sent_us, const struct script_ask *ask,
		  const struct script_answer *answer);

/* Returns whether something is held that serves no request here, while others lack it. Two processes that each hold
 * half of what is left would otherwise refuse all requests for as long as both are asked. */
bool holding_is_idle(const struct quota_account *account, struct quota_now now);

/* Returns whether Redis should hear of it: something is held, reserved, or not reported. */
bool holding_is_active(const struct quota_account *account, struct quota_now now);

#endif
