/* SPDX-License-Identifier: MIT */
/* Replies as bytes; resp.h holds the contract. May be used by any thread: no check is in here. */
#include "tests/scenario/harness/resp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MOST = 8 };

static size_t len_at(const char *at, size_t len, int depth)
{
	const char *end = len < 4 ? NULL : memmem(at, len, "\r\n", 2);
	if (end == NULL || depth > DEPTH_MOST)
		return 0;
	size_t used = (size_t)(end - at) + 2;
	long count = at[0] == '$' || at[0] == '*' ? strtol(at + 1, NULL, 10) : 0;
	if (at[0] == '$' && count >= 0)
		used += (size_t)count + 2;
	for (; at[0] == '*' && count > 0 && used <= len; count--) {
		size_t element = len_at(at + used, len - used, depth + 1);
		if (element == 0)
			return 0;
		used += element;
	}
	return used <= len ? used : 0;
}

size_t resp_len(const char *at, size_t len)
{
	return len_at(at, len, 0);
}

void resp_make_up(struct dice *dice, struct bytes *out)
{
	static const char *const made[] = {"+OK\r\n",
					   ":1\r\n",
					   ":-1\r\n",
					   ":9223372036854775807\r\n",
					   "$-1\r\n",
					   "*0\r\n",
					   "*-1\r\n",
					   "$0\r\n\r\n",
					   "-ERR no\r\n",
					   "-MOVED 1 127.0.0.1:1\r\n",
					   "-LOADING\r\n",
					   "*1\r\n$3\r\nabc\r\n",
					   "*2\r\n*1\r\n:1\r\n$1\r\nx\r\n",
					   "$1000000000\r\nx",
					   "*1000000000\r\n",
					   "HTTP/1.1 400 Bad Request\r\n\r\n",
					   "\r\n",
					   "$abc\r\n"};
	uint64_t which = dice_roll(dice, sizeof made / sizeof made[0] + 2);
	if (which < sizeof made / sizeof made[0]) {
		bytes_append(out, made[which], strlen(made[which]));
		return;
	}
	/* a text of any length, with no zero in it or of anything */
	size_t len = dice_roll(dice, 500);
	bool letters = which == sizeof made / sizeof made[0];
	bytes_printf(out, "$%zu\r\n", len);
	for (size_t i = 0; i < len; i++) {
		char byte = letters ? 'x' : (char)dice_roll(dice, 256);
		bytes_append(out, &byte, 1);
	}
	bytes_append(out, "\r\n", 2);
}

void resp_flip(struct dice *dice, char *reply, size_t len)
{
	size_t line = (size_t)((char *)memchr(reply, '\n', len) - reply) + 1;
	if (reply[0] == '*' && line < len) {
		long chosen = (long)dice_roll(dice, strtoul(reply + 1, NULL, 10));
		for (; chosen > 0; chosen--)
			line += resp_len(reply + line, len - line);
		resp_flip(dice, reply + line, resp_len(reply + line, len - line));
	} else if (reply[0] == '$' && line + 2 < len) {
		reply[line + dice_roll(dice, len - 2 - line)] ^= (char)(1 << dice_roll(dice, 8));
	} else if (reply[0] == ':') {
		reply[line - 3] = (char)('0' + dice_roll(dice, 10));
	}
}
