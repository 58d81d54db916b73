/* SPDX-License-Identifier: MIT */
/*
 * The HTTP side towards clients, h2o and nghttp2 hidden behind it: one server
 * per worker, HTTP/1.1 and HTTP/2 (by ALPN, or by prior knowledge in cleartext)
 * giving the same struct http_request to one callback.
 *
 * Lives: a request and its response live from on_request until the response is
 * finished or aborted by us, or on_gone was called, whichever is first; neither
 * pointer may be used after that. Everything runs on the worker's thread.
 */
#ifndef SLUICE_SERVICE_HTTP_HTTP_SERVER_H
#define SLUICE_SERVICE_HTTP_HTTP_SERVER_H

#include "config/config.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/http_field.h"
#include "schemas/error_body.h"
#include "schemas/metrics.h"
#include "service/access/holder.h"
#include "service/loop/loop.h"

struct http_server;
struct http_request;

/* What the application does with a request; set by it in on_request. */
struct http_request_ops {
	/* The client has left, or the connection broke, before the response was finished. Called at most once;
	 * the request must not be used afterwards. */
	void (*on_gone)(void *context);
	/* The bytes waiting for the client fell below the low mark after having been above the high mark. */
	void (*on_drained)(void *context);
};

struct http_server_callbacks {
	/* A complete request. Must begin a response, now or later. */
	void (*on_request)(void *context, struct http_request *request);
	/* Returns whether on_request would refuse a request for its head alone; one whose client waits for 100 Continue
	 * before it sends the body then comes without it. NULL = never. */
	bool (*refuses)(void *context, const struct http_request *request);
	/*
	 * A client's connection was accepted by that listener. True: another server takes it (http_server_take), and
	 * the descriptor with it. NULL = never.
	 */
	bool (*passes_on)(void *context, size_t listener, int fd);
	void *context;
	size_t connections_most;       /* for which there are descriptors; 0 = as many as the configuration says */
	struct metrics_cells *metrics; /* where connections are counted; NULL = nowhere */
};

/* A listening socket, opened once by the control thread and shared by all workers through SO_REUSEPORT-less accept
 * or one per worker with SO_REUSEPORT. */
struct http_listener_address {
	char text[128];         /* "127.0.0.1:8080", with the port the kernel chose, or "unix:" and a path */
	int fd;                 /* of a unix socket: the first worker's, which the others duplicate */
	uint64_t device, inode; /* of a unix socket: its file */
};

/* Removes the file of a unix socket, unless another process has put its own there. Nothing for other addresses. */
void http_listener_address_remove(const struct http_listener_address *address);

/* Which names in Host a listener answers to, besides those that the configuration lists. */
enum http_hosts {
	HTTP_HOSTS_ANY,
	HTTP_HOSTS_ADDRESSES, /* localhost and addresses */
	HTTP_HOSTS_LOOPBACK   /* localhost and loopback addresses */
};

/* loop, config: borrows both. False with *error (text for people, file:line first where a file is at fault). */
struct http_server *http_server_create(struct loop *loop, const struct config *config,
				       const struct http_server_callbacks *callbacks, struct buf *error);
/*
 * Binds and starts accepting on every listener of the configuration, the admin listener last. With several workers each
 * calls this (SO_REUSEPORT); ports "0" are resolved by the first worker and passed to the others in addresses
 * (config_listener_total() entries, text "" = not bound yet). False with error text.
 */
bool http_server_listen(struct http_server *server, struct http_listener_address *addresses, struct buf *error);
struct http_certificates;
/* Reads the certificates and keys of all listeners anew. Thread-safe. NULL with error text. */
struct http_certificates *http_server_read_certificates(struct http_server *server, struct buf *error);
/* New handshakes use them from here on; connections go on with those that they have. certificates: takes. */
void http_server_use_certificates(struct http_server *server, struct http_certificates *certificates);
/* Nobody will use them. NULL is harmless. */
void http_certificates_drop(struct http_certificates *certificates);

/* Takes a connection that the same listener of another server accepted. fd: takes, whatever becomes of it. */
void http_server_take(struct http_server *server, size_t listener, int fd);
/* Stops accepting, asks idle connections to close, lets running requests finish. */
void http_server_drain(struct http_server *server);
/* Connections open now. */
size_t http_server_connections(const struct http_server *server);
/* Closes everything; requests still running get on_gone. */
void http_server_destroy(struct http_server *server);

/* The request, as received. Spans live as long as the request. */
struct span http_request_method(const struct http_request *request);
struct span http_request_path(const struct http_request *request);  /* without the query, not normalised */
struct span http_request_query(const struct http_request *request); /* without '?', empty when absent */
struct span http_request_body(const struct http_request *request);
/*
 * Returns the body with one holder more (bytes_drop), who may keep it longer than the request. The body stays where it
 * is. NULL: out of memory.
 */
struct bytes *http_request_hold_body(struct http_request *request);
/* Bytes of the body: what came, or what its head announced when it was refused before it came. */
size_t http_request_body_size(const struct http_request *request);
/*
 * Replaces a gzip body by what it holds, at most that many bytes. ERROR_NONE, BODY_TOO_LARGE, INVALID_VALUE (it is not
 * whole gzip data), OVERLOADED, BODIES_FULL or MEMORY_FULL.
 */
