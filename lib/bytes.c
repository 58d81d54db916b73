/* SPDX-License-Identifier: MIT */
/* Bytes with holders; bytes.h holds the contract. */
#include "lib/bytes.h"

#include <stdlib.h>

void bytes_init(struct bytes *bytes, struct span span, void (*dispose)(struct bytes *bytes))
{
	atomic_init(&bytes->holders, 1);
	bytes->span = span;
	bytes->dispose = dispose;
}

/* Of a buffer. */
struct bytes_of_buf {
	struct bytes bytes; /* first */
	struct buf buf;
};

static void dispose_buf(struct bytes *bytes)
{
	struct bytes_of_buf *taken = (struct bytes_of_buf *)bytes;
	buf_fini(&taken->buf);
	free(taken);
}

struct bytes *bytes_take(struct buf *buf)
{
	struct bytes_of_buf *taken = malloc(sizeof(*taken));
	if (taken == NULL)
		return NULL;
	taken->buf = buf_take(buf);
	bytes_init(&taken->bytes, buf_span(&taken->buf), dispose_buf);
	return &taken->bytes;
}

struct bytes *bytes_hold(struct bytes *bytes)
{
	atomic_fetch_add_explicit(&bytes->holders, 1, memory_order_relaxed);
	return bytes;
}

void bytes_drop(struct bytes *bytes)
{
	if (bytes != NULL && atomic_fetch_sub_explicit(&bytes->holders, 1, memory_order_acq_rel) == 1)
		bytes->dispose(bytes);
}
