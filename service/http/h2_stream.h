/* SPDX-License-Identifier: MIT */
/*
 * Inside of service/http: one HTTP/2 request and its response. Embeds h2o's
 * request and its final output stream; body bytes go from there to nghttp2.
 */
#ifndef SLUICE_SERVICE_HTTP_H2_STREAM_H
#define SLUICE_SERVICE_HTTP_H2_STREAM_H

#include "lib/bytes.h"
#include "service/http/h2_session.h"

enum {
	H2_STREAM_PIECES = 4,
	H2_FIELD_OVERHEAD = 32 /* RFC 9113 section 10.5.1 */
};

struct h2_stream {
	struct h2_session *session;
	int32_t id;
	enum error_code error; /* found so far */
	bool dispatched;       /* the application has it */
	bool complete;         /* the client has ended it */
	bool responded;        /* response head given to nghttp2 */
	bool expects_continue; /* the client waits for 100 (RFC 9110 section 10.1.1) */
	size_t header_bytes;   /* as SETTINGS_MAX_HEADER_LIST_SIZE counts */
	uint64_t opened_us;
	struct buf body;
	struct http_request *request; /* NULL until its head is complete */

	/* the body on its way in: h2_upload.c */
	bool uploads;          /* it comes */
	bool waits;            /* for room */
	size_t content_length; /* 0 = not known */
	size_t room;           /* bytes taken of body_memory.h */
	size_t charged;        /* bytes of the ledger for its first window */
	enum error_code lacks; /* why there was no room when it was last asked for */
	size_t uncredited;     /* bytes that the stream got no credit back for */
	size_t progress_at;    /* bytes of it when there was progress */
	uint64_t progress_us;  /* when; or since when it waits */

	/* the response: pieces in flight, borrowed from struct http_request */
	h2o_iovec_t pieces[H2_STREAM_PIECES];
	size_t piece_count;
	size_t piece_at;   /* first piece that is not used up */
	size_t unsent;     /* bytes left in all pieces */
	uint64_t moved_us; /* when CONFIG_PROGRESS bytes of it were last taken, or began to wait */
	size_t moved;      /* bytes taken since then */
	h2o_send_state_t end;

	h2o_ostream_t final;
	struct h2_stream *next; /* of the session */
	struct h2_stream **back;
	struct h2_stream *next_ready; /* complete, to be dispatched when the input was read */
	struct h2_stream **back_ready;
	h2o_req_t req;
};

/* NULL: out of memory, or the client holds all that it may have. */
struct h2_stream *h2_stream_create(struct h2_session *session, int32_t id);
/* Ends the request; the application gets on_gone if it is not done with it. */
void h2_stream_destroy(struct h2_stream *stream);

/* A field of the request head, pseudo fields included. */
void h2_stream_on_field(struct h2_stream *stream, struct span name, struct span value);
/* The head is complete: makes the request. */
void h2_stream_on_head(struct h2_stream *stream);
/* The request is as complete as it will be: to the application as soon as the input at hand was read. */
void h2_stream_on_complete(struct h2_stream *stream);
/* It is being reset: the application must not get it any more. */
void h2_stream_drop(struct h2_stream *stream);
/* Gives the request to the application. */
void h2_stream_dispatch(struct h2_stream *stream);

/* Moves the body, which stays where it is, to bytes with one holder. NULL: out of memory. */
struct bytes *h2_stream_take_body(struct h2_stream *stream);

/* Bytes given to nghttp2 but not yet taken by it. */
size_t h2_stream_unsent(const struct h2_stream *stream);

#endif
