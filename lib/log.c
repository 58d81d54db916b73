/* SPDX-License-Identifier: MIT */
/*
 * Building and writing log lines; log.h holds the contract.
 *
 * Not to wait on a descriptor that is shared with other processes takes care:
 * O_NONBLOCK belongs to the open file, not to us. A pipe or terminal is opened
 * again for ourselves, a socket is sent to with MSG_DONTWAIT, and a file on
 * disk never waits for a reader.
 */
#include "lib/log.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/api_key.h"
#include "lib/decimal.h"
#include "lib/json_write.h"

enum log_sink {
	LOG_SINK_PLAIN,  /* write() does not wait */
	LOG_SINK_POLL,   /* write() may wait: ask first */
	LOG_SINK_SOCKET, /* send() */
};

static const char *const level_names[] = {"debug", "info", "warn", "error"};
static const char line_end[] = ",\"truncated\":true}\n";

atomic_int log_least = LOG_INFO;

static int sink_fd = STDERR_FILENO;
static int sink_own_fd = -1; /* our own opening of the same pipe or terminal */
static enum log_sink sink_kind = LOG_SINK_POLL;
static atomic_uint_fast64_t dropped;

/* The same file, opened again without waiting; -1 when the system refuses. */
static int open_again(int fd)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

void log_setup(int fd, enum log_level least)
{
	struct stat status;
	log_teardown();
	log_set_level(least);
	sink_fd = fd;
	if (fstat(fd, &status) != 0)
		return;
	if (S_ISSOCK(status.st_mode)) {
		sink_kind = LOG_SINK_SOCKET;
	} else if (S_ISREG(status.st_mode)) {
		sink_kind = LOG_SINK_PLAIN;
	} else if ((sink_own_fd = open_again(fd)) >= 0) {
		sink_fd = sink_own_fd;
		sink_kind = LOG_SINK_PLAIN;
	}
}

void log_teardown(void)
{
	if (sink_own_fd >= 0)
		close(sink_own_fd);
	sink_own_fd = -1;
	sink_fd = STDERR_FILENO;
	sink_kind = LOG_SINK_POLL;
}

void log_set_level(enum log_level least)
{
	atomic_store_explicit(&log_least, (int)least, memory_order_relaxed);
}

bool log_level_parse(const char *name, enum log_level *level)
{
	for (int i = LOG_DEBUG; i <= LOG_ERROR; i++) {
		if (strcmp(name, level_names[i]) != 0)
			continue;
		*level = (enum log_level)i;
		return true;
	}
	return false;
}

uint64_t log_dropped(void)
{
	return atomic_load_explicit(&dropped, memory_order_relaxed);
}

static bool write_line(struct span line)
{
	ssize_t written = -1;
	struct pollfd ready = {.fd = sink_fd, .events = POLLOUT};
	if (sink_kind == LOG_SINK_POLL && (poll(&ready, 1, 0) != 1 || (ready.revents & POLLOUT) == 0))
		return false;
	do {
		if (sink_kind == LOG_SINK_SOCKET)
			written = send(sink_fd, line.at, line.len, MSG_DONTWAIT | MSG_NOSIGNAL);
		else
			written = write(sink_fd, line.at, line.len);
	} while (written < 0 && errno == EINTR);
	return written == (ssize_t)line.len;
}

/* "2026-01-01T00:00:00.000Z"; all but the milliseconds stays for a second. */
static void write_time(struct buf *text)
{
	static _Thread_local char shown[sizeof("2026-01-01T00:00:00.")];
	static _Thread_local time_t second = -1;
	char milliseconds[] = "000Z";
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	if (now.tv_sec != second) {
		struct tm utc;
		gmtime_r(&now.tv_sec, &utc);
		strftime(shown, sizeof(shown), "%Y-%m-%dT%H:%M:%S.", &utc);
		second = now.tv_sec;
	}
	decimal_fixed(milliseconds, 3, (uint64_t)now.tv_nsec / 1000000);
	buf_append(text, (struct span){shown, sizeof(shown) - 1});
	buf_append(text, (struct span){milliseconds, sizeof(milliseconds) - 1});
}

void log_open(struct log_line *line, enum log_level level, const char *message)
{
	line->cut = false;
	buf_init_over(&line->text, line->bytes, LOG_LINE_MAX - sizeof(line_end));
	buf_append(&line->text, SPAN("{\"ts\":\""));
	write_time(&line->text);
	buf_append(&line->text, SPAN("\",\"level\":\""));
	buf_append(&line->text, span_of(level_names[level]));
	buf_append(&line->text, SPAN("\""));
	log_str(line, "msg", span_of(message));
}

