/* SPDX-License-Identifier: MIT */
/*
 * A growable byte buffer that declares its ceiling at birth. Bytes are appended
 * at the end and consumed from the front.
 *
 * Failure is sticky: an append that would pass the ceiling, or finds no memory,
 * appends nothing and marks the buffer failed; later appends do nothing. A
 * writer may append freely and check buf_failed() once. A buffer that is charged to
 * a party (ledger.h) also fails when that party holds all that it may have.
 */
#ifndef SLUICE_LIB_BUF_H
#define SLUICE_LIB_BUF_H

#include <stdint.h>

#include "lib/span.h"

struct buf {
	char *bytes;
	size_t start;    /* offset of the first unconsumed byte */
	size_t end;      /* offset behind the last byte */
	size_t capacity; /* bytes allocated */
	size_t ceiling;  /* most unconsumed bytes it may ever hold */
	bool failed;
	bool overdraws; /* it grows in steps of LEDGER_STEP where the party may hold no more */
	uint32_t party; /* of ledger.h, who is charged for an allocation beyond LEDGER_BLOCK */
};

/* Starts empty; allocates nothing yet. ceiling in bytes, must not be 0. */
void buf_init(struct buf *buf, size_t ceiling);

/* Starts empty over size bytes of the caller's and never holds more. Not for buf_fini and buf_fit, which free. */
void buf_init_over(struct buf *buf, char *room, size_t size);

/* Charges what the buffer, which has allocated nothing yet, will allocate to a party; buf_take moves the charge, too.
 */
static inline void buf_charge(struct buf *buf, uint32_t party)
{
	buf->party = party;
}

/* The same for what an admitted stream has read already: such a buffer does not fail for what its party holds, unless
 * it has to grow by more than LEDGER_STEP at once. Whoever fills it stops while the party is tight. */
static inline void buf_overdraw(struct buf *buf, uint32_t party)
{
	buf->party = party;
	buf->overdraws = true;
}

/* Takes back what the buffer is charged; from now on it is charged nothing. */
void buf_uncharge(struct buf *buf);

/* Frees the memory; the buffer is empty and usable again. */
void buf_fini(struct buf *buf);

/* Empties the buffer, keeps its memory, clears the failure. */
void buf_reset(struct buf *buf);

/* As buf_append, when there is no room at hand. */
bool buf_append_slowly(struct buf *buf, struct span bytes);

/* Appends formatted text. Same failure as buf_append. */
bool buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Room for at least size more bytes behind the end, to be committed by buf_commit; NULL when it does not fit. */
char *buf_reserve(struct buf *buf, size_t size);
void buf_commit(struct buf *buf, size_t size);

/* Gives back the memory that is not needed for what it holds. */
void buf_fit(struct buf *buf);

/* Has the buffer fail as if it could not grow: memory ran out for what was to be appended. */
static inline void buf_fail(struct buf *buf)
{
	buf->failed = true;
}

/* Moves what the buffer holds into the one returned, to which it now belongs. from is empty and usable again. */
struct buf buf_take(struct buf *from);

/* Drops size bytes from the front; size must not exceed buf_len(). */
void buf_consume(struct buf *buf, size_t size);

/* Drops all but the first size bytes; size must not exceed buf_len(). */
static inline void buf_truncate(struct buf *buf, size_t size)
{
	buf->end = buf->start + size;
}

/* Appends a copy of bytes. False (and sticky failure) when it does not fit. */
static inline bool buf_append(struct buf *buf, struct span bytes)
{
	size_t most = buf->capacity < buf->ceiling + buf->start ? buf->capacity : buf->ceiling + buf->start;
	if (buf->failed || bytes.len == 0 || bytes.len > most - buf->end)
		return buf_append_slowly(buf, bytes);
	memcpy(buf->bytes + buf->end, bytes.at, bytes.len);
	buf->end += bytes.len;
	return true;
}

static inline size_t buf_len(const struct buf *buf)
{
	return buf->end - buf->start;
}

/* The unconsumed bytes; valid until the next call that is not const. */
static inline struct span buf_span(const struct buf *buf)
{
	return (struct span){buf->bytes == NULL ? "" : buf->bytes + buf->start, buf->end - buf->start};
}

static inline bool buf_failed(const struct buf *buf)
{
	return buf->failed;
}

#endif
