/* SPDX-License-Identifier: MIT */
/*
 * A whole connection of HTTP/2 from a client that knows frames, header compression and flow control, and breaks their
 * rules now and then. The input is a program: each step is an operation and its arguments, so that what the fuzzer
 * changes stays a conversation. What the server answers is read strictly: whole frames of allowed sizes, on streams
 * that were opened, header blocks that decode, and no more data than the client's windows allow.
 */
#include <nghttp2/nghttp2.h>

#include "tests/fuzz/connection.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	SIZE_MOST = 4096,
	STREAMS_MOST = 512,
	OUT_MOST = 1 << 18, /* bytes that the client has ready to send */
	FRAME_HEAD = 9,
	FRAME_MOST = 16384,
	WINDOW = 65535,
	END_STREAM = 1,
	ACK = 1,
	END_HEADERS = 4,
	PADDED = 8,
	PRIORITIZED = 32
};

/* The program, read byte by byte; zeros behind its end. */
struct program {
	const uint8_t *at, *end;
};

static unsigned next(struct program *program)
{
	return program->at < program->end ? *program->at++ : 0;
}

static unsigned next16(struct program *program)
{
	unsigned high = next(program);
	return high << 8 | next(program);
}

static unsigned next32(struct program *program)
{
	unsigned high = next16(program);
	return high << 16 | next16(program);
}

/* What the client has asked for by SETTINGS. */
struct wish {
	int64_t initial; /* window of a stream */
	int64_t table;   /* bytes of the table of header fields; -1 = as before */
};

/* What the client knows of the connection. */
struct peer {
	struct fuzz_server *fuzz;
	uint8_t out[OUT_MOST];
	size_t out_len;
	nghttp2_hd_deflater *deflater;
	nghttp2_hd_inflater *inflater;
	unsigned last_id;       /* of the client's streams */
	int64_t window;         /* credit of the server for the connection */
	int64_t initial;        /* of a stream, as the last acknowledged SETTINGS say */
	struct wish wishes[64]; /* that are not acknowledged yet: number first to last */
	size_t first, last;
	int64_t windows[STREAMS_MOST]; /* by number of the stream, above the initial one */
	uint8_t in[1 << 20];
	size_t in_len;
	bool closed;
	bool reads;     /* takes what the server says; else it waits in the kernel */
	bool lost;      /* what it sent is broken: its view of windows and header tables is its own */
	unsigned block; /* stream whose header block is open; 0 = none */
};

/* ---- out ---- */