/* Ends a field that began at start; takes it back when it did not fit. */
static void end_field(struct log_line *line, size_t start)
{
	if (!buf_failed(&line->text))
		return;
	line->text.failed = false;
	line->text.end = start;
	line->cut = true;
}

enum { LOG_TOKEN_LEAST = 90 /* characters of a token: its signature alone has 86 */ };

/* At most LOG_STRING_MAX bytes of text, no character in halves. */
static struct span cut_string(struct span text)
{
	if (text.len <= LOG_STRING_MAX)
		return text;
	text.len = LOG_STRING_MAX;
	for (int i = 0; i < 3 && ((unsigned char)text.at[text.len] & 0xc0) == 0x80; i++)
		text.len--;
	return text;
}

/* The comma and the key. */
static void begin_field(struct log_line *line, const char *key)
{
	buf_append(&line->text, SPAN(",\""));
	buf_append(&line->text, span_of(key));
	buf_append(&line->text, SPAN("\":"));
}

/* Masks the secret of every key of ours in a string, wherever a client wrote it. Its id stays. */
static void mask_keys(struct span text)
{
	char *at = (char *)text.at;
	const char *end = at + text.len;
	while ((at = memmem(at, (size_t)(end - at), API_KEY_PREFIX, sizeof(API_KEY_PREFIX) - 1)) != NULL) {
		at += sizeof(API_KEY_PREFIX) - 1;
		for (size_t i = 0; at < end && isalnum((unsigned char)*at); i++, at++)
			if (i >= API_KEY_ID)
				*at = '*';
	}
}

/* Masks all but the header of every JSON Web Token in a string. */
static void mask_tokens(struct span text)
{
	static const char start[] = "eyJ"; /* "{\"" in base64 */
	char *at = (char *)text.at;
	const char *end = at + text.len;
	while ((at = memmem(at, (size_t)(end - at), start, sizeof(start) - 1)) != NULL) {
		bool masks = false;
		for (; at < end && (isalnum((unsigned char)*at) || *at == '-' || *at == '_' || *at == '.'); at++) {
			if (*at == '.')
				masks = true;
			else if (masks)
				*at = '*';
		}
	}
}

void log_str(struct log_line *line, const char *key, struct span value)
{
	if (!line->on)
		return;
	size_t start = line->text.end;
	struct span shown = cut_string(value);
	begin_field(line, key);
	json_write_string_or_null(&line->text, shown);
	if (shown.len >= sizeof(API_KEY_PREFIX) + API_KEY_ID && !buf_failed(&line->text)) /* else it has no secret */
		mask_keys((struct span){line->bytes + start, line->text.end - start});
	if (shown.len >= LOG_TOKEN_LEAST && !buf_failed(&line->text))
		mask_tokens((struct span){line->bytes + start, line->text.end - start});
	if (shown.len < value.len && !buf_failed(&line->text)) {
		line->text.end--; /* the quote */
		buf_append(&line->text, SPAN("…\""));
		line->cut = true;
	}
	end_field(line, start);
}

void log_int(struct log_line *line, const char *key, int64_t value)
{
	if (!line->on)
		return;
	size_t start = line->text.end;
	begin_field(line, key);
	decimal_append_signed(&line->text, value);
	end_field(line, start);
}

void log_bool(struct log_line *line, const char *key, bool value)
{
	if (!line->on)
		return;
	size_t start = line->text.end;
	begin_field(line, key);
	buf_append(&line->text, value ? SPAN("true") : SPAN("false"));
	end_field(line, start);
}

void log_ms(struct log_line *line, const char *key, uint64_t microseconds)
{
	if (!line->on)
		return;
	size_t start = line->text.end;
	char decimals[] = ".000";
	begin_field(line, key);
	decimal_append(&line->text, microseconds / 1000);
	decimal_fixed(decimals + 1, 3, microseconds);
	buf_append(&line->text, (struct span){decimals, sizeof(decimals) - 1});
	end_field(line, start);
}

void log_end(struct log_line *line)
{
	if (!line->on)
		return;
	line->on = false;
	line->text.capacity = line->text.ceiling = LOG_LINE_MAX; /* the room kept free for this */
	buf_append(&line->text, line->cut ? SPAN(line_end) : SPAN("}\n"));
	assert(!buf_failed(&line->text));
	if (!write_line(buf_span(&line->text)))
		atomic_fetch_add_explicit(&dropped, 1, memory_order_relaxed);
}
