/* SPDX-License-Identifier: MIT */
/*
 * Inside of service/http: the listening sockets of a worker, the cap on its
 * connections, and what happens when descriptors run out.
 */
#ifndef SLUICE_SERVICE_HTTP_LISTENER_H
#define SLUICE_SERVICE_HTTP_LISTENER_H

#include "service/http/server.h"

struct http_listener {
	struct http_server *server;
	h2o_socket_t *sock; /* NULL = closed */
	SSL_CTX *ssl;       /* NULL = cleartext */
	struct http_crowd *crowd;
	enum http_hosts hosts;
};

/* Makes the listeners of the configuration, without binding them; loads the TLS files. False with error text. */
bool listeners_create(struct http_server *server, struct buf *error);
/* See http_server_listen. */
bool listeners_bind(struct http_server *server, struct http_listener_address *addresses, struct buf *error);
/* Starts or stops accepting as the number of connections and the server's state ask. */
void listeners_update(struct http_server *server);
/* Answers a client whose request is not read. */
void listener_send_refusal(int fd, enum error_code error);
/* Closes the sockets. */
void listeners_close(struct http_server *server);
void listeners_destroy(struct http_server *server);

#endif
