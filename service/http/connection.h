/* SPDX-License-Identifier: MIT */
/*
 * Inside of service/http: a client connection, from accept to close. It finds
 * out which version of HTTP is spoken, hands the socket on and remembers whether
 * the peer is still there. Its life is the socket's:
 * h2o's on_close callback frees it.
 */
#ifndef SLUICE_SERVICE_HTTP_CONNECTION_H
#define SLUICE_SERVICE_HTTP_CONNECTION_H

#include "service/http/server.h"

struct h1_session;
struct h2_session;

enum http_connection_state {
	CONNECTION_ST_HANDSHAKE, /* TLS */
	CONNECTION_ST_SNIFFING,  /* cleartext: HTTP/2's preface or not? */
	CONNECTION_ST_HTTP1,
	CONNECTION_ST_HTTP2,
	CONNECTION_ST_CLOSING /* socket closed by us; TLS may still be saying goodbye */
};

/* What is known of the other end's sending side. */
enum peer_state {
	PEER_ST_OPEN,
	PEER_ST_HALF_CLOSED, /* FIN seen: either it still reads, or it is gone and has not said so yet */
	PEER_ST_GONE         /* reset, or closed over TLS */
};

/* A TLS handshake: tls_handshakes.h. */
struct handshake {
	struct queue_entry entry;  /* while it waits for its turn */
	h2o_socket_cb read, write; /* h2o's callbacks, which make its steps */
	h2o_socket_cb done;
};

struct http_connection {
	struct http_server *server;
	const struct http_listener *listener; /* that it came to */
	h2o_socket_t *sock;
	enum http_connection_state state;
	enum peer_state peer;
	struct watch watch; /* REACTOR_PEER_CLOSED, on the socket's descriptor */
	struct timer timer; /* the deadline of the first bytes; then: the next probe, or the end of patience */
	SSL_CTX *ssl;       /* that it was made with, which a reload may replace in its listener; NULL = cleartext */
	struct handshake handshake;
	unsigned key_updates;                /* tls_key_updates.h */
	char *subject;                       /* of the certificate that the client showed (RFC 2253); NULL = none */
	unsigned probes;                     /* sent for the present request */
	uint64_t acked;                      /* HTTP/1.1: bytes the peer had acknowledged when last looked at */
	struct http_request *request;        /* HTTP/1.1: the one in progress, or NULL */
	struct h1_session *h1;               /* HTTP/1.1 */
	struct h2_session *session;          /* HTTP/2 */
	uint64_t yields_us;                  /* since when it has no request */
	struct http_connection *yield_next;  /* connection_limit.h */
	struct http_connection **yield_back; /* NULL = it has a request */
	uint64_t network;                    /* hash of the peer's address; of IPv6, of its first half */
	size_t address;                      /* number of it, below CROWD_ADDRESSES */
	uint32_t party;                      /* the same client's in the ledger; nobody for operators */
	size_t charged;                      /* bytes that the connection itself is charged there */
	struct http_connection *next;
	struct http_connection **back;
};

/* Takes the descriptor that the listener accepted. */
void connection_accept(const struct http_listener *listener, int fd);
/* The connection of a socket of ours. */
struct http_connection *connection_of(h2o_socket_t *sock);
/* Closes a connection that carries no HTTP/1.1 or HTTP/2 yet or any more. */
void connection_close(struct http_connection *connection);
/* Closes it at once, whatever it does. */
void connection_end(struct http_connection *connection);
/* Closes every connection at once, whatever it does. Requests in progress get on_gone. */
void connections_close_all(struct http_server *server);
/* Makes every connection close when its requests are done; idle ones at once. */
void connections_drain(struct http_server *server);

#endif
