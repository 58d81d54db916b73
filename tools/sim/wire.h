/* SPDX-License-Identifier: MIT */
/*
 * The bytes of one connection on their way out: body framing and content coding
 * on one side, sends that may be cut at chosen places on the other. Owns the
 * unsent bytes. Never waits: who flushes handles the pause of a cut.
 */
#ifndef SLUICE_TOOLS_SIM_WIRE_H
#define SLUICE_TOOLS_SIM_WIRE_H

#include "tools/sim/gzip.h"

struct wire {
	struct buf out;
	uint64_t queued;     /* bytes of this response put into out so far */
	uint64_t sent;       /* of these, sent */
	uint64_t body;       /* bytes of body so far, before the framing */
	uint64_t cut_body;   /* cut the body at this offset; UINT64_MAX = no */
	uint64_t cut;        /* the same as an offset of queued, once known */
	uint64_t split;      /* most bytes per send, 0 = any */
	uint64_t split_from; /* offset where split begins */
	bool chunked;
	bool gzipped;
	struct gzip gzip;
	struct buf coded; /* scratch of the content coding */
};

enum wire_result { WIRE_DRAINED, WIRE_BLOCKED, WIRE_CUT, WIRE_LOST };

void wire_init(struct wire *wire);
void wire_fini(struct wire *wire);

/* A new response: identity framing, no cuts. Bytes of an earlier one stay queued. */
void wire_begin(struct wire *wire);

/* Queues bytes as they are: heads, and framing that is meant to be wrong. */
void wire_raw(struct wire *wire, struct span bytes);

/* Starts the gzip coding of the body. */
void wire_gzip(struct wire *wire);

/* Queues a piece of body, coded and framed; one chunk. */
void wire_body(struct wire *wire, struct span bytes);

/* Ends the body: trailer of the coding, last chunk. */
void wire_end(struct wire *wire);

/* Sends what the socket takes. WIRE_CUT: at a cut, bytes are left. WIRE_LOST: the peer is gone. */
enum wire_result wire_flush(struct wire *wire, int fd);

/* True when nothing is unsent. */
static inline bool wire_is_empty(const struct wire *wire)
{
	return buf_len(&wire->out) == 0;
}

#endif
