/* SPDX-License-Identifier: MIT */
/*
 * Inside of service/http: struct http_request, a request and its response on
 * top of h2o's request, the same for both versions. It lives in the pool of
 * the h2o request, whose disposal is the one place where it ends.
 */
#ifndef SLUICE_SERVICE_HTTP_REQUEST_H
#define SLUICE_SERVICE_HTTP_REQUEST_H

#include "service/http/connection.h"

struct h2_stream;

/* What the application has done so far. */
enum request_state {
	REQUEST_ST_WAITING,   /* no response head yet */
	REQUEST_ST_ANSWERING, /* head given, body open */
	REQUEST_ST_FINISHED,  /* the application is done; bytes may still wait */
	REQUEST_ST_ABORTED,   /* as FINISHED, but the client must see that something is missing */
	REQUEST_ST_GONE       /* the client left first */
};

/* What h2o is doing with it. */
enum transport_state {
	TRANSPORT_ST_IDLE,    /* h2o waits for us */
	TRANSPORT_ST_SENDING, /* one h2o_send is under way, until h2o calls proceed */
	TRANSPORT_ST_ENDED    /* the last h2o_send was made */
};

enum { HTTP_CHUNK_HEAD = 18 }; /* bytes of the largest chunk's size line */

enum response_framing {
	FRAMING_NONE,    /* no body: HEAD, 204, 304 */
	FRAMING_LENGTH,  /* content-length */
	FRAMING_CHUNKED, /* HTTP/1.1 */
	FRAMING_CLOSE,   /* HTTP/1.0 */
	FRAMING_FRAMES   /* HTTP/2 without content-length */
};

struct http_request {
	h2o_generator_t generator; /* first: h2o hands it back */
	h2o_req_t *h2o;
	struct http_server *server;
	struct http_connection *connection;
	struct h2_stream *stream; /* NULL on HTTP/1.1 */
	enum request_state state;
	enum transport_state transport;
	enum error_code error;
	struct span path;
	struct span query;
	size_t announced;      /* bytes of the body, as the head says; 0 = it does not */
	struct buf unpacked;   /* the body, where it came compressed */
	size_t room;           /* bytes taken of body_memory.h for it */
	size_t charged;        /* bytes of the ledger for its exchange; 0 = the client may have none */
	struct bytes *held;    /* the body, once somebody else holds it as well; NULL = not yet */
	struct holder *holder; /* counted; who asks; NULL = nobody in particular */
	const struct http_request_ops *ops;
	void *context;

	enum response_framing framing;
	uint64_t remaining;               /* FRAMING_LENGTH: body bytes that are still to be written */
	struct span constant;             /* the whole body, borrowed; {NULL,0} = none, or given to h2o */
	struct buf filling;               /* written by the application, not yet given to h2o */
	struct buf flying;                /* given to h2o */
	struct task pump;                 /* gives filling to h2o at the end of the turn */
	bool head_sent;                   /* to h2o */
	bool above_high;                  /* on_drained is owed */
	uint32_t low;                     /* backlog at which it is */
	bool event_stream;                /* a comment line may be inserted */
	bool at_line_start;               /* the last byte written was a newline */
	char chunk_head[HTTP_CHUNK_HEAD]; /* "SIZE\r\n" of the chunk in flight */
};

/* Makes the request of an h2o request, whose method and path are filled in where its head had none. */
struct http_request *http_request_create(struct http_server *server, h2o_req_t *h2o, struct http_connection *connection,
					 struct h2_stream *stream);
/* True when the application refuses it for its head alone: a client that asks first keeps its body. */
bool request_is_refused(const struct http_request *request);
void request_set_state(struct http_request *request, enum request_state to);
/* Tells the application, unless it is done with the request or knows already. */
void request_tell_gone(struct http_request *request);

/* HTTP/1.1: the client has left. Closes the connection, of which the application hears. Frees the request. */
void response_client_gone(struct http_request *request);
/* Sends what can be sent now. The request may be freed by it. */
void response_pump(struct http_request *request);
/* HTTP/2 took bytes of the buffer in flight: owes the application on_drained, perhaps. */
void response_progress(struct http_request *request);
/* h2o's side of the response. */
void response_on_proceed(h2o_generator_t *generator, h2o_req_t *h2o);
void response_on_stop(h2o_generator_t *generator, h2o_req_t *h2o);
void response_on_pump(struct task *task);

#endif
