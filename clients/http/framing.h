/* SPDX-License-Identifier: MIT */
/*
 * Where the body of a response ends (RFC 9112, sections 6 and 7): by a length,
 * by chunks, with the connection, or at once. Decodes in place.
 */
#ifndef SLUICE_CLIENTS_HTTP_FRAMING_H
#define SLUICE_CLIENTS_HTTP_FRAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct head;

enum framing_state {
	FRAMING_ST_LENGTH, /* left: bytes until the end */
	FRAMING_ST_UNTIL_CLOSE,
	FRAMING_ST_SIZE,      /* the digits of a chunk's size */
	FRAMING_ST_BLANK,     /* blanks behind them */
	FRAMING_ST_EXTENSION, /* behind them, until the line ends */
	FRAMING_ST_SIZE_LF,
	FRAMING_ST_DATA, /* left: bytes of the chunk */
	FRAMING_ST_DATA_CR,
	FRAMING_ST_DATA_LF,
	FRAMING_ST_TRAILER, /* lines behind the last chunk */
	FRAMING_ST_END,
	FRAMING_ST_BROKEN
};

struct framing {
	enum framing_state state;
	uint64_t left;
	unsigned digits;  /* of this chunk's size so far */
	unsigned line;    /* bytes of this line so far, without its end */
	unsigned trailer; /* bytes of all trailers */
	bool cr;          /* of a trailer: the last byte was a CR */
	const char *why;  /* static: of FRAMING_ST_BROKEN */
};

/* How the body of the complete head ends. */
void framing_init(struct framing *framing, const struct head *head);

/*
 * Takes len bytes and moves what is body to their front. Returns how many that are; *rest: how many bytes behind the
 * body's end were not taken. After FRAMING_ST_BROKEN nothing more is taken, and what was body before it is told.
 */
size_t framing_decode(struct framing *framing, char *bytes, size_t len, size_t *rest);

/* Whether the body is whole when the connection ends now. */
static inline bool framing_may_end(const struct framing *framing)
{
	return framing->state == FRAMING_ST_END || framing->state == FRAMING_ST_UNTIL_CLOSE;
}

#endif
