/* SPDX-License-Identifier: MIT */
/* Framing and sending; wire.h holds the contract. */
#include "tools/sim/wire.h"

#include <errno.h>
#include <sys/socket.h>

enum { WIRE_CEILING = 512 * 1024 * 1024, WIRE_KEEP = 16 * 1024 };

void wire_init(struct wire *wire)
{
	*wire = (struct wire){.cut_body = UINT64_MAX, .cut = UINT64_MAX};
	buf_init(&wire->out, WIRE_CEILING);
	buf_init(&wire->coded, WIRE_CEILING);
}

void wire_fini(struct wire *wire)
{
	buf_fini(&wire->out);
	buf_fini(&wire->coded);
}

void wire_begin(struct wire *wire)
{
	wire->queued = buf_len(&wire->out);
	wire->sent = wire->body = 0;
	wire->cut = wire->cut_body = UINT64_MAX;
	wire->split = wire->split_from = 0;
	wire->chunked = wire->gzipped = false;
}

void wire_raw(struct wire *wire, struct span bytes)
{
	buf_append(&wire->out, bytes);
	wire->queued += bytes.len;
}

/* The size line of a chunk; by hand, for it comes with every event. */
static void chunk_size(struct buf *out, size_t size)
{
	char text[20] = "";
	size_t at = sizeof text;
	text[--at] = '\n';
	text[--at] = '\r';
	for (; size > 0; size >>= 4)
		text[--at] = "0123456789abcdef"[size & 15];
	buf_append(out, (struct span){text + at, sizeof text - at});
}

static void frame(struct wire *wire, struct span bytes)
{
	if (bytes.len == 0)
		return;
	size_t before = buf_len(&wire->out);
	if (wire->chunked)
		chunk_size(&wire->out, bytes.len);
	wire->queued += buf_len(&wire->out) - before;
	if (wire->cut_body >= wire->body && wire->cut_body - wire->body < bytes.len)
		wire->cut = wire->queued + (wire->cut_body - wire->body);
	wire_raw(wire, bytes);
	wire->body += bytes.len;
	if (wire->chunked)
		wire_raw(wire, SPAN("\r\n"));
}

static void frame_coded(struct wire *wire)
{
	frame(wire, buf_span(&wire->coded));
	buf_reset(&wire->coded);
}

void wire_gzip(struct wire *wire)
{
	wire->gzipped = true;
	gzip_begin(&wire->gzip, &wire->coded);
	frame_coded(wire);
}

void wire_body(struct wire *wire, struct span bytes)
{
	if (!wire->gzipped) {
		frame(wire, bytes);
		return;
	}
	gzip_store(&wire->gzip, &wire->coded, bytes);
	frame_coded(wire);
}

void wire_end(struct wire *wire)
{
	if (wire->gzipped) {
		gzip_end(&wire->gzip, &wire->coded);
		frame_coded(wire);
		buf_fini(&wire->coded);
	}
	if (wire->chunked)
		wire_raw(wire, SPAN("0\r\n\r\n"));
}

/* Bytes that the next send may take, so that it ends at the next cut. */
static size_t send_limit(const struct wire *wire)
{
	uint64_t limit = buf_len(&wire->out);
	if (wire->split > 0) {
		if (wire->sent < wire->split_from)
			limit = limit < wire->split_from - wire->sent ? limit : wire->split_from - wire->sent;
		else if (limit > wire->split)
			limit = wire->split;
	}
	if (wire->cut > wire->sent && wire->cut - wire->sent < limit)
		limit = wire->cut - wire->sent;
	return (size_t)limit;
}

enum wire_result wire_flush(struct wire *wire, int fd)
{
	while (!wire_is_empty(wire)) {
		size_t limit = send_limit(wire);
		ssize_t sent = send(fd, buf_span(&wire->out).at, limit, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK ? WIRE_BLOCKED : WIRE_LOST;
		buf_consume(&wire->out, (size_t)sent);
		wire->sent += (uint64_t)sent;
		bool at_cut = wire->sent == wire->cut || (wire->split > 0 && (size_t)sent == limit);
		if (at_cut && !wire_is_empty(wire))
			return WIRE_CUT;
	}
	if (wire->out.capacity > WIRE_KEEP)
		buf_fini(&wire->out);
	return WIRE_DRAINED;
}
