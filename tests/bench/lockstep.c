/* SPDX-License-Identifier: MIT */
/*
 * Callgrind writes what it counted, and begins anew, whenever a function is
 * entered that only GET /livez calls: such a request is the marker between
 * phases. Whether the gateway sleeps is read from /proc: a wake-up shows there
 * before the write that caused it returns.
 */
#include "tests/bench/lockstep.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/scenario.h"

#define VALGRIND "/usr/bin/valgrind"

static int listen_somewhere(int *port)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t size = sizeof address;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	*port = ntohs(address.sin_port);
	return fd;
}

#define TIMEOUTS "{ connect: 60s, first_content: 600s, idle: 600s }"

/* The backend is several, one of each dialect. */
static void write_config(const char *path, int backend_port, const char *more)
{
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fprintf(file,
		"listen: ['127.0.0.1:0']\nadmin: off\nhosts: '*'\nworkers: 1\nbackends:\n  b: { url: "
		"'http://127.0.0.1:%d/v1', timeouts: " TIMEOUTS
		" }\n  a: { url: 'http://127.0.0.1:%d/v1', dialect: anthropic, timeouts: " TIMEOUTS
		" }\n  r: { url: 'http://127.0.0.1:%d/v1', dialect: responses, timeouts: " TIMEOUTS
		" }\nmodels:\n  demo: b/river-1\n  claude: a/claude-1\n  reply: r/reply-1\n%s",
		backend_port, backend_port, backend_port, more);
	fclose(file);
}

static bool it_listens(const struct bytes *log, void *user)
{
	struct lockstep *lockstep = user;
	const char *line = strstr(bytes_text(log), "\"msg\":\"listening\"");
	const char *address = line == NULL ? NULL : strstr(line, "127.0.0.1:");
	if (address == NULL)
		return false;
	lockstep->port = atoi(strchr(address, ':') + 1);
	return true;
}

void lockstep_start(struct lockstep *lockstep, const char *directory, const char *more)
{
	char config[128];
	char profile[256];
	int backend_port;
	*lockstep = (struct lockstep){.backend = -1, .directory = directory};
	lockstep->listener = listen_somewhere(&backend_port);
	snprintf(config, sizeof config, "%s/sluice.yaml", scenario_directory());
	write_config(config, backend_port, more);
	mkdir(directory, 0777);
	snprintf(profile, sizeof profile, "--callgrind-out-file=%s/profile", directory);
	const char *const command[] = {VALGRIND,
				       "-q",
				       "--tool=callgrind",
				       profile,
				       "--dump-before=admin_livez",
				       scenario_program("SLUICE_BIN", "build/sluice"),
				       "--config",
				       config,
				       NULL};
	lockstep->proc = proc_start("sluice", command, NULL);
	proc_wait_output(lockstep->proc, PROC_STDERR, it_listens, lockstep);
	h1_open(&lockstep->marker, lockstep->port, false);
	/* nothing between the second and the third marker: what is counted there is their own cost */
	lockstep_count(lockstep);
	lockstep_count(lockstep);
	lockstep->marker_cost = lockstep_counted(lockstep);
}

/*
 * Reads /proc/PID/task/TID/status. Returns whether the thread sleeps, and adds how often it was given a processor to
 * `runs`.
 */
static bool task_sleeps(const char *tasks, const char *id, unsigned long *runs)
{
	char path[384];
	char text[4096];
	snprintf(path, sizeof path, "%s/%s/status", tasks, id);
	FILE *file = fopen(path, "r");
	if (file == NULL)
		return true; /* it has ended */
	size_t len = fread(text, 1, sizeof text - 1, file);
	fclose(file);
	text[len] = '\0';
	const char *state = strstr(text, "\nState:\t");
	const char *gave_up = strstr(text, "\nvoluntary_ctxt_switches:");
	const char *lost = strstr(text, "\nnonvoluntary_ctxt_switches:");
	if (state == NULL || gave_up == NULL || lost == NULL)
		return true; /* it is ending */
	*runs += strtoul(gave_up + 25, NULL, 10) + strtoul(lost + 28, NULL, 10);
	return state[8] == 'S';
}

static bool all_sleep(const struct lockstep *lockstep, unsigned long *runs)
{
	char path[64];
	bool sleep = true;
	*runs = 0;
	snprintf(path, sizeof path, "/proc/%d/task", (int)lockstep->proc->pid);
	DIR *tasks = opendir(path);
	assert_non_null(tasks);
	for (struct dirent *entry; sleep && (entry = readdir(tasks)) != NULL;)
		sleep = entry->d_name[0] == '.' || task_sleeps(path, entry->d_name, runs);
	closedir(tasks);
	return sleep;
}

