/* SPDX-License-Identifier: MIT */
/*
 * What an attack on the front door costs a neighbour: its latencies before and during each attack, and their ratio. The
 * neighbour has an address and a connection of its own and asks at fixed times, whether the answer before has come or
 * not, so that a stall counts for all who would have come meanwhile. Each attack is a process of its own, which goes on
 * until it is ended; one worker serves both.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/frames.h"
#include "tests/scenario/harness/h1.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sim.h"
#include "tests/scenario/harness/sluice.h"

enum {
	ROUNDS = 3,    /* without the attack and under it in turn, so that both see the same machine */
	SAMPLES = 100, /* of a round */
	PERIOD_US = 20000,
	SETTLE_US = 300000, /* of an attack, before its effect is measured */
	REST_US = 500000,   /* behind it */
	NEIGHBOUR = 77,     /* host of 127.0.0.0/8 */
	GOAL = 3            /* times as long at p99, of the row of HPACK */
};

struct ports {
	int clear, tls;
};

/* ---- attackers: plain sockets, which may fail ---- */

static int dial(int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct timeval patience = {.tv_sec = 1};
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
		return fd;
	close(fd);
	usleep(1000);
	return -1;
}

static bool put(int fd, const void *from, size_t len)
{
	for (size_t at = 0; at < len;) {
		ssize_t sent = send(fd, (const char *)from + at, len - at, MSG_NOSIGNAL);
		if (sent <= 0)
			return false;
		at += (size_t)sent;
	}
	return true;
}

/* Reads what is there. False: the peer has closed. */
static bool drop_input(int fd)
{
	char bytes[65536];
	ssize_t got = 1;
	while (got > 0)
		got = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
	return got != 0;
}

