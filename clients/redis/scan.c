/* SPDX-License-Identifier: MIT */
/*
 * Scans: one SCAN at a time, master after master, each sent when the keys of the
 * one before were taken. It shares the connection of the commands and is as slow
 * as they make it.
 */
#include <stdlib.h>

#include "clients/redis/client.h"
#include "lib/container.h"

enum { SCAN_PATIENCE_US = 5 * 1000 * 1000, SCAN_MASTERS_MAX = 1024 };

struct redis_scan_run {
	LIST_ENTRY(redis_scan_run) link;
	struct redis *redis;
	struct redis_scan *scan; /* NULL = cancelled */
	struct redis_command command;
	struct redis_link **masters;
	size_t count, at;
	bool complete;
	bool busy; /* in a callback: it is freed there */
	char cursor[24];
	size_t pattern_len;
	char pattern[];
};

static void run_free(struct redis_scan_run *run)
{
	redis_cancel(&run->command);
	LIST_REMOVE(run, link);
	free(run->masters);
	free(run);
}

/* Is it still there, and what it was? */
static bool is_of(struct redis *redis, const struct redis_link *link)
{
	const struct redis_link *at;
	LIST_FOREACH(at, &redis->links, link)
	if (at == link)
		return !at->retired && redis_link_is_ready(at);
	return false;
}

static bool ask(struct redis_scan_run *run)
{
	const struct span args[] = {SPAN("SCAN"),  span_of(run->cursor),
				    SPAN("MATCH"), {run->pattern, run->pattern_len},
				    SPAN("COUNT"), SPAN("200")};
	struct redis_link *link = run->masters[run->at];
	return is_of(run->redis, link) && redis_send_on(link, &run->command, args, sizeof(args) / sizeof(args[0]),
							redis_now(run->redis) + SCAN_PATIENCE_US);
}

/* Asks the master at hand, or the next one that can be asked. False: there is none left. */
static bool go_on(struct redis_scan_run *run)
{
	for (; run->at < run->count; run->at++) {
		if (ask(run))
			return true;
		run->complete = false;
		memcpy(run->cursor, "0", 2);
	}
	return false;
}

static void end(struct redis_scan_run *run)
{
	struct redis_scan *scan = run->scan;
	bool complete = run->complete;
	run_free(run);
	scan->run = NULL;
	scan->on_end(scan, complete);
}

/* The keys of an answer as spans; NULL when out of memory or when they are none. */
static struct span *keys_of(const struct redis_reply *keys)
{
	struct span *spans = calloc(keys->count + 1, sizeof(*spans));
	for (size_t i = 0; spans != NULL && i < keys->count; i++)
		spans[i] = keys->elements[i].text;
	return spans;
}

/* False: the answer is none, or it was cancelled meanwhile. */
static bool take_keys(struct redis_scan_run *run, const struct redis_reply *reply)
{
	if (reply->kind != REDIS_ARRAY || reply->count != 2 || reply->elements[0].kind != REDIS_BYTES ||
	    reply->elements[1].kind != REDIS_ARRAY || reply->elements[0].text.len >= sizeof(run->cursor))
		return false;
	const struct redis_reply *keys = &reply->elements[1];
	struct span *spans = keys->count == 0 ? NULL : keys_of(keys);
	if (keys->count != 0 && spans == NULL)
		return false;
	snprintf(run->cursor, sizeof(run->cursor), "%.*s", SPAN_ARG(reply->elements[0].text));
	run->busy = true;
	if (keys->count != 0)
		run->scan->on_keys(run->scan, spans, keys->count);
	run->busy = false;
	free(spans);
	return true;
}

static void on_reply(struct redis_command *command, const struct redis_reply *reply)
{
	struct redis_scan_run *run = container_of(command, struct redis_scan_run, command);
	bool taken = take_keys(run, reply);
	if (run->scan == NULL) {
		run_free(run);
		return;
	}
	if (!taken)
		run->complete = false;
	if (!taken || strcmp(run->cursor, "0") == 0) {
		memcpy(run->cursor, "0", 2);
		run->at++;
	}
	if (!go_on(run))
		end(run);
}

bool redis_scan_start(struct redis *redis, struct redis_scan *scan, struct span pattern)
{
	struct redis_scan_run *run = calloc(1, sizeof(*run) + pattern.len + 1);
	if (run == NULL)
		return false;
	*run = (struct redis_scan_run){.redis = redis,
				       .scan = scan,
				       .command = {.on_reply = on_reply},
				       .complete = true,
				       .cursor = "0",
				       .pattern_len = pattern.len};
	memcpy(run->pattern, pattern.at, pattern.len);
	LIST_INSERT_HEAD(&redis->scans, run, link);
	run->masters = calloc(SCAN_MASTERS_MAX, sizeof(struct redis_link *));
	if (run->masters != NULL)
		run->count = redis->mode->masters(redis, run->masters, SCAN_MASTERS_MAX);
	if (!go_on(run)) {
		run_free(run);
		return false;
	}
	scan->run = run;
	return true;
}

void redis_scan_cancel(struct redis_scan *scan)
{
	struct redis_scan_run *run = scan->run;
	if (run == NULL)
		return;
	scan->run = NULL;
	run->scan = NULL;
	if (!run->busy)
		run_free(run);
}

void redis_scans_stop(struct redis *redis)
{
	struct redis_scan_run *run;
	while ((run = LIST_FIRST(&redis->scans)) != NULL) {
		run->scan->run = NULL; /* NOLINT(clang-analyzer-unix.Malloc): what was freed unlinked itself */
		run_free(run);
	}
}
