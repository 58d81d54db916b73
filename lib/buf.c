/* SPDX-License-Identifier: MIT */
/* A growable byte buffer with a ceiling; buf.h holds the contract. */
#include "lib/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/ledger.h"
#include "lib/memory.h"

enum { BUF_FIRST_CAPACITY = 256 };

void buf_init(struct buf *buf, size_t ceiling)
{
	assert(ceiling != 0);
	*buf = (struct buf){.ceiling = ceiling};
}

void buf_init_over(struct buf *buf, char *room, size_t size)
{
	buf_init(buf, size);
	buf->bytes = room;
	buf->capacity = size;
}

struct buf buf_take(struct buf *from)
{
	struct buf taken = *from;
	buf_init(from, taken.ceiling);
	from->party = taken.party;
	from->overdraws = taken.overdraws;
	return taken;
}

/* Bytes that an allocation of that size is charged. */
static size_t buf_cost(size_t capacity)
{
	return capacity <= LEDGER_BLOCK ? 0 : capacity;
}

void buf_uncharge(struct buf *buf)
{
	ledger_give(buf->party, buf_cost(buf->capacity));
	buf->party = LEDGER_NOBODY;
}

void buf_fini(struct buf *buf)
{
	if (buf->capacity > LEDGER_BLOCK)
		ledger_give(buf->party, buf->capacity);
	free(buf->bytes);
	buf->bytes = NULL;
	buf->start = buf->end = buf->capacity = 0;
	buf->failed = false;
}

void buf_reset(struct buf *buf)
{
	buf->start = buf->end = 0;
	buf->failed = false;
}

/* Moves the content to the front of the allocation. */
static void buf_compact(struct buf *buf)
{
	if (buf->start == 0)
		return;
	memmove(buf->bytes, buf->bytes + buf->start, buf_len(buf));
	buf->end -= buf->start;
	buf->start = 0;
}

/* Returns the bytes that a buffer has to grow by beyond what it is charged. */
static size_t buf_growth(const struct buf *buf, size_t capacity)
{
	return buf_cost(capacity) - buf_cost(buf->capacity);
}

/* Charges a capacity, or the least that will do. Returns it; 0: refused. */
static size_t buf_pay(struct buf *buf, size_t capacity, size_t need)
{
	if (buf_growth(buf, capacity) == 0 || ledger_grow(buf->party, buf_growth(buf, capacity)))
		return capacity;
	if (!buf->overdraws || buf_growth(buf, need) > LEDGER_STEP)
		return 0;
	ledger_overdraw(buf->party, buf_growth(buf, need));
	return need;
}

static bool buf_grow(struct buf *buf, size_t need)
{
	size_t capacity = buf->capacity < BUF_FIRST_CAPACITY ? BUF_FIRST_CAPACITY : buf->capacity;
	while (capacity < need)
		capacity = capacity > buf->ceiling / 2 ? buf->ceiling : capacity * 2;
	capacity = buf_pay(buf, capacity, need);
	if (capacity == 0)
		return false;
	char *bytes = realloc(buf->bytes, capacity);
	if (bytes == NULL) {
		ledger_give(buf->party, buf_growth(buf, capacity));
		return false;
	}
	memory_prefer_large_pages(bytes, capacity);
	buf->bytes = bytes;
	buf->capacity = capacity;
	return true;
}

char *buf_reserve(struct buf *buf, size_t size)
{
	if (buf->failed)
		return NULL;
	if (size > buf->ceiling || buf_len(buf) > buf->ceiling - size)
		goto fail;
	if (size > buf->capacity - buf->end) {
		buf_compact(buf);
		if (size > buf->capacity - buf->end && !buf_grow(buf, buf->end + size))
			goto fail;
	}
	return buf->bytes + buf->end;
fail:
	buf->failed = true;
	return NULL;
}

void buf_commit(struct buf *buf, size_t size)
{
	assert(size <= buf->capacity - buf->end);
	buf->end += size;
}

bool buf_append_slowly(struct buf *buf, struct span bytes)
{
	if (bytes.len == 0)
		return !buf->failed;
	char *at = buf_reserve(buf, bytes.len);
	if (at == NULL)
		return false;
	memcpy(at, bytes.at, bytes.len);
	buf->end += bytes.len;
	return true;
}

bool buf_printf(struct buf *buf, const char *format, ...)
{
	va_list args;
	size_t room = buf->failed ? 0 : buf->capacity - buf->end;
	va_start(args, format);
	int len = vsnprintf(room == 0 ? NULL : buf->bytes + buf->end, room, format, args);
	va_end(args);
	char *at = len < 0 ? NULL : buf_reserve(buf, (size_t)len + 1);
	if (at == NULL)
		return false;
	if ((size_t)len >= room) { /* it was cut */
		va_start(args, format);
		vsnprintf(at, (size_t)len + 1, format, args);
		va_end(args);
	}
	buf->end += (size_t)len;
	return true;
}

void buf_fit(struct buf *buf)
{
	if (buf->end == 0 || buf->end == buf->capacity)
		return;
	char *bytes = realloc(buf->bytes, buf->end);
	if (bytes == NULL)
		return;
	ledger_give(buf->party, buf_cost(buf->capacity) - buf_cost(buf->end));
	buf->bytes = bytes;
	buf->capacity = buf->end;
}

void buf_consume(struct buf *buf, size_t size)
{
	assert(size <= buf_len(buf));
	buf->start += size;
	if (buf->start == buf->end)
		buf->start = buf->end = 0;
}
