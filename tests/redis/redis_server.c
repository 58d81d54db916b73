/* SPDX-License-Identifier: MIT */
#include "tests/redis/redis_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_MS = 120000, STEP_US = 5000 };

static void give_up(const char *what)
{
	fprintf(stderr, "tests/redis: %s\n", what);
	abort();
}

static bool is_free(int port)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_port = htons((unsigned short)port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool bound = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
	close(fd);
	return bound;
}

/* Both below what the kernel gives to connections: nothing takes them before the server does. */
int redis_free_port(void)
{
	enum { FIRST = 10000, COUNT = 12000, BUS = 10000 };
	for (int i = 0; i < COUNT; i++) {
		unsigned short dice;
		if (getrandom(&dice, sizeof(dice), 0) != (ssize_t)sizeof(dice))
			break;
		int port = FIRST + dice % COUNT;
		if (is_free(port) && is_free(port + BUS))
			return port;
	}
	give_up("no port");
	return 0;
}

static void write_configuration(const struct redis_process *process)
{
	char path[128];
	snprintf(path, sizeof(path), "%s/redis.conf", process->directory);
	if (process->sentinel && access(path, F_OK) == 0)
		return; /* it keeps what it knows in there */
	FILE *file = fopen(path, "we");
	if (file == NULL)
		give_up("no configuration file");
	fprintf(file, "port %d\nbind 127.0.0.1\ndir %s\nlogfile %s/log\nunixsocket %s\n", process->port,
		process->directory, process->directory, process->socket);
	if (!process->sentinel)
		fputs("save \"\"\nappendonly no\nrepl-diskless-sync-delay 0\n", file);
	fputs(process->options, file);
	fclose(file);
}

static void spawn(struct redis_process *process)
{
	char path[128];
	snprintf(path, sizeof(path), "%s/redis.conf", process->directory);
	pid_t parent = getpid();
	process->pid = fork();
	if (process->pid < 0)
		give_up("fork");
	if (process->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		const char *program = process->sentinel ? "redis-sentinel" : "redis-server";
		execlp(program, program, path, (char *)NULL);
		_exit(127);
	}
}

/* False: it ended, most likely because its port was taken. */
static bool await_answer(struct redis_process *process)
{
	for (int waited = 0; waited < PATIENCE_MS * 1000; waited += STEP_US) {
		if (redis_process_say(process, "PING")[0] != '\0')
			return true;
		if (waitpid(process->pid, NULL, WNOHANG) == process->pid)
			return false;
		usleep(STEP_US);
	}
	give_up("redis-server does not answer");
	return false;
}

static struct redis_process *start(const char *options, bool sentinel)
{
	struct redis_process *process = calloc(1, sizeof(*process));
	if (process == NULL)
		give_up("out of memory");
	process->sentinel = sentinel;
	snprintf(process->directory, sizeof(process->directory), "/tmp/sluice-redis-XXXXXX");
	if (mkdtemp(process->directory) == NULL)
		give_up("no directory");
	snprintf(process->socket, sizeof(process->socket), "%s/socket", process->directory);
	snprintf(process->options, sizeof(process->options), "%s", options);
	for (int attempt = 0; attempt < 5; attempt++) {
		char path[128];
		snprintf(path, sizeof(path), "%s/redis.conf", process->directory);
		unlink(path);
		process->port = redis_free_port();
		write_configuration(process);
		spawn(process);
		if (await_answer(process))
			return process;
	}
	give_up("redis-server ends; is it installed?");
	return NULL;
}

struct redis_process *redis_process_start(const char *options)
{
	return start(options, false);
}

struct redis_process *redis_process_start_sentinel(const char *options)
{
	return start(options, true);
}

void redis_process_restart(struct redis_process *process)
{
	write_configuration(process);
	spawn(process);
	if (!await_answer(process))
		give_up("redis-server ends when it is started again");
}

void redis_process_signal(struct redis_process *process, int signal)
{
	if (process->pid == 0)
		return;
	kill(process->pid, signal);
	if (signal == SIGKILL || signal == SIGTERM) {
		waitpid(process->pid, NULL, 0);
		process->pid = 0;
	}
}