enum error_code http_request_gunzip_body(struct http_request *request, size_t most);
/* The same with what somebody else unpacked; body is taken. ERROR_NONE, BODIES_FULL or MEMORY_FULL. */
enum error_code http_request_replace_body(struct http_request *request, struct buf *body);
struct span http_request_field(const struct http_request *request,
			       const char *name); /* lower-case name; {NULL,0} = absent; the first when several */
/* All lines of a field whose value is a list, as one (RFC 9110, section 5.3); {NULL,0} = absent. */
struct span http_request_list(const struct http_request *request, const char *name);
size_t http_request_field_count(const struct http_request *request);
struct http_field http_request_field_at(const struct http_request *request, size_t index);
int http_request_version(const struct http_request *request); /* 10, 11 or 20 */
/* Takes who asks, as a key or token showed: he is the client from here on. Adds a reference. NULL = nobody was asked.
 */
void http_request_identify(struct http_request *request, struct holder *holder);
/* Who asks, borrowed; NULL = nobody in particular. */
struct holder *http_request_holder(const struct http_request *request);
/* Whose answers it may see: those of its key's tenant, or where clients show no keys of those with the same
 * Authorization. */
struct span http_request_tenant(const struct http_request *request);
/* Whose request it is, as a hash: of its tenant, or of the address it came from. Not for secrets. */
uint64_t http_request_client(const struct http_request *request);
/* Where it came from, as a hash: the address, or the first half of one of IPv6. */
uint64_t http_request_network(const struct http_request *request);
/* Writes the address it came from, of IPv4 as IPv6 maps it (::ffff:a.b.c.d). False: it came by a unix socket. */
bool http_request_address(const struct http_request *request, unsigned char address[16]);
/* The same in the ledger (ledger.h), which charges it for what its requests hold. */
uint32_t http_request_party(const struct http_request *request);
/* False: the client holds all the memory that it may have, so that its request must be refused (MEMORY_FULL). */
bool http_request_has_memory(const struct http_request *request);
/* Whose certificate the client showed, as RFC 2253 writes names ("CN=alice,O=Example"); {NULL,0} = none. */
struct span http_request_subject(const struct http_request *request);
/* Which names its listener answers to. */
enum http_hosts http_request_hosts(const struct http_request *request);
/* Whether it came to the admin listener. */
bool http_request_is_admin(const struct http_request *request);
/* The form in which this client reads errors: problem details (RFC 9457) when its Accept names their type. */
enum error_form http_request_error_form(const struct http_request *request);
/* An error found by the HTTP layer itself (MALFORMED_HTTP, BODY_TOO_LARGE, …); ERROR_NONE for a good request. The
 * application answers it in its own error form; the connection closes afterwards where HTTP demands it. */
enum error_code http_request_error(const struct http_request *request);

/* Registers the application's side, in on_request and before responding; or another one. NULL: nobody, for the moment.
 */
void http_request_attach(struct http_request *request, const struct http_request_ops *ops, void *context);

/* A field for the head of the response, whoever will give it. name: a literal in lower case; value: copied. Any number
 * of times, before responding. */
void http_request_add_field(struct http_request *request, struct span name, struct span value);

/*
 * Responses. A head, then any number of writes, then finish or abort.
 * content_length: bytes, or -1 = unknown (chunked on HTTP/1.1). Fields have literals in lower case for names; their
 * values are copied.
 * HEAD requests get the head only: writes are dropped.
 */
void http_respond_head(struct http_request *request, int status, const struct http_field *fields, size_t count,
		       int64_t content_length);
/* Appends a copy of bytes; sent at the end of the turn, together with whatever else came in the same turn. Never
 * refuses for size: the caller watches http_respond_backlog. False when out of memory (the caller then aborts). */
bool http_respond_write(struct http_request *request, struct span bytes);
/* The whole body at once, right after the head: not copied, so that bytes must outlive the response. */
void http_respond_constant(struct http_request *request, struct span bytes);
/* Bytes written but not yet handed to the kernel (HTTP/1.1) or to the peer's window (HTTP/2). */
size_t http_respond_backlog(const struct http_request *request);
/*
 * Returns whether the source should pause: most bytes wait (HTTP_BACKLOG_TIGHT at least), or HTTP_BACKLOG_TIGHT of a
 * client that holds all the memory that it may have. on_drained comes later, then.
 */
bool http_respond_is_full(struct http_request *request, size_t most);
/* Ends the response; the request is gone for the caller. What was written is still delivered. */
void http_respond_finish(struct http_request *request);
/* Ends it so that the client can see that it is incomplete: HTTP/1.1 closes the connection without the last chunk (or
 * short of content-length), HTTP/2 sends RST_STREAM(INTERNAL_ERROR). What was written before is delivered first. The
 * request is gone for the caller. */
void http_respond_abort(struct http_request *request);

/* Bytes at which the caller should pause its source, and at which on_drained fires. */
enum {
	HTTP_BACKLOG_HIGH = 65536,
	HTTP_BACKLOG_LOW = 16384,
	HTTP_BACKLOG_TIGHT = 4096, /* the same for a client that holds all the memory that it may have */
	HTTP_BACKLOG_TIGHT_LOW = 1024
};

#endif