static void put_head(struct peer *peer, size_t len, unsigned type, unsigned flags, unsigned id)
{
	const uint8_t head[FRAME_HEAD] = {(uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len,
					  (uint8_t)type,        (uint8_t)flags,      (uint8_t)(id >> 24),
					  (uint8_t)(id >> 16),  (uint8_t)(id >> 8),  (uint8_t)id};
	if (peer->out_len + sizeof(head) > OUT_MOST)
		return;
	memcpy(peer->out + peer->out_len, head, sizeof(head));
	peer->out_len += sizeof(head);
}

static void put(struct peer *peer, const void *bytes, size_t len)
{
	if (peer->out_len + len > OUT_MOST)
		return;
	memcpy(peer->out + peer->out_len, bytes, len);
	peer->out_len += len;
}

static void put_number(struct peer *peer, uint32_t number)
{
	const uint8_t bytes[] = {(uint8_t)(number >> 24), (uint8_t)(number >> 16), (uint8_t)(number >> 8),
				 (uint8_t)number};
	put(peer, bytes, sizeof(bytes));
}

static void fill(struct peer *peer, size_t len)
{
	if (peer->out_len + len > OUT_MOST)
		return;
	memset(peer->out + peer->out_len, 'x', len);
	peer->out_len += len;
}

/* A stream: mostly one of the last few, now and then any. */
static unsigned choose_stream(const struct peer *peer, struct program *program)
{
	unsigned choice = next(program);
	if (choice < 0xe0)
		return peer->last_id > 2 * (choice % 8) ? peer->last_id - 2 * (choice % 8) : peer->last_id;
	return choice < 0xf0 ? next(program) : next32(program) & 0x7fffffff;
}

static nghttp2_nv field(const char *name, const char *value)
{
	return (nghttp2_nv){(uint8_t *)name, (uint8_t *)value, strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE};
}

/* A header block by the rules, or with fields missing, doubled, or of connections. */
static size_t make_block(struct peer *peer, struct program *program, uint8_t block[FRAME_MOST])
{
	static const char *const methods[] = {"GET", "POST", "HEAD", "CONNECT", "p"};
	static const char *const paths[] = {"/", "/s", "/h", "/a", "/refused", "*", "", "/?q", "http://a/s"};
	static const char *const more[][2] = {{"content-length", "5"},
					      {"content-length", "0"},
					      {"expect", "100-continue"},
					      {"connection", "close"},
					      {"te", "trailers"},
					      {"transfer-encoding", "chunked"},
					      {"cookie", "a=b"},
					      {"Upper", "case"},
					      {":path", "/late"},
					      {"content-length", "99999999"},
					      {"host", "other"},
					      {"accept", "application/problem+json"},
					      {"", "empty"},
					      {"x-nl", "a\nb"}};
	static char large[12000];
	nghttp2_nv fields[40];
	size_t count = 0;
	unsigned shape = next(program);
	memset(large, 'v', sizeof(large) - 1);
	if ((shape & 0x81) != 0x81)
		fields[count++] = field(":method", methods[next(program) % 5]);
	if ((shape & 0x82) != 0x82)
		fields[count++] = field(":scheme", "http");
	if ((shape & 0x84) != 0x84)
		fields[count++] = field(":path", paths[next(program) % 9]);
	if ((shape & 0x88) != 0x88)
		fields[count++] = field(":authority", "a");
	for (unsigned extra = shape >> 4 & 7; extra > 0 && count < 36; extra--) {
		unsigned which = next(program) % 18;
		if (which < 14)
			fields[count++] = field(more[which][0], more[which][1]);
		else
			fields[count++] = (nghttp2_nv){(uint8_t *)"x-large", (uint8_t *)large, 7,
						       (size_t)next(program) * 40, NGHTTP2_NV_FLAG_NONE};
	}
	ssize_t len = nghttp2_hd_deflate_hd(peer->deflater, block, FRAME_MOST, fields, count);
	if (len < 0) {
		peer->lost = true;
		return 0;
	}
	return (size_t)len;
}

/* Sends a block as HEADERS and so many CONTINUATIONs; pieces may be empty, the end may be missing. */
static void put_block(struct peer *peer, struct program *program, unsigned id, unsigned flags, const uint8_t *block,
		      size_t len)
{
	unsigned pieces = next(program) % 4;
	size_t at = 0;
	unsigned type = NGHTTP2_HEADERS;
	for (unsigned i = 0; i < pieces; i++) {
		size_t part = len - at < (size_t)next(program) * 16 ? len - at : (size_t)next(program) % (len - at + 1);
		put_head(peer, part, type, flags, id);
		put(peer, block + at, part);
		at += part;
		type = NGHTTP2_CONTINUATION;
		flags = 0;
	}
	bool ends = next(program) != 0xff;
	put_head(peer, len - at, type, flags | (ends ? END_HEADERS : 0), id);
	put(peer, block + at, len - at);
	peer->lost = peer->lost || !ends;
}

static void send_request(struct peer *peer, struct program *program)
{
	uint8_t block[FRAME_MOST];
	unsigned how = next(program);
	size_t len = make_block(peer, program, block);
	if (how < 0xf0)
		peer->last_id += 2; /* else trailers, or a stream that is over */
	put_block(peer, program, peer->last_id, how & END_STREAM, block, len);
}

/* A block that nobody has encoded: sizes of tables, indices, cut strings. */
static void send_wild_block(struct peer *peer, struct program *program)
{
	uint8_t block[256];
	size_t len = next(program);
	for (size_t i = 0; i < len; i++)
		block[i] = (uint8_t)next(program);
	peer->last_id += 2;
	peer->lost = true;
	put_block(peer, program, peer->last_id, next(program) & END_STREAM, block, len);
}

static void send_data(struct peer *peer, struct program *program)
{
	unsigned id = choose_stream(peer, program), flags = next(program) & (END_STREAM | PADDED);
	size_t len = next16(program) % (FRAME_MOST + 2), pad = next(program);
	if ((flags & PADDED) == 0) {
		put_head(peer, len, NGHTTP2_DATA, flags, id);
		fill(peer, len);
		return;
	}
	put_head(peer, len + pad + 1, NGHTTP2_DATA, flags, id);
	put(peer, &(uint8_t){(uint8_t)(pad + (next(program) == 0xff))}, 1); /* now and then more than there is */
	fill(peer, len + pad);
}

static void send_window(struct peer *peer, struct program *program)
{
	unsigned id = next(program) < 0x80 ? 0 : choose_stream(peer, program);
	unsigned how = next(program);
	uint32_t more = how < 0xf0 ? next16(program) : next32(program);
	put_head(peer, 4, NGHTTP2_WINDOW_UPDATE, 0, id);
	put_number(peer, more);
	more &= 0x7fffffff;
	if (id == 0)
		peer->window += more;
	else if ((id & 1) != 0 && id / 2 < STREAMS_MOST)
		peer->windows[id / 2] += more;
}

static void send_settings(struct peer *peer, struct program *program)
{
	unsigned count = next(program) % 4;
	if (next(program) < 0x10) {
		put_head(peer, 0, NGHTTP2_SETTINGS, ACK, 0);
		return;
	}
	struct wish wish = {peer->initial, -1};
	if (peer->last > peer->first)
		wish.initial = peer->wishes[(peer->last - 1) % 64].initial;
	put_head(peer, (size_t)count * 6, NGHTTP2_SETTINGS, 0, 0);
	for (unsigned i = 0; i < count; i++) {
		unsigned id = next(program) % 8, how = next(program);
		uint32_t value = how < 0x80 ? how : next32(program);
		put(peer, (uint8_t[]){0, (uint8_t)id}, 2);
		put_number(peer, value);
		if (id == NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE)
			wish.initial = value;
		if (id == NGHTTP2_SETTINGS_HEADER_TABLE_SIZE)
			wish.table = value;
		if (id == NGHTTP2_SETTINGS_MAX_FRAME_SIZE)
			peer->lost = peer->lost || value != FRAME_MOST;
		peer->lost = peer->lost || (id == NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE && value > INT32_MAX);
	}
	if (peer->last - peer->first == 64)
		peer->lost = true;
	else
		peer->wishes[peer->last++ % 64] = wish;
}

static void send_small(struct peer *peer, struct program *program)
{
	unsigned id;
	switch (next(program) % 5) {
	case 0:
		put_head(peer, 8, NGHTTP2_PING, next(program) & ACK, 0);
		fill(peer, 8);
		break;
	case 1:
		id = choose_stream(peer, program);
		put_head(peer, 4, NGHTTP2_RST_STREAM, 0, id);
		put_number(peer, next(program));
		break;
	case 2:
		id = choose_stream(peer, program);
		put_head(peer, 5, NGHTTP2_PRIORITY, 0, id);
		put_number(peer, choose_stream(peer, program) | (next(program) & 1) << 31);
		put(peer, &(uint8_t){16}, 1);
		break;
	case 3:
		put_head(peer, 8, NGHTTP2_GOAWAY, 0, 0);
		put_number(peer, next(program));
		put_number(peer, next(program));
		break;
	default: /* any type, length and flags, with so many bytes of it */
		id = next(program) < 0x40 ? 0 : choose_stream(peer, program);
		put_head(peer, next(program), next(program), next(program), id);
		fill(peer, next(program));
		peer->lost = true;
		break;
	}
}

/* ---- in ---- */

static void check_headers(struct peer *peer, const uint8_t *block, size_t len, bool ends)
{
	for (;;) {
		nghttp2_nv nv;
		int flags = 0;
		ssize_t taken = nghttp2_hd_inflate_hd2(peer->inflater, &nv, &flags, block, len, ends);
		assert(taken >= 0);
		block += taken;
		len -= (size_t)taken;
		if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) {
			nghttp2_hd_inflate_end_headers(peer->inflater);
			return;
		}
		if ((flags & NGHTTP2_HD_INFLATE_EMIT) == 0 && len == 0)
			return;
	}
}