void redis_process_stop(struct redis_process *process)
{
	static const char *const files[] = {"redis.conf",     "log",          "socket", "nodes.conf", "dump.rdb",
					    "appendonly.aof", "sentinel.conf"};
	char path[128];
	if (process == NULL)
		return;
	redis_process_signal(process, SIGKILL);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", process->directory, files[i]);
		unlink(path);
	}
	rmdir(process->directory);
	free(process);
}

/* True when the answer in text is complete: enough for what tests ask. */
static bool is_complete(const char *text, size_t len)
{
	if (len < 3 || strchr(text, '\n') == NULL)
		return false;
	if (text[0] == '$') {
		long size = strtol(text + 1, NULL, 10);
		size_t head = (size_t)(strchr(text, '\n') - text) + 1;
		return size < 0 || len >= head + (size_t)size + 2;
	}
	if (text[0] == '*') {
		long count = strtol(text + 1, NULL, 10);
		const char *at = strchr(text, '\n') + 1;
		for (; count > 0; count--) {
			size_t left = len - (size_t)(at - text);
			if (left == 0 || !is_complete(at, left) || at[0] == '*')
				return at[0] == '*'; /* nested: whatever has come */
			const char *end = strchr(at, '\n') + 1;
			at = at[0] == '$' && at[1] != '-' ? end + strtol(at + 1, NULL, 10) + 2 : end;
		}
	}
	return true;
}

const char *redis_process_say(struct redis_process *process, const char *format, ...)
{
	char command[4096] = "";
	va_list list;
	size_t front = 0; /* bytes of the answer to AUTH that are not there yet */
	if (process->password[0] != '\0') {
		snprintf(command, sizeof(command), "AUTH %s\r\n", process->password);
		front = strlen("+OK\r\n");
	}
	size_t used = strlen(command);
	va_start(list, format);
	vsnprintf(command + used, sizeof(command) - used - 2, format, list);
	va_end(list);
	strcat(command, "\r\n");
	process->text[0] = '\0';
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr = {htonl(INADDR_LOOPBACK)},
				      .sin_port = htons((unsigned short)process->port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
	    send(fd, command, strlen(command), MSG_NOSIGNAL) < 0) {
		close(fd);
		return process->text;
	}
	size_t len = 0;
	while (len < sizeof(process->text) - 1 && !is_complete(process->text, len)) {
		struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
		ssize_t got = poll(&poll_fd, 1, PATIENCE_MS) == 1
				  ? recv(fd, process->text + len, sizeof(process->text) - 1 - len, 0)
				  : -1;
		if (got <= 0)
			break;
		len += (size_t)got;
		size_t drop = front < len ? front : len;
		memmove(process->text, process->text + drop, len - drop);
		front -= drop;
		len -= drop;
		process->text[len] = '\0';
	}
	close(fd);
	return process->text;
}

void redis_process_await(struct redis_process *process, const char *command, const char *text)
{
	for (int waited = 0; waited < PATIENCE_MS * 1000; waited += STEP_US) {
		if (strstr(redis_process_say(process, "%s", command), text) != NULL)
			return;
		usleep(STEP_US);
	}
	fprintf(stderr, "tests/redis: \"%s\" never said \"%s\" but \"%s\"\n", command, text, process->text);
	abort();
}

void redis_cluster_start(struct redis_process **nodes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		nodes[i] = redis_process_start("cluster-enabled yes\ncluster-node-timeout 3000\n");
		size_t first = 16384 * i / count;
		size_t last = 16384 * (i + 1) / count - 1;
		redis_process_say(nodes[i], "CLUSTER ADDSLOTSRANGE %zu %zu", first, last);
		redis_process_say(nodes[i], "CLUSTER SET-CONFIG-EPOCH %zu", i + 1);
	}
	for (size_t i = 1; i < count; i++)
		redis_process_say(nodes[i], "CLUSTER MEET 127.0.0.1 %d", nodes[0]->port);
	for (size_t i = 0; i < count; i++)
		redis_process_await(nodes[i], "CLUSTER INFO", "cluster_state:ok");
}
