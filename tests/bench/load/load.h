/* SPDX-License-Identifier: MIT */
/*
 * bench-load: the load of `make bench`. One thread, one epoll, no dependencies but nghttp2 and OpenSSL.
 *
 * A slot carries one request at a time: a connection over HTTP/1.1, a stream of a connection over HTTP/2. In a closed
 * loop a slot begins the next request when one ends; with a rate, requests arrive at intended times, wait for a free
 * slot when there is none, and their latency counts from the intended time, so that a stall of the proxy is not hidden
 * by the load that stalls with it.
 *
 * What happened is counted in a window of time only: from the moment when the warm-up is over (with all slots' answers
 * begun, if asked for) for so many seconds. The CPU time of the measured processes is read at both ends of that window.
 *
 * main.c: options and the course of a run. slot.c: arrivals and counting. conn.c: sockets and TLS. h1.c, h2.c: the
 * protocols. cpu.c: the kernel's accounting. A load ends the process when it cannot go on: it has nobody to answer to.
 */
#ifndef TESTS_BENCH_LOAD_LOAD_H
#define TESTS_BENCH_LOAD_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conn;
struct h1;
struct h2;
struct ssl_ctx_st;
struct ssl_st;

enum { LOAD_MOST_PIDS = 64 };

/* Where the answer of a slot is. */
enum slot_state {
	SLOT_FREE,    /* nothing asked */
	SLOT_WAITING, /* asked, nothing of the body yet */
	SLOT_ANSWER,  /* within the body */
};

struct slot {
	struct conn *conn;
	struct slot *next_free;
	enum slot_state state;
	bool blank;        /* the last byte of the body ended a line: one more ends an event */
	int status;        /* of the answer; 0 = not known yet */
	uint64_t intended; /* ns; when the request should have begun */
	uint64_t first;    /* ns; first byte of the body */
	size_t sent;       /* bytes of the request body handed to the connection (HTTP/2) */
};

struct conn {
	struct load *load;
	int fd; /* -1 = not connected */
	bool wants_write;
	struct ssl_st *ssl; /* NULL = cleartext */
	const char *out;    /* borrowed; what is still to be sent */
	size_t out_left;
	struct slot *slots; /* one, or h2_streams of them */
	struct h1 *h1;      /* one of the two */
	struct h2 *h2;
};

/* Counts since the start; the window is a difference of two of them. */
struct counts {
	uint64_t requests; /* answered completely with the expected status */
	uint64_t bad;      /* any other end */
	uint64_t events;   /* blank-line-terminated blocks of an event stream */
	uint64_t bytes;    /* of bodies */
	uint64_t cpu_ns;   /* of the measured processes */
	uint64_t at;       /* ns */
};

/* Latencies in microseconds, of requests that ended within the window. */
struct samples {
	uint32_t *us;
	size_t count, room;
};

struct options {
	const char *address;
	int port;
	const char *path;
	const char *method;
	const char *header; /* one more header line, "name: value"; NULL = none */
	char *body;
	size_t body_len;
	bool http2, tls;
	bool all_begun; /* the window waits for the first body byte of every slot */
	bool hold;      /* behind the window: stay until stdin ends */
	bool again;     /* closed loop: a slot that ended begins again */
	size_t connections, streams;
	double rate; /* requests a second; 0 = closed loop */
	double warmup, seconds, patience;
	int status;
	int pids[LOAD_MOST_PIDS];
	size_t pid_count;
};

struct load {
	struct options options;
	int epoll_fd;
	struct ssl_ctx_st *tls;
	char *head; /* of an HTTP/1.1 request with its body */
	size_t head_len;
	char *number; /* where in head a number of the request is to stand; NULL = nowhere */
	unsigned numbered;
	struct conn *conns;
	struct slot *free_slots;
	size_t slot_count;
	size_t begun; /* slots that have had a first byte of a body */
	uint64_t now; /* ns, CLOCK_MONOTONIC */
	uint64_t started;
	uint64_t arrivals; /* requests begun or waiting */
	bool in_window;
	struct counts counts;
	struct samples whole, first;
};

/* slot.c */

/* Begins requests that are due: arrivals by the rate, or every free slot in a closed loop. */
void load_begin_due(struct load *load);
/* Nanoseconds until the next arrival is due, at most `most`. */
uint64_t load_next_due(const struct load *load, uint64_t most);
/* A piece of the body of the slot's answer; counts events. */
void slot_body(struct slot *slot, const char *data, size_t len);
/* The answer is complete, or was lost (whole = false). The slot is free again. */
void slot_done(struct slot *slot, bool whole);
/* The slot is free and was not in use before. */
void slot_add_free(struct slot *slot);

/* conn.c */

/* Prepares conn and connects it (blocking, TLS handshake included). Ends the process when that fails. */
void conn_open(struct conn *conn, struct load *load);
/* Reads from the socket: bytes, 0 = nothing now, -1 = ended. */
long conn_read(struct conn *conn, char *into, size_t size);
/* Sends what it can of `out`, keeps the rest, and watches for room. false = the connection is lost. */
bool conn_send(struct conn *conn, const char *out, size_t len);
/* Goes on with what is left of the last conn_send. false = the connection is lost. */
bool conn_flush(struct conn *conn);
/* Closes and connects anew; every slot in use counts as lost. */
void conn_reopen(struct conn *conn);

/* h1.c */
void h1_setup(struct load *load); /* prints the request into load->head */
void h1_create(struct conn *conn);
void h1_begin(struct slot *slot);
void h1_readable(struct conn *conn);
void h1_writable(struct conn *conn);
void h1_reset(struct conn *conn); /* a new connection */

/* h2.c */
void h2_create(struct conn *conn);
void h2_begin(struct slot *slot);
void h2_readable(struct conn *conn);
void h2_writable(struct conn *conn);
void h2_reset(struct conn *conn);

/* cpu.c */

/* CPU time of all threads of the processes in nanoseconds, from /proc/PID/task/TID/schedstat. */
uint64_t cpu_of(const int *pids, size_t count);

/* Prints a line and ends the process. */
__attribute__((noreturn, format(printf, 1, 2))) void load_fail(const char *format, ...);

#endif
