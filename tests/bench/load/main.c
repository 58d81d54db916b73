/* SPDX-License-Identifier: MIT */
/* Options, and the course of a run: connect, warm up, window, report. See load.h. */
#include "tests/bench/load/load.h"

#include <errno.h>
#include <inttypes.h>
#include <getopt.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

void load_fail(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	fputs("bench-load: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	exit(1);
}

static uint64_t clock_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static void read_body(struct options *options, const char *path)
{
	FILE *file = fopen(path, "re");
	if (file == NULL || fseek(file, 0, SEEK_END) != 0)
		load_fail("%s: %s", path, strerror(errno));
	options->body_len = (size_t)ftell(file);
	rewind(file);
	options->body = malloc(options->body_len + 1);
	if (options->body == NULL || fread(options->body, 1, options->body_len, file) != options->body_len)
		load_fail("%s cannot be read", path);
	fclose(file);
}

static void read_pids(struct options *options, const char *list)
{
	for (char *end; *list != '\0'; list = *end == ',' ? end + 1 : end) {
		long pid = strtol(list, &end, 10);
		if (end == list || options->pid_count == LOAD_MOST_PIDS)
			load_fail("bad list of processes");
		options->pids[options->pid_count++] = (int)pid;
	}
}

static const char usage[] =
    "bench-load --port N [options]: HTTP load, one JSON line of what came of it. Times are seconds.\n"
    "  --path P --method M --body FILE --header LINE --status N   the request, and the status that is right\n"
    "  --http2 --tls                  protocol; --connections N --streams N (per HTTP/2 connection)\n"
    "  --rate N                       open loop: requests a second at intended times; without it a closed loop\n"
    "  --once                         every slot asks once only\n"
    "  --warmup S --seconds S         the window, and what comes before; --all-begun: it waits for all answers to "
    "begin\n"
    "  --pids A,B                     processes whose CPU time is read at both ends of the window\n"
    "  --hold                         behind the window: stay until stdin ends\n"
    "  --patience S                   gives up when all-begun takes longer (30)\n";

static const struct option long_options[] = {
    {"port", 1, NULL, 'p'},      {"path", 1, NULL, 'u'},        {"method", 1, NULL, 'm'},
    {"body", 1, NULL, 'b'},      {"header", 1, NULL, 'e'},      {"status", 1, NULL, 's'},
    {"http2", 0, NULL, '2'},     {"tls", 0, NULL, 't'},         {"rate", 1, NULL, 'r'},
    {"once", 0, NULL, 'o'},      {"connections", 1, NULL, 'c'}, {"streams", 1, NULL, 'n'},
    {"warmup", 1, NULL, 'w'},    {"pids", 1, NULL, 'i'},        {"seconds", 1, NULL, 'd'},
    {"all-begun", 0, NULL, 'a'}, {"patience", 1, NULL, 'y'},    {"hold", 0, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static void read_option(struct options *options, int option)
{
	switch (option) {
	case 'p':
		options->port = atoi(optarg);
		break;
	case 'u':
		options->path = optarg;
		break;
	case 'm':
		options->method = optarg;
		break;
	case 'b':
		read_body(options, optarg);
		break;
	case 'e':
		options->header = optarg;
		break;
	case 's':
		options->status = atoi(optarg);
		break;
	case '2':
		options->http2 = true;
		break;
	case 't':
		options->tls = true;
		break;
	case 'r':
		options->rate = atof(optarg);
		break;
	case 'o':
		options->again = false;
		break;
	case 'c':
		options->connections = strtoul(optarg, NULL, 10);
		break;
	case 'n':
		options->streams = strtoul(optarg, NULL, 10);
		break;
	case 'w':
		options->warmup = atof(optarg);
		break;
	case 'i':
		read_pids(options, optarg);
		break;
	case 'd':
		options->seconds = atof(optarg);
		break;
	case 'a':
		options->all_begun = true;
		break;
	case 'y':
		options->patience = atof(optarg);
		break;
	case 'h':
		options->hold = true;
		break;
	default:
		fputs(usage, stderr);
		exit(2);
	}
}

static void read_options(struct options *options, int argc, char **argv)
{
	*options = (struct options){.address = "127.0.0.1",
				    .path = "/v1/chat/completions",
				    .method = "POST",
				    .status = 200,
				    .again = true,
				    .connections = 1,
				    .streams = 1,
				    .warmup = 0.1,
				    .seconds = 1,
				    .patience = 30};
	for (int option; (option = getopt_long(argc, argv, "", long_options, NULL)) != -1;)
		read_option(options, option);
	if (options->port == 0 || optind != argc || options->connections == 0 || options->streams == 0) {
		fputs(usage, stderr);
		exit(2);
	}
	if (!options->http2)
		options->streams = 1;
}

static void open_all(struct load *load)
{
	const struct options *options = &load->options;
	load->slot_count = options->connections * options->streams;
	load->conns = calloc(options->connections, sizeof *load->conns);
	struct slot *slots = calloc(load->slot_count, sizeof *slots);
	if (load->conns == NULL || slots == NULL)
		load_fail("out of memory");
	for (size_t i = 0; i < options->connections; i++) {
		struct conn *conn = &load->conns[i];
		conn->slots = slots + i * options->streams;
		conn_open(conn, load);
	}
	/* the first stream of every connection first */
	for (size_t i = load->slot_count; i-- > 0;) {
		struct slot *slot = &slots[i % options->connections * options->streams + i / options->connections];
		slot->conn = &load->conns[i % options->connections];
		slot_add_free(slot);
	}
}

/* One turn: due requests, then what the sockets have, for at most `most` nanoseconds. */
static void turn(struct load *load, uint64_t most)
{
	struct epoll_event events[256];
	load->now = clock_ns();
	load_begin_due(load);
	uint64_t wait = load_next_due(load, most);
	struct timespec timeout = {.tv_sec = (time_t)(wait / 1000000000U), .tv_nsec = (long)(wait % 1000000000U)};
	int ready = epoll_pwait2(load->epoll_fd, events, 256, &timeout, NULL);
	load->now = clock_ns();
	for (int i = 0; i < ready; i++) {
		struct conn *conn = events[i].data.ptr;
		if ((events[i].events & EPOLLOUT) != 0)
			(conn->h2 != NULL ? h2_writable : h1_writable)(conn);
		if ((events[i].events & ~(uint32_t)EPOLLOUT) != 0)
			(conn->h2 != NULL ? h2_readable : h1_readable)(conn);
	}
}

static void run_until(struct load *load, uint64_t end)
{
	while ((load->now = clock_ns()) < end)
		turn(load, end - load->now);
}

static void wait_for_all(struct load *load)
{
	uint64_t end = load->started + (uint64_t)(load->options.patience * 1e9);
	while (load->begun < load->slot_count) {
		if (load->now > end)
			load_fail("%zu of %zu answers began", load->begun, load->slot_count);
		turn(load, 50000000);
	}
}

static struct counts snapshot(struct load *load)
{
	struct counts counts = load->counts;
	counts.cpu_ns = cpu_of(load->options.pids, load->options.pid_count);
	counts.at = clock_ns();
	return counts;
}

static int by_value(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
	return (left > right) - (left < right);
}

static void print_samples(const char *name, struct samples *samples)
{
	size_t n = samples->count;
	if (n == 0)
		return;
	qsort(samples->us, n, sizeof *samples->us, by_value);
	printf(",\"%s\":{\"p50\":%u,\"p90\":%u,\"p99\":%u,\"max\":%u}", name, samples->us[n / 2],
	       samples->us[n * 9 / 10], samples->us[n * 99 / 100], samples->us[n - 1]);
}

static void report(struct load *load, const struct counts *from, const struct counts *to)
{
	printf("{\"seconds\":%.6f,\"requests\":%" PRIu64 ",\"bad\":%" PRIu64 ",\"events\":%" PRIu64
	       ",\"bytes\":%" PRIu64 ",\"cpu_us\":%.3f",
	       (double)(to->at - from->at) / 1e9, to->requests - from->requests, to->bad, to->events - from->events,
	       to->bytes - from->bytes, (double)(to->cpu_ns - from->cpu_ns) / 1e3);
	print_samples("latency_us", &load->whole);
	print_samples("first_us", &load->first);
	puts("}");
	fflush(stdout);
}

static void hold(struct load *load)
{
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
	while (poll(&input, 1, 0) == 0)
		turn(load, 20000000);
}

static void allow_many_descriptors(void)
{
	struct rlimit limit;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv)
{
	struct load load = {0};
	read_options(&load.options, argc, argv);
	allow_many_descriptors();
	load.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	load.tls = load.options.tls ? SSL_CTX_new(TLS_client_method()) : NULL;
	h1_setup(&load);
	open_all(&load);
	load.started = load.now = clock_ns();
	if (load.options.all_begun)
		wait_for_all(&load);
	run_until(&load, clock_ns() + (uint64_t)(load.options.warmup * 1e9));
	struct counts from = snapshot(&load);
	load.in_window = true;
	run_until(&load, from.at + (uint64_t)(load.options.seconds * 1e9));
	load.in_window = false;
	struct counts to = snapshot(&load);
	report(&load, &from, &to);
	if (load.options.hold)
		hold(&load);
	return 0;
}
