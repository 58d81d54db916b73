/* SPDX-License-Identifier: MIT */
/* The words of Redis' protocol: how commands are encoded, which of them write, what the codes of errors mean. */
#ifndef SLUICE_CLIENTS_REDIS_PROTOCOL_H
#define SLUICE_CLIENTS_REDIS_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/span.h"

enum redis_access {
	REDIS_ACCESS_READ,
	REDIS_ACCESS_FREE, /* writes, but takes no memory: goes on when Redis is full */
	REDIS_ACCESS_WRITE
};

/* What a command, by its name, does; a write unless it is known to be less. */
enum redis_access redis_access_of(struct span name);

/* Bytes of a command as the protocol has it, without the NUL that redis_encode() puts behind it. */
size_t redis_encoded_size(const struct span *args, size_t count);
/* Writes it; out: room for redis_encoded_size() + 1. Returns where the arguments behind the first `skip` begin. */
size_t redis_encode(char *out, const struct span *args, size_t count, size_t skip);

enum redis_effect {
	REDIS_EFFECT_NONE,     /* it is about the command */
	REDIS_EFFECT_FULL,     /* no writes that take memory for a while */
	REDIS_EFFECT_NO_WRITE, /* no writes for a while */
	REDIS_EFFECT_READONLY, /* as before; and somebody else may be the master by now */
	REDIS_EFFECT_DOWN,     /* nothing for a while */
	REDIS_EFFECT_REJECTED, /* the same, and the connection is worth nothing */
	REDIS_EFFECT_NOSCRIPT,
	REDIS_EFFECT_MOVED,
	REDIS_EFFECT_ASK,
	REDIS_EFFECT_TRYAGAIN,
	REDIS_EFFECT_CLUSTER_DOWN,
	REDIS_EFFECT_NOPERM
};

struct redis_error {
	const char *code;
	enum redis_effect effect;
	const char *why; /* for the log */
};

/* What an error means, by the code that its text begins with. Never NULL. */
const struct redis_error *redis_error_of(struct span text);

/* The hash slot of a key: CRC16 (XMODEM) of it, or of what stands in its first {…}, modulo 16384. */
enum { REDIS_HASH_SLOTS = 16384 };
uint16_t redis_hash_slot(struct span key);

#endif
