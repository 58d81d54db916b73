/* SPDX-License-Identifier: MIT */
/*
 * The outbound HTTP/1.1 client of one worker: a curl multi on the worker's
 * reactor, keep-alive pools per origin, and one transfer ("call") at a time per
 * http_call. Never blocks, never follows redirects, never inflates, never
 * resends: a request leaves this process at most once per call.
 *
 * Callbacks run inside the loop's turn, never inside http_call_start. Inside a
 * callback the caller may pause, resume, cancel this or any other call, and
 * start new ones: what curl must not see from inside its own callbacks is put
 * off to the end of the turn.
 */
#ifndef SLUICE_CLIENTS_HTTP_HTTP_CLIENT_H
#define SLUICE_CLIENTS_HTTP_HTTP_CLIENT_H

#include "lib/errors.h"
#include "lib/http_field.h"
#include "lib/reactor.h"
#include "lib/secret.h"
#include "lib/span.h"

struct http_client; /* one per worker */
struct http_origin; /* one per backend and worker */
struct http_call;   /* one transfer */
struct metrics_cells;

/* Once per process, before any thread / after all of them. SIGPIPE is ignored from then on. */
bool http_client_global_setup(void);
void http_client_global_teardown(void);

/* reactor: borrows. max_connections: idle connections kept in total. NULL: out of memory. */
struct http_client *http_client_create(struct reactor *reactor, unsigned max_connections);
/* Cancels calls that are still there (their callbacks are not called) and closes all connections. */
void http_client_destroy(struct http_client *client);

/*
 * The worker does something without a call, such as giving a kept answer: what that leaves free in the heap is given
 * back like what calls leave there.
 */
void http_client_note_work(struct http_client *client);

/* Transfers under way, the queued ones included. */
size_t http_client_active(const struct http_client *client);

struct http_origin_options {
	const char *url;       /* scheme, host, port and path prefix, no trailing slash */
	struct secret *bearer; /* for "Authorization: Bearer …", held; NULL = none. Each call has its present text */
	const char
	    *bearer_line;  /* what stands before it in its line of the head, static; NULL = "Authorization: Bearer " */
	const char *lines; /* further lines of the head, each with its end, static; NULL = none */
	const char *ca_file;     /* NULL = the system's */
	const char *certificate; /* PEM file shown to the backend, its chain included; NULL = none */
	const char *key;         /* PEM file of its private key; NULL = it is in the certificate's file */
	uint64_t connect_timeout_us;
	uint64_t resolve_us;           /* from one look-up of the host's name to the next */
	struct metrics_cells *metrics; /* borrows; NULL = nothing is counted */
	uint32_t backend;              /* their label */
};
/* Copies the options. NULL with *error (valid until this thread's next) set when the URL or a file is unusable. */
struct http_origin *http_origin_create(struct http_client *client, const struct http_origin_options *options,
				       const char **error);
/* Returns the origin, which has one owner more: http_origin_destroy() must follow for each. */
struct http_origin *http_origin_hold(struct http_origin *origin);
/* One owner less; freed with the last one, once its calls have ended. NULL is fine. */
void http_origin_destroy(struct http_origin *origin);

/* Has further calls of the origin take their bearer from that cell (held; NULL = none). Out of memory: all stays. */
void http_origin_use_bearer(struct http_origin *origin, struct secret *bearer);

/* Counts the calls of the origin in those cells (borrowed), with that label, from here on. */
void http_origin_count_as(struct http_origin *origin, struct metrics_cells *metrics, uint32_t backend);

/* Looks up the name of the origin ahead of its first call, which would do it otherwise. */
void http_origin_resolve(struct http_origin *origin);

struct http_head {
	int status;
	struct span content_type; /* values as received, empty when absent */
	struct span content_encoding;
	struct span retry_after;
	struct span retry_after_ms;
	struct span x_should_retry;
	struct span request_id;    /* x-request-id */
	struct span cache_control; /* the first field of that name */
	int64_t content_length;    /* -1 = not told */
};

struct http_call_result {
	enum error_code error; /* ERROR_NONE: the response ended as HTTP says it must */
	const char *detail;    /* static or per-call text for logs, e.g. curl's words; valid during the callback */
	bool reused;           /* the connection had served another call before */
	bool stale; /* it was reused and turned out dead: closed or reset without a line of an answer. To send the
		     * request once more is then what HTTP clients may do by themselves (RFC 9112, section 9.3.1) */
};

struct http_call_ops {
	/* The final response head (1xx are skipped, at most 16 of them). Spans live during the callback. */
	void (*on_head)(void *context, const struct http_head *head);
	/* Body bytes, borrowed during the callback. Not called while paused. */
	void (*on_body)(void *context, struct span bytes);
	/* The end, exactly once unless cancelled. The call is gone when it returns. */
	void (*on_done)(void *context, const struct http_call_result *result);
	/* The party is out of memory, and the client is about to read more: the owner may pause the call here. It must
	 * not end the call. NULL = no interest. */
	void (*on_tight)(void *context);
};

enum { HTTP_CALL_EXTRA_MOST = 8 };

struct http_call_request {
	const char *path;               /* appended to the origin's URL; borrowed until the end of the call */
	bool get;                       /* GET without a body, else POST of application/json */
	struct span body;               /* borrowed until it is sent, or the call ends (done, or cancel returned) */
	struct span tail;               /* sent behind the body, as a part of it; borrowed as well */
	uint32_t party;                 /* of the ledger, who is charged for what waits to be taken; 0 = nobody */
	bool stream;                    /* Accept: text/event-stream, else application/json */
	bool fresh;                     /* on a connection that served no other call */
	const struct http_field *extra; /* further request headers, at most HTTP_CALL_EXTRA_MOST, copied */
	size_t extra_count;
};

/* Starts a transfer. NULL when out of memory: no callback follows. ops and context: borrowed until the end. */
struct http_call *http_call_start(struct http_origin *origin, const struct http_call_request *request,
				  const struct http_call_ops *ops, void *context);

/* Whether the whole request has gone out: its body may be freed. */
bool http_call_is_sent(const struct http_call *call);

/*
 * Ends it without on_done. The connection is closed (before the loop waits again), so that the backend
 * notices; once the response had ended completely it stays in the pool. The call must not be used afterwards
 * and its request's body may be freed at once.
 */
void http_call_cancel(struct http_call *call);

/*
 * Stops and restarts reading, and with it all callbacks but those for what was read already. One read at most waits
 * here, the rest in the kernel. Idempotent.
 */
void http_call_pause(struct http_call *call);
void http_call_resume(struct http_call *call);

#endif
