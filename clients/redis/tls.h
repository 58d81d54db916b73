/* SPDX-License-Identifier: MIT */
/*
 * TLS of a connection to Redis. hiredis 0.14 has none, so its bytes are carried here: what it wants to write goes from
 * its buffer through OpenSSL into the socket, what arrives goes through OpenSSL into its reader. OpenSSL takes whole
 * records and keeps nothing back, so a socket that is not readable has nothing for us.
 */
#ifndef SLUICE_CLIENTS_REDIS_TLS_H
#define SLUICE_CLIENTS_REDIS_TLS_H

#include <stdbool.h>

#include "lib/buf.h"

struct config_redis;
struct redis_link;
struct ssl_ctx_st;

/* Reads the files of redis.tls. NULL with "redis.tls.KEY: FILE: what is wrong; expected …" appended to why. */
struct ssl_ctx_st *redis_tls_create(const struct config_redis *config, struct buf *why);

/* Begins the handshake on a link whose socket has just connected, and checks the server's name. */
void redis_tls_start(struct redis_link *link);
/* Goes on with the handshake; greets when it is over. Closes the link when it fails. */
void redis_tls_handshake(struct redis_link *link);
/* Writes what hiredis has to write, as far as the socket takes it. Closes the link when it fails. */
void redis_tls_flush(struct redis_link *link);
/* Reads a record and calls back for the answers in it. False: nothing has come, or the link is closed. */
bool redis_tls_read(struct redis_link *link);
/* Frees its part of a link; harmless when there is none. */
void redis_tls_end(struct redis_link *link);

#endif
