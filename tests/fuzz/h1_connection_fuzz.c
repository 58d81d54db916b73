/* SPDX-License-Identifier: MIT */
/*
 * A whole connection of HTTP/1.1: what a client sends, in pieces of any size, is given to a server, and every request
 * that reaches the application must be one that a strict second reader finds in the same bytes, in the same order, with
 * the same body; where that reader stops, no further request may come. Else a proxy in front, which reads strictly,
 * would see other requests than we do (request smuggling).
 */
#include "tests/fuzz/connection.h"
#include "tests/fuzz/h1_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SIZE_MOST = 8192, TURNS = 4 };

/* The next request of the text. False: there is no whole one. *ends: the connection ends behind it. */
static bool read_request(struct cursor *c, struct fuzz_request *request, bool *ends)
{
	static char body[SIZE_MOST];
	struct meaning meaning = {.hosts = 0};
	size_t len = 0;
	whole_head(c, &meaning);
	if (c->failed || meaning.odd_expectation)
		return false;
	if (meaning.codings > 0) {
		chunked(c, body, &len);
	} else if (meaning.length > (size_t)(c->end - c->at)) {
		return false;
	} else {
		len = meaning.length;
		memcpy(body, c->at, len);
		c->at += len;
	}
	struct span target = meaning.target;
	const char *mark = memchr(target.at, '?', target.len);
	if (mark != NULL)
		target.len = (size_t)(mark - target.at);
	*request =
	    (struct fuzz_request){ERROR_NONE, meaning.method.len, target.len, len,
				  fuzz_hash(fuzz_hash(fuzz_hash(0, meaning.method), target), (struct span){body, len})};
	*ends = meaning.close || (meaning.minor == 0 && !meaning.keep_alive);
	return !c->failed;
}

/* Reads and drops what the server says. False: it has closed. */
static bool drain(const struct fuzz_server *fuzz)
{
	char bytes[65536];
	ssize_t got;
	while ((got = recv(fuzz->fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		continue;
	return got < 0 && errno == EAGAIN;
}

static void play(struct fuzz_server *fuzz, const char *text, size_t size, size_t step)
{
	bool open = true;
	for (size_t at = 0; at < size && open; at += step) {
		size_t part = size - at < step ? size - at : step;
		open = fuzz_send(fuzz, text + at, part);
		for (int i = 0; i < TURNS && open; i++) {
			fuzz_turn(fuzz);
			open = drain(fuzz);
		}
	}
	for (size_t seen = fuzz->count + 1; open && seen != fuzz->count;) { /* those that were sent ahead */
		seen = fuzz->count;
		for (int i = 0; i < TURNS * 2 && open; i++) {
			fuzz_turn(fuzz);
			open = drain(fuzz);
		}
	}
}

/* Returns whether the application refused the last request before its body came, all of it or any. */
static bool is_refused_early(const struct fuzz_server *fuzz, size_t at)
{
	const struct fuzz_request *request = &fuzz->requests[at];
	return request->target == sizeof(fuzz_refused) - 1 && request->body == 0 && at + 1 == fuzz->count;
}

static void compare(const struct fuzz_server *fuzz, const char *text, size_t size)
{
	struct cursor cursor = {(const unsigned char *)text, (const unsigned char *)text + size, false};
	bool ends = false, absolute = memmem(text, size, "://", 3) != NULL; /* such a target is more than a path */
	size_t at = 0;
	for (; at < fuzz->count && fuzz->requests[at].error == ERROR_NONE; at++) {
		struct fuzz_request want;
		assert(!ends); /* a request behind the end of the connection */
		if (is_refused_early(fuzz, at)) {
			struct meaning meaning = {.hosts = 0};
			whole_head(&cursor, &meaning);
			assert(!cursor.failed && meaning.target.len >= sizeof(fuzz_refused) - 1);
			return;
		}
		bool found = read_request(&cursor, &want, &ends);
		assert(found);
		assert(want.method == fuzz->requests[at].method && want.body == fuzz->requests[at].body);
		assert(absolute || want.hash == fuzz->requests[at].hash);
	}
	assert(at + 1 >= fuzz->count); /* nothing follows a refusal */
	if (at < fuzz->count && fuzz->requests[at].error != ERROR_HEADERS_TOO_LARGE) {
		struct fuzz_request want;
		bool other = false;
		assert(ends || !read_request(&cursor, &want, &other)); /* what is refused is no request */
	}
}

/* The path is told by its second byte what the application does; some never answer, and hold up what follows. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2 || size > SIZE_MOST || memcmp(data + 1, "PRI", size < 4 ? size - 1 : 3) == 0)
		return 0;
	struct fuzz_server *fuzz = fuzz_server();
	size_t step = data[0] == 0 ? size : (size_t)data[0] * data[0];
	char *text = malloc(size);
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	fuzz_open(fuzz);
	play(fuzz, text, size - 1, step);
	compare(fuzz, text, size - 1);
	fuzz_close(fuzz);
	free(text);
	return 0;
}