/*
 * Threads take turns under Valgrind: one may fall asleep while another, seen asleep a moment before, goes on. So two
 * looks must find all of them asleep, and none may have run in between.
 */
static bool at_rest(const struct lockstep *lockstep)
{
	unsigned long before;
	unsigned long after;
	return all_sleep(lockstep, &before) && all_sleep(lockstep, &after) && before == after;
}

void lockstep_settle(struct lockstep *lockstep)
{
	uint64_t until_us = clock_us() + (uint64_t)HANG_GUARD_MS * 1000;
	while (!at_rest(lockstep)) {
		if (clock_us() > until_us)
			fail_msg("the gateway does not come to rest");
		usleep(50);
	}
}

static bool readable(int fd, int timeout_ms)
{
	struct pollfd want = {.fd = fd, .events = POLLIN};
	return poll(&want, 1, timeout_ms) > 0;
}

static void accept_gateway(struct lockstep *lockstep)
{
	int on = 1;
	if (!readable(lockstep->listener, HANG_GUARD_MS))
		fail_msg("the gateway does not connect");
	if (lockstep->backend >= 0)
		close(lockstep->backend);
	lockstep->backend = accept4(lockstep->listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(lockstep->backend >= 0);
	setsockopt(lockstep->backend, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

/* True when the head and as many bytes as it says are there. */
static bool request_whole(const struct bytes *request)
{
	const char *text = bytes_text(request);
	const char *end = strstr(text, "\r\n\r\n");
	const char *length = strcasestr(text, "\r\ncontent-length:");
	if (end == NULL)
		return false;
	size_t body = length == NULL || length > end ? 0 : strtoul(length + 17, NULL, 10);
	return (size_t)(end + 4 - text) + body <= request->len;
}

/* Waits until the gateway sends to the backend, or connects to it anew. */
static void wait_for_gateway(struct lockstep *lockstep)
{
	struct pollfd want[] = {
	    {.fd = lockstep->listener, .events = POLLIN},
	    {.fd = lockstep->backend, .events = POLLIN}, /* poll skips -1 */
	};
	if (poll(want, 2, HANG_GUARD_MS) <= 0)
		fail_msg("no request at the backend");
	if (want[1].revents == 0)
		accept_gateway(lockstep);
}

void lockstep_backend_read(struct lockstep *lockstep)
{
	static char block[1 << 20];
	bytes_free(&lockstep->request);
	while (!request_whole(&lockstep->request)) {
		lockstep_settle(lockstep);
		wait_for_gateway(lockstep);
		if (!readable(lockstep->backend, 0))
			continue; /* connected, nothing sent yet */
		ssize_t got = recv(lockstep->backend, block, sizeof block, 0);
		if (got <= 0)
			accept_gateway(lockstep);
		else
			bytes_append(&lockstep->request, block, (size_t)got);
	}
	lockstep_settle(lockstep);
}

void lockstep_backend_write(struct lockstep *lockstep, const char *bytes, size_t len)
{
	assert_int_equal(send(lockstep->backend, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
	lockstep_settle(lockstep);
}

void lockstep_count(struct lockstep *lockstep)
{
	lockstep_settle(lockstep);
	h1_get(&lockstep->marker, "/livez");
	h1_wait_end(&lockstep->marker);
	assert_int_equal(lockstep->marker.answer.status, 200);
	h1_next(&lockstep->marker);
	lockstep_settle(lockstep);
	lockstep->dumps++;
}

static void last_profile(const struct lockstep *lockstep, char *path, size_t size)
{
	snprintf(path, size, "%s/profile.%u", lockstep->directory, lockstep->dumps);
}

uint64_t lockstep_counted(struct lockstep *lockstep)
{
	char path[256];
	struct bytes profile = {0};
	lockstep_count(lockstep);
	last_profile(lockstep, path, sizeof path);
	assert_true(bytes_read_file(&profile, path));
	const char *summary = strstr(bytes_text(&profile), "\nsummary: ");
	if (summary == NULL)
		fail_msg("%s has no summary", path);
	uint64_t count = summary == NULL ? 0 : strtoull(summary + 10, NULL, 10);
	bytes_free(&profile);
	assert_true(count >= lockstep->marker_cost);
	return count - lockstep->marker_cost;
}

void lockstep_keep(const struct lockstep *lockstep, const char *name)
{
	char path[256];
	char kept[256];
	last_profile(lockstep, path, sizeof path);
	snprintf(kept, sizeof kept, "%s/%s.callgrind", lockstep->directory, name);
	assert_int_equal(rename(path, kept), 0);
}

void lockstep_close(struct lockstep *lockstep)
{
	h1_close(&lockstep->marker);
	if (lockstep->backend >= 0)
		close(lockstep->backend);
	close(lockstep->listener);
	bytes_free(&lockstep->request);
}
