/* SPDX-License-Identifier: MIT */
/* How much clients may use, and what it costs. */
#ifndef SLUICE_CONFIG_QUOTA_H
#define SLUICE_CONFIG_QUOTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The unit of a rate. Spend is counted in billionths of a dollar. A limit of requests at once is no rate. */
enum quota_unit { QUOTA_REQUESTS, QUOTA_TOKENS, QUOTA_INPUT_TOKENS, QUOTA_OUTPUT_TOKENS, QUOTA_SPEND, QUOTA_UNITS };

/* Over how long. Seconds, minutes and hours end now, wherever they began; a day and a month are those of the calendar
 * in UTC. */
enum quota_window { QUOTA_SECOND, QUOTA_MINUTE, QUOTA_HOUR, QUOTA_DAY, QUOTA_MONTH, QUOTA_WINDOWS };

struct config_rate {
	uint64_t limit; /* at least 1 */
	enum quota_window window;
};

struct config_rates {
	const struct config_rate *list;
	size_t count;
};

enum { QUOTA_MONEY = 1000000000 /* parts of a dollar */, QUOTA_OVERDRAFT = 100 /* percent, where nothing is said */ };

/* The words of quotas.*.each, in their order. */
enum quota_each { QUOTA_EACH_TENANT, QUOTA_EACH_KEY, QUOTA_EACH_MODEL };

/* The words of quotas.*.on_loss: what a limit that replicas share does while Redis does not answer. */
enum quota_on_loss { QUOTA_ON_LOSS_LOCAL, QUOTA_ON_LOSS_REFUSE };

enum { QUOTA_SHARES = 16 /* of a quota, at most */ };

/* The part of each limit of a quota that a child of its tenant is guaranteed. */
struct config_share {
	const char *tenant; /* the child, and all tenants below it */
	unsigned percent;
	unsigned line;
};

/* Limits that count together. */
struct config_quota {
	const char *name;          /* as errors, headers and /v1/limits say it */
	const char *tenant;        /* of it, and of those below; NULL = of all */
	const char *const *keys;   /* patterns of names (lib/glob.h) */
	size_t key_count;          /* 0 = all keys */
	const char *const *models; /* patterns */
	size_t model_count;        /* 0 = all models */
	unsigned each;             /* bits 1 << enum quota_each: what has counts of its own; 0 = all count together */
	struct config_rates rates[QUOTA_UNITS];
	unsigned concurrent;               /* requests that run at once; 0 = any number */
	unsigned overdraft;                /* percent of a limit by which the answers that run may exceed it together */
	unsigned on_loss;                  /* enum quota_on_loss */
	const struct config_share *shares; /* none within another; together at most 100 % */
	size_t share_count;
	unsigned line;
};

/* As configurations, records of keys and answers name them. */
const char *quota_unit_name(enum quota_unit unit);
const char *quota_window_name(enum quota_window window);

/* Returns whether the last rate has the window of one before it. */
bool quota_repeats_window(const struct config_rate *rates, size_t count);

/* Returns what so many percent of a limit are. */
uint64_t quota_share(uint64_t limit, unsigned percent);

/* Returns whether the quota has any limit. */
bool quota_limits_anything(const struct config_quota *quota);

/* The prices of a target, in billionths of a dollar. */
struct config_price {
	const char *target; /* a pattern of "backend/model" */
	uint64_t input;     /* of a million tokens; here and below */
	uint64_t cache_read;
	uint64_t cache_write;
	uint64_t output;
	uint64_t request;   /* of one call */
	bool reads, writes; /* cache_read and cache_write are given; otherwise such tokens cost what input does */
};

#endif