static void check_data(struct peer *peer, unsigned id, size_t len)
{
	assert((id & 1) != 0);
	peer->window -= (int64_t)len;
	assert(peer->lost || peer->window >= 0);
	if (id / 2 >= STREAMS_MOST)
		return;
	peer->windows[id / 2] -= (int64_t)len;
	int64_t most = peer->initial; /* until the server has acknowledged less, it may use what it had */
	for (size_t i = peer->first; i < peer->last; i++)
		most = peer->wishes[i % 64].initial > most ? peer->wishes[i % 64].initial : most;
	assert(peer->lost || len == 0 || peer->windows[id / 2] + most >= 0);
}

/* The server has acknowledged it. */
static void take_wish(struct peer *peer, const struct wish *wish)
{
	peer->initial = wish->initial;
	if (wish->table >= 0)
		nghttp2_hd_inflate_change_table_size(peer->inflater, (size_t)wish->table);
}

static void check_frame(struct peer *peer, const uint8_t *frame, size_t len)
{
	unsigned type = frame[3], flags = frame[4];
	unsigned id = (unsigned)frame[5] << 24 | (unsigned)frame[6] << 16 | (unsigned)frame[7] << 8 | frame[8];
	const uint8_t *payload = frame + FRAME_HEAD;
	assert(id <= peer->last_id || peer->lost);
	assert(peer->block == 0 || (type == NGHTTP2_CONTINUATION && id == peer->block));
	switch (type) {
	case NGHTTP2_DATA:
		check_data(peer, id, len);
		break;
	case NGHTTP2_HEADERS:
	case NGHTTP2_CONTINUATION:
		assert(id != 0 && (flags & (PADDED | PRIORITIZED)) == 0);
		peer->block = (flags & END_HEADERS) != 0 ? 0 : id;
		if (!peer->lost)
			check_headers(peer, payload, len, (flags & END_HEADERS) != 0);
		break;
	case NGHTTP2_SETTINGS:
		assert(id == 0 && len % 6 == 0 && ((flags & ACK) == 0 || len == 0));
		if ((flags & ACK) != 0 && peer->first < peer->last)
			take_wish(peer, &peer->wishes[peer->first++ % 64]);
		break;
	case NGHTTP2_PING:
		assert(id == 0 && len == 8 && (flags & ACK) != 0);
		break;
	case NGHTTP2_RST_STREAM:
		assert(id != 0 && len == 4);
		break;
	case NGHTTP2_WINDOW_UPDATE:
		assert(len == 4);
		break;
	default:
		assert(type == NGHTTP2_GOAWAY && id == 0 && len >= 8);
	}
}

