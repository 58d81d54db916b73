/* SPDX-License-Identifier: MIT */
/*
 * Structured logs: one JSON object per line on stderr.
 *
 *   struct log_line line;
 *   log_begin(&line, LOG_INFO, "listening");
 *   log_str(&line, "address", SPAN("127.0.0.1:8080"));
 *   log_end(&line);
 *
 *   {"ts":"2026-01-01T00:00:00.000Z","level":"info","msg":"listening","address":"127.0.0.1:8080"}
 *
 * A line lives on its caller's stack and is written by a single call that does
 * not wait: when it cannot be written at once it is dropped and counted. All
 * functions may be used by any thread. SIGPIPE must be ignored by the process.
 * Never log a secret, a request body or a piece of one.
 */
#ifndef SLUICE_LIB_LOG_H
#define SLUICE_LIB_LOG_H

#include <stdatomic.h>
#include <stdint.h>

#include "lib/buf.h"

/* The names are those of <syslog.h>, which must not be included with this. */
enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

enum {
	LOG_LINE_MAX = 4096,  /* bytes of a line with its end; a pipe takes as many in one piece */
	LOG_STRING_MAX = 1024 /* bytes of a string before it is cut, with … at its end */
};

struct log_line {
	struct buf text; /* over bytes; never allocates */
	bool on;         /* the level is written */
	bool cut;        /* something did not fit: "truncated":true ends the line */
	char bytes[LOG_LINE_MAX];
};

/* Without it: standard error from LOG_INFO on. fd: borrows, until log_teardown(). Called before threads start. */
void log_setup(int fd, enum log_level least);
/* Back to standard error. */
void log_teardown(void);

/* Changes the least important level that is written, at any time. */
void log_set_level(enum log_level least);
/* "debug", "info", "warn", "error". False, and *level untouched, when it is none of them. */
bool log_level_parse(const char *name, enum log_level *level);

/* Lines that could not be written since the start. */
uint64_t log_dropped(void);

extern atomic_int log_least; /* log.c's; read through log_is_on() */

static inline bool log_is_on(enum log_level level)
{
	return (int)level >= atomic_load_explicit(&log_least, memory_order_relaxed);
}

/* Starts a line that is written. Use log_begin(). */
void log_open(struct log_line *line, enum log_level level, const char *message);

/*
 * Starts a line; with a level that is not written all that follows does nothing.
 * message: a constant phrase; what varies goes into fields.
 */
static inline void log_begin(struct log_line *line, enum log_level level, const char *message)
{
	line->on = log_is_on(level);
	if (line->on)
		log_open(line, level, message);
}

/* Fields. key: a constant of letters, digits and underscores. A field that does not fit is left out. */
void log_str(struct log_line *line, const char *key, struct span value); /* value.at NULL: null */
void log_int(struct log_line *line, const char *key, int64_t value);
void log_bool(struct log_line *line, const char *key, bool value);
/* A time in milliseconds with three decimals; the key should end in _ms. */
void log_ms(struct log_line *line, const char *key, uint64_t microseconds);

/* Writes the line. Exactly once after log_begin(). */
void log_end(struct log_line *line);

#endif
