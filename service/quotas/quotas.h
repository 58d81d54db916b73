/* SPDX-License-Identifier: MIT */
/*
 * The accounts of a process: which limits a request falls under, and whether all of them have room for it. A request is
 * taken under all of its limits or under none, in one step under one lock; that step and the end of a request are all
 * that workers do here.
 *
 *   party (key, tenant, model) ─► subject: its accounts, found once ─► bill: what one request has reserved (bill.h)
 *
 * All functions are thread-safe and short.
 */
#ifndef SLUICE_SERVICE_QUOTAS_QUOTAS_H
#define SLUICE_SERVICE_QUOTAS_QUOTAS_H

#include "config/config.h"
#include "lib/span.h"
#include "service/quotas/account.h"
#include "service/quotas/price.h"

struct quotas;

/* The accounts that a key's requests for a model fall under, and what such requests have been like. */
struct quota_subject;

/* Amounts by unit, enum quota_unit and QUOTA_CONCURRENT. */
struct quota_amounts {
	uint64_t of[QUOTA_ACCOUNT_UNITS];
};

/* The share that a request has of a limit. */
struct quota_guaranteed {
	bool exists;        /* tenants have shares of the limit */
	const char *tenant; /* whose share it is, of the configuration; NULL = only others have one */
	unsigned percent;
};

/* Why a request is not taken: the limit that has room last. */
struct quota_refusal {
	const char *name; /* of the quota, borrowed from the subject; NULL = memory ran out */
	unsigned unit;
	enum quota_window kind;
	uint64_t limit;
	struct quota_guaranteed share;
	uint64_t asked;   /* of that unit, for this request */
	uint64_t least;   /* of it, whatever the answer */
	uint64_t wait_us; /* until there is room; UINT64_MAX = never: the request alone is larger than the limit */
	bool short_only;  /* Redis may give what is lacking: quotas_wait() (borrow.h) */
	bool lost;        /* a limit refuses because Redis does not answer */
};

/* config: borrows. Limits are this process' own until a worker has a port (borrow.h). NULL: out of memory. */
struct quotas *quotas_create(const struct config *config);
/* NULL is harmless. No bill may be open. */
void quotas_destroy(struct quotas *quotas);

/* What targets cost. */
const struct prices *quotas_prices(const struct quotas *quotas);

/* What requests of a subject have been like, so that the next one can be estimated. */
struct quota_habit {
	unsigned answers;       /* that told, or more than matter */
	double tokens_per_byte; /* of input, by bytes of the request's body */
	double output;          /* tokens of a choice that few answers are above */
	double largest;         /* tokens of a choice that hardly any answer is above */
};

/* Finds who asks for what, with a reference. key: NULL = nobody in particular. model: of the configuration; NULL =
 * no single one. *habit: at present. NULL: nothing is limited for it, or memory ran out (*exhausted). */
struct quota_subject *quotas_find(struct quotas *quotas, const struct config_key *key, const struct config_model *model,
				  struct quota_now now, struct quota_habit *habit, bool *exhausted);
/* Drops a reference. */
void quotas_drop(struct quotas *quotas, struct quota_subject *subject);

/* What is reserved for one subject, of several that a request has. */
struct quota_part {
	struct quota_subject *subject; /* held; of another model than the others' */
	struct quota_amounts reserved; /* that is asked for, then that was granted */
	struct quota_amounts least;    /* what it takes whatever the answer, for limits that can never be enough */
	struct quota_amounts beyond;   /* what the answer may come to besides what is reserved */
	struct quota_amounts used;
	bool told;      /* all its calls told what they used */
	uint64_t calls; /* that the model's plan makes at once */
};

/*
 * Reserves what all parts ask for, under all their limits. A request counts once under a limit that several parts fall
 * under. When a limit bears no more of what answers may come to beyond that, all of it is reserved, too: then the parts
 * say so. False, with *refusal, and nothing is reserved.
 */
bool quotas_reserve(struct quotas *quotas, struct quota_part *parts, size_t count, struct quota_now now,
		    struct quota_refusal *refusal);

/* Ends the reservations of all parts with what was used. */
void quotas_settle(struct quotas *quotas, const struct quota_part *parts, size_t count, struct quota_now now);

/* What became of a request. */
struct quota_end {
	bool taken;
	size_t body;      /* bytes of it */
	uint64_t choices; /* of an answer of one model */
};

/* Ends a request: settles its parts if it was taken, learns from those that were told, and drops their subjects. */
void quotas_close(struct quotas *quotas, const struct quota_part *parts, size_t count, struct quota_now now,
		  const struct quota_end *end);

/* The words of a limit that are the same in every head. */
struct quota_words {
	struct span item;   /* "keys.crawler.tokens", with the quotation marks */
	struct span limit;  /* digits */
	struct span policy; /* the item, ;q= and ;w=, but for a month, whose length varies */
};

/* How one limit of a subject stands. */
struct quota_state {
	const char *name; /* of the quota, borrowed from the subject */
	unsigned unit;
	enum quota_window kind;
	bool by_model;       /* it counts for one model alone */
	const void *account; /* which it is: the same for all who share it */
	uint64_t limit, left, reserved;
	struct quota_guaranteed share;
	uint64_t reset_us;               /* until all of it is there again */
	uint64_t length_s;               /* of the window; 0 = of QUOTA_CONCURRENT */
	const struct quota_words *words; /* borrowed from the subject */
};

/* Returns how the limits stand, those of requests first, at most that many; *count: how many. */
void quotas_look(struct quotas *quotas, struct quota_subject *subject, struct quota_now now, struct quota_state *states,
		 size_t most, size_t *count);

#endif
