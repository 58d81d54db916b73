/* SPDX-License-Identifier: MIT */
/*
 * One client connection to 127.0.0.1, cleartext or TLS, with non-blocking reads
 * and writes. TLS certificates are not verified: these tests are about framing.
 */
#ifndef SLUICE_TESTS_HARNESS_WIRE_H
#define SLUICE_TESTS_HARNESS_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct ssl_st;

struct wire {
	int fd; /* -1 once closed */
	struct ssl_st *ssl;
	int port;
};

enum { WIRE_AGAIN = -1, WIRE_BROKEN = -2 };

/* Connects; fails the test when that fails. alpn: "h2" or "http/1.1" for TLS, NULL for cleartext. */
void wire_open(struct wire *wire, int port, const char *alpn);

/* As wire_open with a small receive buffer, so that not reading is soon noticed. */
void wire_open_narrow(struct wire *wire, int port, const char *alpn);

/* Connections opened from now on come from 127.0.0.host, until the scenario ends; 0: from where the kernel chooses. */
void wire_come_from(unsigned char host);

/* Bytes read; 0 = the peer's clean end; WIRE_AGAIN; WIRE_BROKEN. */
ssize_t wire_read(struct wire *wire, void *into, size_t size);

/* Bytes written; WIRE_AGAIN; WIRE_BROKEN. */
ssize_t wire_write(struct wire *wire, const void *from, size_t size);

/* Writes everything, waiting as needed (hang guard); false when the peer broke the connection. */
bool wire_write_all(struct wire *wire, const void *from, size_t size);

/* Waits for readability, at most timeout_ms; false on timeout. */
bool wire_wait(struct wire *wire, int timeout_ms);

/* FIN towards the peer (TLS: close_notify first); the answer can still be read. */
void wire_half_close(struct wire *wire);

/* Leaves: by FIN (without reading what is left the kernel may send RST itself), or by RST at once. */
void wire_close(struct wire *wire);
void wire_reset(struct wire *wire);

#endif
