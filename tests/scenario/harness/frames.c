/* SPDX-License-Identifier: MIT */
/* Frames out, frames in; frames.h holds the contract. */
#include "tests/scenario/harness/frames.h"

#include <stdio.h>
#include <string.h>

#include "tests/scenario/harness/check.h"

enum { FRAME_HEAD = 9 };

static unsigned number(const unsigned char *at)
{
	return (unsigned)at[0] << 24 | (unsigned)at[1] << 16 | (unsigned)at[2] << 8 | at[3];
}

static void put_number(unsigned char *at, unsigned value)
{
	for (int i = 0; i < 4; i++)
		at[i] = (unsigned char)(value >> (24 - 8 * i));
}

void frame_put(struct bytes *text, enum frame_type type, unsigned flags, unsigned id, const void *payload, size_t len)
{
	unsigned char head[FRAME_HEAD] = {(unsigned char)(len >> 16), (unsigned char)(len >> 8), (unsigned char)len,
					  (unsigned char)type, (unsigned char)flags};
	put_number(head + 5, id);
	bytes_append(text, head, sizeof head);
	bytes_append(text, payload, len);
}

/* A literal field without indexing, its name by index or spelt out (RFC 7541 section 6.2.2); both below 127 bytes. */
static void put_field(struct bytes *block, const char *index, const char *name, const char *value)
{
	unsigned char len = (unsigned char)strlen(value);
	bytes_append(block, index, strlen(index) + (*index == '\0'));
	if (name != NULL) {
		unsigned char name_len = (unsigned char)strlen(name);
		bytes_append(block, &name_len, 1);
		bytes_append(block, name, name_len);
	}
	bytes_append(block, &len, 1);
	bytes_append(block, value, len);
}

void frame_put_head(struct bytes *text, unsigned id, unsigned flags, const char *method, const char *path, long length)
{
	struct bytes block = {0};
	char digits[24];
	put_field(&block, "\x02", NULL, method);
	put_field(&block, "\x06", NULL, "http");
	put_field(&block, "\x04", NULL, path);
	put_field(&block, "\x01", NULL, "sluice.test");
	snprintf(digits, sizeof digits, "%ld", length);
	if (length >= 0) {
		put_field(&block, "", "content-length", digits);
		put_field(&block, "", "content-type", "application/json");
	}
	frame_put(text, FRAME_HEADERS, flags | FRAME_END_HEADERS, id, block.at, block.len);
	bytes_free(&block);
}

void frame_put_window(struct bytes *text, unsigned id, unsigned more)
{
	unsigned char payload[4];
	put_number(payload, more);
	frame_put(text, FRAME_WINDOW_UPDATE, 0, id, payload, sizeof payload);
}

void frames_open(struct frames *frames, int port, unsigned window)
{
	struct bytes text = {0};
	unsigned char settings[6] = {0, 4};
	*frames = (struct frames){.closed = false};
	wire_open(&frames->wire, port, NULL);
	put_number(settings + 2, window);
	bytes_append(&text, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
	frame_put(&text, FRAME_SETTINGS, 0, 0, settings, sizeof settings);
	assert_true(frames_send(frames, &text));
	bytes_free(&text);
	frames_wait(frames, FRAME_SETTINGS, 2); /* the peer's own and its acknowledgement */
}

void frames_close(struct frames *frames)
{
	wire_close(&frames->wire);
	bytes_free(&frames->in);
}

bool frames_send(struct frames *frames, const struct bytes *text)
{
	return !frames->closed && wire_write_all(&frames->wire, text->at, text->len);
}

static void understand(struct frames *frames)
{
	while (frames->in.len >= FRAME_HEAD) {
		const unsigned char *at = (const unsigned char *)frames->in.at;
		size_t len = (size_t)at[0] << 16 | (size_t)at[1] << 8 | at[2];
		if (frames->in.len < FRAME_HEAD + len)
			return;
		if (at[3] < FRAME_TYPES)
			frames->seen[at[3]]++;
		if (at[3] == FRAME_RST_STREAM)
			frames->last_reset = number(at + FRAME_HEAD);
		if (at[3] == FRAME_GOAWAY) {
			frames->goaway = true;
			frames->goaway_code = number(at + FRAME_HEAD + 4);
		}
		bytes_drop(&frames->in, FRAME_HEAD + len);
	}
}

void frames_read(struct frames *frames)
{
	char block[65536];
	while (!frames->closed) {
		ssize_t got = wire_read(&frames->wire, block, sizeof block);
		if (got == WIRE_AGAIN)
			return;
		if (got <= 0)
			frames->closed = true;
		else
			bytes_append(&frames->in, block, (size_t)got);
		understand(frames);
	}
}

void frames_wait(struct frames *frames, enum frame_type type, unsigned count)
{
	for (;;) {
		frames_read(frames);
		if (frames->closed || frames->seen[type] >= count)
			return;
		if (!wire_wait(&frames->wire, HANG_GUARD_MS))
			fail_msg("gave up waiting for %u frames of type %d, %u came", count, type, frames->seen[type]);
	}
}

void frames_wait_closed(struct frames *frames)
{
	while (!frames->closed) {
		frames_read(frames);
		if (!frames->closed && !wire_wait(&frames->wire, HANG_GUARD_MS))
			fail_msg("the peer keeps the connection");
	}
}
