/* SPDX-License-Identifier: MIT */
/* The books of one exchange: what its log line and its metrics say. The steps of the exchange write into them; events
 * and the end reach them as they reach every observer. */
#ifndef SLUICE_SERVICE_EXCHANGE_REPORT_H
#define SLUICE_SERVICE_EXCHANGE_REPORT_H

#include "schemas/metrics.h"
#include "schemas/endpoint.h"
#include "service/cache/cache.h"
#include "service/exchange/observer.h"

struct report {
	struct exchange_observer observer; /* first: the report observes its exchange */
	struct metrics_cells *metrics;
	unsigned endpoint; /* in report_endpoints */
	int http_version;
	struct span request_id;           /* borrowed */
	const char *key;                  /* id of the key that was shown; NULL = none was */
	uint32_t key_number;              /* of key_metrics.h */
	const struct config_model *model; /* NULL = none was found */
	struct span requested;            /* the model that the client named; borrowed, {NULL,0} = none */
	size_t model_index;
	const char *target; /* who answered; NULL = nobody, or several */
	int status;         /* HTTP status sent; 0 = none */
	enum error_code error;
	unsigned attempts;
	enum cache_result cache;
	int64_t retries_before; /* as the client counts them; -1 = it does not say */
	uint64_t started_us;
	uint64_t first_content_us; /* 0 = none came */
	uint64_t events;           /* relayed chunks of a stream */
	uint64_t bytes;            /* of the body, before framing */
	struct usage usage;
};

/* The names of the endpoints as metrics and logs call them: those of enum endpoint, then others. */
enum { REPORT_FANOUT = ENDPOINT_COUNT, REPORT_MESSAGES, REPORT_RESPONSES, REPORT_ENDPOINTS };
struct dialect;
extern const char *const report_endpoints[REPORT_ENDPOINTS];

/* Returns the endpoint of requests in a dialect that tells another one (struct dialect). */
unsigned report_endpoint_of(const struct dialect *dialect);

/* Begins the books, which are an observer from here on. now: monotonic microseconds. metrics: borrows. */
void report_open(struct report *report, unsigned endpoint, int http_version, struct metrics_cells *metrics,
		 uint64_t now);

/* Takes note of when content came, from whichever event. */
void report_content(struct report *report, const struct event *event, uint64_t now);

/* A request that was refused before it became an exchange. */
struct report_refused {
	struct span request_id;
	struct span method, path; /* {NULL,0}: left out */
	struct span requested;    /* the model that it names; the same */
	const char *key;          /* id of the key that was shown in full; NULL = none was */
	uint32_t key_number;      /* of key_metrics.h */
	int http_version;
	enum error_code error;
};

/* Counts and logs it. */
void report_refusal(struct metrics_cells *metrics, const struct report_refused *refused);

/* A request id fit for headers and logs: the client's own when it is, else a new one; in the arena. */
struct span exchange_request_id(struct span offered, struct arena *arena);

/* Returns a small number in decimal digits; -1 for anything else. */
int64_t exchange_read_count(struct span text);

#endif
