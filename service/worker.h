/* SPDX-License-Identifier: MIT */
/*
 * One worker: a thread with its loop, HTTP server, HTTP client and the plans of
 * the configuration. Workers are identical and share nothing hot.
 */
#ifndef SLUICE_SERVICE_WORKER_H
#define SLUICE_SERVICE_WORKER_H

#include "service/http/http_server.h"

struct response_store;
struct cache;
struct flight_table;
struct issuers;
struct keeper;
struct offload;
struct redis_shared;
struct quotas;
struct usage_keeper;
struct worker;
struct worker_renewal;

struct worker_options {
	const struct config *config;
	struct health *health;            /* of the process; borrows */
	struct cache *cache;              /* of the process; borrows */
	struct response_store *responses; /* responses, of the process; borrows; NULL = none are (tests) */
	struct flight_table *flights;     /* of the process, shared ones under way; borrows */
	struct offload *offload;          /* helper threads of the process; borrows; NULL = none */
	struct redis_shared *redis;       /* of the process; borrows; NULL = there is no Redis */
	struct limit *const *limits;      /* of all workers, by target; NULL entries = no limit */
	struct quotas *quotas;            /* of the process; borrows; NULL = nothing is limited (tests) */
	struct usage_keeper *usage;       /* of the process; borrows; NULL = use is not recorded (tests) */
	struct issuers *issuers;          /* of tokens, of the process; borrows; NULL = there are none */
	struct access_failures *failures; /* of the process; borrows; NULL = nobody is asked for keys */
	struct keeper *keeper;            /* of the process; borrows; NULL = there is no store of keys */
	size_t connections_most;          /* from clients, for which there are descriptors */
	unsigned index;                   /* from 0; also the worker's cell of the metrics */
};

/* NULL with the reason appended to error. The configuration is held. */
struct worker *worker_create(const struct worker_options *options, struct buf *error);

/* Binds the listeners; addresses as for http_server_listen. */
bool worker_listen(struct worker *worker, struct http_listener_address *addresses, struct buf *error);

/* Starts the thread. */
bool worker_start(struct worker *worker);

/*
 * Lets the worker pass connections on to others: all count of them, itself included, are created, and their threads run
 * from here on. workers: borrows, for the worker's life. Without memory it keeps its connections. Any thread; once.
 */
void worker_meet(struct worker *worker, struct worker *const *workers, size_t count);

/* Reads the certificates of the worker's listeners anew. Thread-safe. NULL with error text. */
struct worker_renewal *worker_read_certificates(struct worker *worker, struct buf *error);
/* Thread-safe: has that worker use them for new handshakes, which cannot fail. renewal: takes. */
void worker_use_certificates(struct worker_renewal *renewal);
/* Forgets them. */
void worker_drop_certificates(struct worker_renewal *renewal);

/* Thread-safe: stop accepting and finish what runs; when nothing is left the thread ends. now, after a
 * first call without: ends what runs with the error SHUTTING_DOWN; the thread ends about a second later at most. */
void worker_stop(struct worker *worker, bool now);

/* Waits for the thread. */
void worker_join(struct worker *worker);

/*
 * Ends what still runs, once no thread runs: connections, and the flights of others' exchanges. Messages of other
 * workers still arrive until worker_destroy.
 */
void worker_close(struct worker *worker);

/* Frees everything; the thread must have ended or never started. */
void worker_destroy(struct worker *worker);

#endif