static void read_frames(struct peer *peer)
{
	size_t at = 0;
	while (peer->in_len - at >= FRAME_HEAD) {
		const uint8_t *frame = peer->in + at;
		size_t len = (size_t)frame[0] << 16 | (size_t)frame[1] << 8 | frame[2];
		assert(len <= FRAME_MOST || peer->lost);
		if (len > sizeof(peer->in) - FRAME_HEAD || peer->in_len - at < FRAME_HEAD + len)
			break;
		check_frame(peer, frame, len);
		at += FRAME_HEAD + len;
	}
	memmove(peer->in, peer->in + at, peer->in_len - at);
	peer->in_len -= at;
}

static void take_answers(struct peer *peer)
{
	ssize_t got = 1;
	while (peer->reads && !peer->closed && got > 0) {
		got = recv(peer->fuzz->fd, peer->in + peer->in_len, sizeof(peer->in) - peer->in_len, MSG_DONTWAIT);
		peer->closed = got == 0 || (got < 0 && errno != EAGAIN);
		if (got > 0)
			peer->in_len += (size_t)got;
		read_frames(peer);
	}
}

/* Sends what is ready in one piece, or but a part of it, and lets the server work. */
static void flush(struct peer *peer, size_t most)
{
	size_t part = peer->out_len < most ? peer->out_len : most;
	ssize_t sent = part == 0 ? 0 : send(peer->fuzz->fd, peer->out, part, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent > 0) {
		memmove(peer->out, peer->out + sent, peer->out_len - (size_t)sent);
		peer->out_len -= (size_t)sent;
	}
	for (int i = 0; i < 3; i++) {
		fuzz_turn(peer->fuzz);
		take_answers(peer);
	}
}

static void step(struct peer *peer, struct program *program)
{
	switch (next(program) % 16) {
	case 0:
	case 1:
	case 2:
	case 3:
		send_request(peer, program);
		break;
	case 4:
	case 5:
	case 6:
		send_data(peer, program);
		break;
	case 7:
	case 8:
		send_window(peer, program);
		break;
	case 9:
		send_settings(peer, program);
		break;
	case 10:
	case 11:
		send_small(peer, program);
		break;
	case 12:
		send_wild_block(peer, program);
		break;
	case 13:
		peer->reads = !peer->reads;
		break;
	case 14:
		flush(peer, next16(program));
		break;
	default:
		flush(peer, SIZE_MAX);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char preface[] = NGHTTP2_CLIENT_MAGIC;
	static struct peer peer;
	struct program program = {data, data + size};
	if (size > SIZE_MOST)
		return 0;
	peer.fuzz = fuzz_server();
	memset(peer.windows, 0, sizeof(peer.windows));
	peer.out_len = peer.in_len = peer.first = peer.last = 0;
	peer.window = peer.initial = WINDOW;
	peer.closed = peer.lost = false;
	peer.reads = true;
	peer.block = 0;
	nghttp2_hd_deflate_new(&peer.deflater, 4096);
	nghttp2_hd_inflate_new(&peer.inflater);
	fuzz_open(peer.fuzz);
	put(&peer, preface, sizeof(preface) - 1);
	put_head(&peer, 0, NGHTTP2_SETTINGS, 0, 0);
	peer.wishes[peer.last++] = (struct wish){WINDOW, -1};
	peer.last_id = 1;
	while (program.at < program.end && !peer.closed)
		step(&peer, &program);
	peer.reads = true;
	flush(&peer, SIZE_MAX);
	fuzz_close(peer.fuzz);
	nghttp2_hd_deflate_del(peer.deflater);
	nghttp2_hd_inflate_del(peer.inflater);
	return 0;
}