static int dial_h2(int port, unsigned window)
{
	const unsigned char settings[] = {0,
					  4,
					  (unsigned char)(window >> 24),
					  (unsigned char)(window >> 16),
					  (unsigned char)(window >> 8),
					  (unsigned char)window};
	struct bytes text = {0};
	int fd = dial(port);
	bytes_append(&text, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
	frame_put(&text, FRAME_SETTINGS, 0, 0, settings, sizeof settings);
	if (fd >= 0)
		put(fd, text.at, text.len);
	bytes_free(&text);
	return fd;
}

/* Sends frames for one stream after the other, so many at once, over as many connections as it takes. */
static void flood_streams(int port, unsigned window, void (*put_stream)(struct bytes *text, unsigned id))
{
	enum { AT_ONCE = 20, OF_CONNECTION = 100000 };
	for (;;) {
		int fd = dial_h2(port, window);
		bool open = fd >= 0;
		for (unsigned id = 1; open && id < OF_CONNECTION;) {
			struct bytes text = {0};
			for (int i = 0; i < AT_ONCE; i++, id += 2)
				put_stream(&text, id);
			open = put(fd, text.at, text.len) && drop_input(fd);
			bytes_free(&text);
		}
		close(fd);
	}
}

static void put_provoked(struct bytes *text, unsigned id)
{
	static const char body[] = "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}";
	frame_put_head(text, id, 0, "POST", "/v1/chat/completions", sizeof body - 1);
	frame_put(text, FRAME_DATA, FRAME_END_STREAM, id, body, sizeof body - 1);
	frame_put_window(text, id, 0x7fffffff);
}

static void provoked_resets(const struct ports *ports)
{
	flood_streams(ports->clear, 65535, put_provoked);
}

static void put_wrong_length(struct bytes *text, unsigned id)
{
	frame_put_head(text, id, 0, "POST", "/v1/chat/completions", 100);
	frame_put(text, FRAME_DATA, FRAME_END_STREAM, id, "{}", 2);
}

static void wrong_lengths(const struct ports *ports)
{
	flood_streams(ports->clear, 65535, put_wrong_length);
}

static void bodies_without_end(const struct ports *ports)
{
	static const char blanks[16384];
	for (;;) {
		int fd = dial_h2(ports->clear, 65535);
		struct bytes text = {0};
		for (unsigned id = 1; id < 512; id += 2)
			frame_put_head(&text, id, 0, "POST", "/v1/chat/completions", 4 << 20);
		bool open = fd >= 0 && put(fd, text.at, text.len);
		for (unsigned i = 0; open && i < 256 * 256; i++) {
			text.len = 0;
			frame_put(&text, FRAME_DATA, 0, 2 * (i % 256) + 1, blanks, sizeof blanks);
			open = put(fd, text.at, text.len);
		}
		bytes_free(&text);
		close(fd);
	}
}

static void put_document(struct bytes *text, unsigned id)
{
	frame_put_head(text, id, FRAME_END_STREAM, "GET", "/openapi.json", -1);
}

static void window_zero(const struct ports *ports)
{
	for (;;) {
		int fds[4];
		struct bytes text = {0};
		for (unsigned id = 1; id < 512; id += 2)
			put_document(&text, id);
		for (int i = 0; i < 4; i++) {
			fds[i] = dial_h2(ports->clear, 0);
			if (fds[i] >= 0)
				put(fds[i], text.at, text.len);
		}
		usleep(100000);
		for (int i = 0; i < 4; i++)
			close(fds[i]);
		bytes_free(&text);
	}
}

/* A field of 4,000 bytes into the table, then blocks of its index, 64 MB each. */
static void hpack_bombs(const struct ports *ports)
{
	enum { VALUE = 4000, INDICES = 16000 };
	static char value[VALUE], indices[INDICES];
	memset(value, 'v', sizeof value);
	memset(indices, 0xbe, sizeof indices);
	for (;;) {
		int fd = dial_h2(ports->clear, 65535);
		struct bytes block = {0}, text = {0};
		bytes_append(&block,
			     "\x82\x86\x84\x41\x01"
			     "a\x40\x01x\x7f\xa1\x1e",
			     12);
		bytes_append(&block, value, sizeof value);
		frame_put(&text, FRAME_HEADERS, FRAME_END_HEADERS | FRAME_END_STREAM, 1, block.at, block.len);
		bool open = fd >= 0 && put(fd, text.at, text.len);
		for (unsigned id = 3; open && id < 8192; id += 2) {
			text.len = 0;
			frame_put(&text, FRAME_HEADERS, FRAME_END_HEADERS | FRAME_END_STREAM, id, indices,
				  sizeof indices);
			open = put(fd, text.at, text.len) && drop_input(fd);
		}
		close(fd);
		bytes_free(&block);
		bytes_free(&text);
	}
}

/* Sends a text, then more of the same until the peer has had enough, again and again. */
static void repeat_text(int port, const char *text, const void *more, size_t more_len, size_t most)
{
	for (;;) {
		int fd = dial(port);
		bool open = fd >= 0 && put(fd, text, strlen(text));
		for (size_t sent = 0; open && sent < most; sent += more_len)
			open = put(fd, more, more_len) && drop_input(fd);
		close(fd);
	}
}

#define POST_HEAD "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"

static void chunk_junk(const struct ports *ports)
{
	static char extension[65536];
	memset(extension, 'x', sizeof extension);
	repeat_text(ports->clear, POST_HEAD "Transfer-Encoding: chunked\r\n\r\n1;", extension, sizeof extension,
		    50 << 20);
}

static void too_long(const struct ports *ports)
{
	static char body[65536];
	repeat_text(ports->clear, POST_HEAD "Content-Length: 1000000000\r\n\r\n", body, sizeof body, 1000000000);
}

static void large_heads(const struct ports *ports)
{
	static char fields[400 << 10];
	for (size_t at = 0; at + 8 <= sizeof fields; at += 8)
		memcpy(fields + at, "a: bcd\r\n", 8);
	repeat_text(ports->clear, "GET / HTTP/1.1\r\nHost: a\r\n", fields, sizeof fields, sizeof fields);
}

static void refused_expectations(const struct ports *ports)
{
	repeat_text(ports->clear,
		    "POST /nowhere HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n", "", 0, 0);
}

/* Plans that multiply to more attempts than a request may have, and one that is within them, at a backend that fails.
 */
static void retries_of_retries(const struct ports *ports)
{
	static const char refused[] =
	    "{\"plan\":{\"retry\":{\"retry\":\"bad\",\"attempts\":10},\"attempts\":10},\"request\":{\"messages\":"
	    "[{\"role\":\"user\",\"content\":\"x\"}]}}";
	static const char allowed[] =
	    "{\"plan\":{\"retry\":{\"retry\":\"bad\",\"attempts\":4},\"attempts\":4},\"request\":{\"messages\":"
	    "[{\"role\":\"user\",\"content\":\"x\"}]}}";
	char text[1024];
	snprintf(
	    text, sizeof text,
	    "POST /v1/fanout HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s"
	    "POST /v1/fanout HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
	    sizeof refused - 1, refused, sizeof allowed - 1, allowed);
	repeat_text(ports->clear, text, "", 0, 0);
}

/* What a page of another site, or a name that leads to this address, can have a browser send. */
static void purges_of_pages(const struct ports *ports)
{
	static const char text[] = "DELETE /admin/cache HTTP/1.1\r\nHost: a\r\nOrigin: http://evil.example\r\n\r\n"
				   "OPTIONS /admin/cache HTTP/1.1\r\nHost: a\r\nOrigin: http://evil.example\r\n"
				   "Access-Control-Request-Method: DELETE\r\n\r\n"
				   "GET /v1/models HTTP/1.1\r\nHost: evil.example\r\n\r\n";
	repeat_text(ports->clear, text, "", 0, 0);
}

/* Complete requests on more connections than there are descriptors for; start_attack() leaves few. */
static void more_than_descriptors(const struct ports *ports)
{
	enum { AT_ONCE = 300 };
	static const char text[] = "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n";
	for (;;) {
		int fds[AT_ONCE];
		for (int i = 0; i < AT_ONCE; i++) {
			fds[i] = dial(ports->clear);
			if (fds[i] >= 0)
				put(fds[i], text, sizeof text - 1);
		}
		usleep(20000);
		for (int i = 0; i < AT_ONCE; i++)
			close(fds[i]);
	}
}

static void foreign_origins(const struct ports *ports)
{
	repeat_text(ports->clear, POST_HEAD "Origin: http://evil.example\r\nContent-Length: 2\r\n\r\n{}", "", 0, 0);
}

/* So many connections, at most 1000, each a byte at a time; those that are closed are opened again. */
static void drip(const struct ports *ports, size_t count, const char *text)
{
	enum { MOST = 1000 };
	static int fds[MOST];
	size_t len = strlen(text);
	for (size_t i = 0; i < count; i++)
		fds[i] = -1;
	for (size_t at = 0;; at++) {
		for (size_t i = 0; i < count; i++) {
			if (fds[i] < 0)
				fds[i] = dial(ports->clear);
			if (fds[i] < 0 || (put(fds[i], text + at % len, 1) && drop_input(fds[i])))
				continue;
			close(fds[i]);
			fds[i] = -1;
		}
		usleep(1000);
	}
}

static void dripped_heads(const struct ports *ports)
{
	drip(ports, 500, "GET / HTTP/1.1\r\nHost: a\r\nX: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
}

/* More than limits.connections: each new one has an old one closed. */
static void half_heads(const struct ports *ports)
{
	drip(ports, 900, "GET / HT");
}

static void slow_readers(const struct ports *ports)
{
	static const char body[] =
	    "{\"model\":\"long\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}";
	char text[512];
	int len = snprintf(text, sizeof text, POST_HEAD "Content-Length: %zu\r\n\r\n%s", sizeof body - 1, body);
	for (;;) {
		int fds[200];
		for (int i = 0; i < 200; i++) {
			fds[i] = dial(ports->clear);
			if (fds[i] >= 0)
				put(fds[i], text, (size_t)len);
		}
		usleep(500000);
		for (int i = 0; i < 200; i++)
			close(fds[i]);
	}
}

static void handshakes(const struct ports *ports)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	for (;;) {
		int fd = dial(ports->tls);
		SSL *ssl = SSL_new(context);
		SSL_set_fd(ssl, fd);
		if (fd >= 0)
			SSL_connect(ssl);
		SSL_free(ssl);
		close(fd);
	}
}

static const struct attack {
	const char *name;
	void (*run)(const struct ports *ports);
	bool has_goal;
	unsigned descriptors; /* that the service may open beside those it has; 0 = as many as before */
} attacks[] = {
    {.name = "resets that the peer provokes", .run = provoked_resets},
    {.name = "256 bodies without an end", .run = bodies_without_end},
    {.name = "window 0, 256 documents on each of 4", .run = window_zero},
    {.name = "HPACK: 16 KB decode to 64 MB", .run = hpack_bombs, .has_goal = true},
    {.name = "chunk extensions without an end", .run = chunk_junk},
    {.name = "Content-Length above limits.body", .run = too_long},
    {.name = "heads one byte at a time, 500 at once", .run = dripped_heads},
    {.name = "heads of 400 KB", .run = large_heads},
    {.name = "Expect: 100-continue, refused", .run = refused_expectations},
    {.name = "half heads beyond limits.connections", .run = half_heads},
    {.name = "200 streams that nobody reads", .run = slow_readers},
    {.name = "another length than told", .run = wrong_lengths},
    {.name = "POST from a foreign origin", .run = foreign_origins},
    {.name = "DELETE and names of foreign pages", .run = purges_of_pages},
    {.name = "fan-outs of retries of retries", .run = retries_of_retries},
    {.name = "connections beyond the descriptors", .run = more_than_descriptors, .descriptors = 60},
    {.name = "TLS handshakes", .run = handshakes},
};

/* ---- the neighbour ---- */

struct latency {
	double p50_ms, p99_ms;
};

static int compare(const void *a, const void *b)
{
	double first = *(const double *)a, second = *(const double *)b;
	return (first > second) - (first < second);
}

static void ask(struct h1 *neighbour, bool chat)
{
	static const char body[] = "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}";
	if (chat)
		h1_post(neighbour, "/v1/chat/completions", "", body);
	else
		h1_get(neighbour, "/livez");
	h1_wait_end(neighbour);
}

static void meet_again(struct h1 *neighbour)
{
	int port = neighbour->wire.port;
	h1_close(neighbour);
	wire_come_from(NEIGHBOUR);
	h1_open(neighbour, port, false);
	neighbour->silent = true;
	wire_come_from(0);
}

/* Adds a round to times. chat: through the backend; else /livez. */
static void measure(struct h1 *neighbour, bool chat, double *times)
{
	uint64_t due_us = clock_us();
	for (size_t i = 0; i < SAMPLES; i++, due_us += PERIOD_US) {
		uint64_t now_us = clock_us();
		if (now_us < due_us)
			usleep((unsigned)(due_us - now_us));
		ask(neighbour, chat);
		if (neighbour->answer.status ==
		    0) { /* an idle connection yields when there are too many: it costs time */
			meet_again(neighbour);
			ask(neighbour, chat);
		}
		assert_int_equal(neighbour->answer.status, 200);
		h1_next(neighbour);
		times[i] = (double)(clock_us() - due_us) / 1000;
	}
}

static struct latency latency_of(double *times)
{
	qsort(times, ROUNDS * SAMPLES, sizeof *times, compare);
	return (struct latency){times[ROUNDS * SAMPLES / 2], times[ROUNDS * SAMPLES * 99 / 100]};
}

/* Lets the service have so many descriptors more than now; 0 = as many as at its start. */
static void limit_descriptors(const struct sluice *sluice, unsigned more)
{
	struct rlimit limit;
	struct proc_fds open = proc_fds(sluice->proc);
	assert_int_equal(prlimit(sluice->proc->pid, RLIMIT_NOFILE, NULL, &limit), 0);
	limit.rlim_cur = more == 0 ? limit.rlim_max : open.downstream + open.upstream + open.other + more;
	assert_int_equal(prlimit(sluice->proc->pid, RLIMIT_NOFILE, &limit, NULL), 0);
}

static pid_t start_attack(const struct attack *attack, const struct ports *ports)
{
	fflush(NULL);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	attack->run(ports);
	_exit(0);
}

static void print_row(const char *name, const char *what, struct latency before, struct latency under)
{
	printf("%-38s %-6s %8.2f %8.2f %6.1f %8.2f %8.2f %6.1f\n", name, what, before.p50_ms, under.p50_ms,
	       under.p50_ms / before.p50_ms, before.p99_ms, under.p99_ms, under.p99_ms / before.p99_ms);
	fflush(stdout);
}

/* Returns how many times as long /livez takes at p99. */
static double try_attack(struct h1 *neighbour, const struct attack *attack, const struct sluice *sluice)
{
	const struct ports ports = {sluice->port, sluice->tls_port};
	static double times[2][2][ROUNDS * SAMPLES]; /* without and under; of /livez and of chats */
	struct latency latency[2][2];
	for (size_t round = 0; round < ROUNDS; round++) {
		for (int chat = 0; chat < 2; chat++)
			measure(neighbour, chat, &times[0][chat][round * SAMPLES]);
		if (attack->descriptors > 0)
			limit_descriptors(sluice, attack->descriptors);
		pid_t pid = start_attack(attack, &ports);
		usleep(SETTLE_US);
		for (int chat = 0; chat < 2; chat++)
			measure(neighbour, chat, &times[1][chat][round * SAMPLES]);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		if (attack->descriptors > 0)
			limit_descriptors(sluice, 0);
		usleep(REST_US);
	}
	for (int under = 0; under < 2; under++)
		for (int chat = 0; chat < 2; chat++)
			latency[under][chat] = latency_of(times[under][chat]);
	for (int chat = 0; chat < 2; chat++)
		print_row(chat ? "" : attack->name, chat ? "chat" : "livez", latency[0][chat], latency[1][chat]);
	return latency[1][0].p99_ms / latency[0][0].p99_ms;
}

static void attacks_leave_a_neighbour_its_latency(void **state)
{
	const struct sim *sim = sim_start(NULL);
	struct sluice *sluice =
	    sluice_start_workers(1,
				 "limits: { connections: 800 }\nbackends: { s: { url: 'http://127.0.0.1:%d/v1' }, "
				 "dead: { url: 'http://127.0.0.1:1/v1' } }\n"
				 "models: { m: s/count, long: 's/count;tokens=4000;token_bytes=1000', bad: dead/m }\n",
				 sim->port);
	struct h1 neighbour;
	double goal = 0;
	(void)state;
	wire_come_from(NEIGHBOUR);
	h1_open(&neighbour, sluice->port, false);
	neighbour.silent = true;
	wire_come_from(0);
	measure(&neighbour, true, (double[SAMPLES]){0}); /* warm */
	printf("%-38s %-6s %8s %8s %6s %8s %8s %6s\n", "attack", "ms", "p50", "under", "ratio", "p99", "under",
	       "ratio");
	const char *only = getenv("DOOR_ONLY"); /* a part of an attack's name */
	for (size_t i = 0; i < sizeof attacks / sizeof *attacks; i++) {
		if (only != NULL && strstr(attacks[i].name, only) == NULL)
			continue;
		double ratio = try_attack(&neighbour, &attacks[i], sluice);
		goal = attacks[i].has_goal ? ratio : goal;
	}
	h1_close(&neighbour);
	printf("HPACK: p99 of /livez is %.1f times as long; the goal is at most %d\n", goal, GOAL);
	assert_true(goal <= GOAL);
}

/* SIGTERM while attacks go on: what runs is served, and the process ends when the drain is over, or before. */
static void sigterm_under_attack_ends_within_the_drain(void **state)
{
	enum { DRAIN_S = 3, SLACK_S = 10 };
	static const char *const names[] = {"resets that the peer provokes", "half heads beyond limits.connections",
					    "200 streams that nobody reads", "TLS handshakes"};
	(void)state;
	if (getenv("DOOR_ONLY") != NULL)
		return;
	printf("\n%-38s %8s %8s\n", "SIGTERM during", "end, s", "drain, s");
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		const struct sim *sim = sim_start(NULL);
		struct sluice *sluice = sluice_start_workers(
		    1,
		    "limits: { connections: 800 }\ndrain: %ds\n"
		    "backends: { s: { url: 'http://127.0.0.1:%d/v1' } }\n"
		    "models: { m: s/count, long: 's/count;tokens=4000;token_bytes=1000;itl=10ms' }\n",
		    DRAIN_S, sim->port);
		const struct ports ports = {sluice->port, sluice->tls_port};
		const struct attack *attack = attacks;
		while (strcmp(attack->name, names[i]) != 0)
			attack++;
		pid_t pid = start_attack(attack, &ports);
		usleep(SETTLE_US);
		uint64_t before = clock_us();
		assert_int_equal(kill(sluice->proc->pid, SIGTERM), 0);
		assert_int_equal(proc_wait(sluice->proc), 0);
		double took = (double)(clock_us() - before) / 1000000;
		printf("%-38s %8.2f %8d\n", attack->name, took, DRAIN_S);
		fflush(stdout);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		assert_true(took < DRAIN_S + SLACK_S);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(attacks_leave_a_neighbour_its_latency),
	    SCENARIO(sigterm_under_attack_ends_within_the_drain),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
