/* SPDX-License-Identifier: MIT */
/*
 * The script on a real Redis gives the answers of its model, call by call, whatever processes report, want, repeat and
 * delay, and whatever the clock does. The clock of Redis is replaced by the test's in the text of the script.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/redis/redis_server.h"
#include "tests/unit/seed.h"
#include "tests/unit/service/quotas/script_model.h"

enum { TRIALS = 120, CALLS = 150, PROCESSES = 6, DAY_MS = 86400000 };

/* ---- a connection that asks one thing after the other ---- */

static FILE *wire;

static void connect_to(int port)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_port = htons((unsigned short)port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	wire = fdopen(fd, "r+");
	assert_non_null(wire);
}

static void send_all(const struct span *args, size_t count)
{
	fprintf(wire, "*%zu\r\n", count);
	for (size_t i = 0; i < count; i++) {
		fprintf(wire, "$%zu\r\n", args[i].len);
		fwrite(args[i].at, 1, args[i].len, wire);
		fputs("\r\n", wire);
	}
	fflush(wire);
}

static void read_line(char *line, int size)
{
	assert_non_null(fgets(line, size, wire));
}

/* ---- the script with a clock of the test's ---- */

static char *script;
static char digest[48];

static void load_script(void)
{
	static const char clock[] = "redis.call('TIME')", ours[] = "{ARGV[18],ARGV[19]}";
	char line[128], script_text[SCRIPT_LUA_SIZE];
	script_write_text(script_text);
	const char *at = strstr(script_text, clock);
	assert_non_null(at);
	assert_null(strstr(at + 1, clock));
	script = malloc(strlen(script_text) + sizeof(ours));
	assert_non_null(script);
	sprintf(script, "%.*s%s%s", (int)(at - script_text), script_text, ours, at + strlen(clock));
	const struct span args[] = {SPAN("SCRIPT"), SPAN("LOAD"), span_of(script)};
	send_all(args, 3);
	read_line(line, sizeof(line));
	assert_string_equal(line, "$40\r\n");
	read_line(digest, sizeof(digest));
	digest[40] = '\0';
	free(script);
}

static void call_redis(const char *key, const struct script_ask *ask, int64_t now_ms, int64_t numbers[SCRIPT_REPLIES])
{
	char text[SCRIPT_TEXT_SIZE], line[512], seconds[24], micros[24];
	struct span args[4 + SCRIPT_ARGS + 2] = {SPAN("EVALSHA"), {digest, 40}, SPAN("1"), span_of(key)};
	script_write(ask, text, args + 4);
	snprintf(seconds, sizeof(seconds), "%lld", (long long)(now_ms / 1000));
	snprintf(micros, sizeof(micros), "%lld", (long long)(now_ms % 1000 * 1000));
	args[4 + SCRIPT_ARGS] = span_of(seconds);
	args[4 + SCRIPT_ARGS + 1] = span_of(micros);
	send_all(args, sizeof(args) / sizeof(args[0]));
	read_line(line, sizeof(line));
	if (strcmp(line, "*7\r\n") != 0)
		fail_msg("Redis answers %s", line);
	for (int i = 0; i < SCRIPT_REPLIES; i++) {
		read_line(line, sizeof(line));
		assert_int_equal(line[0], ':');
		numbers[i] = strtoll(line + 1, NULL, 10);
	}
}

/* ---- random processes ---- */

struct process {
	struct script_ask ask;
	uint64_t ceiling;
};

static struct seed seed;
static unsigned refused, expired;

static void make_ask(struct process *process, int trial, int index, uint64_t limit)
{
	struct script_ask *ask = &process->ask;
	uint64_t room = process->ceiling > ask->covered ? process->ceiling - ask->covered : 0;
	/* a process has a holding for each share: every other two are of one */
	snprintf(ask->id, sizeof(ask->id), "%dx%d-%d", trial, ask->share_count > 0 ? index / 2 : index, index);
	ask->number++;
	ask->limit = limit;
	if (ask->unit != QUOTA_CONCURRENT && seed_below(&seed, 2) == 0)
		ask->covered += seed_below(&seed, room + 1 + (seed_below(&seed, 8) == 0 ? limit / 4 : 0));
	if (ask->unit != QUOTA_CONCURRENT && seed_below(&seed, 6) == 0)
		ask->uncovered += seed_below(&seed, limit / 4 + 1);
	ask->must = seed_below(&seed, 2) == 0 ? ask->covered + seed_below(&seed, limit + 1) : 0;
	ask->want = ask->covered + seed_below(&seed, limit + 1);
	if (ask->must > ask->want)
		ask->want = ask->must;
	ask->least = seed_below(&seed, limit + 1);
	ask->idle = ask->covered + seed_below(&seed, limit / 2 + 1);
	ask->enough = seed_below(&seed, limit + 1);
	ask->asked_ms = (int64_t)seed_below(&seed, 3) - 1;
	if (ask->asked_ms > 0)
		ask->asked_ms = (int64_t)seed_below(&seed, 90000);
	ask->leaves = seed_below(&seed, 10) == 0;
	if (ask->leaves) {
		ask->want = ask->covered;
		ask->must = 0;
	}
}

static int64_t pass_time(int unit_ms)
{
	switch (seed_below(&seed, 12)) {
	case 0:
		return (int64_t)seed_below(&seed, SCRIPT_LEASE_MS * 3);
	case 1:
		return (int64_t)seed_below(&seed, (uint64_t)unit_ms * 70);
	case 2:
		return -(int64_t)seed_below(&seed, (uint64_t)unit_ms * 3);
	case 3:
		return seed_below(&seed, 10) == 0 ? (int64_t)seed_below(&seed, 40) * DAY_MS : 0;
	default:
		return (int64_t)seed_below(&seed, 2000);
	}
}

static void run_trial(int trial)
{
	static const uint64_t limits[] = {1, 10, 100, 100000, UINT64_C(5000000000000)};
	static const struct config_share shares[] = {{"acme/search", 40, 1}, {"acme/chat", 20, 2}, {"b/c/d", 33, 3}};
	static struct model_account model;
	size_t share_count = trial % 2 == 0 ? 0 : 1 + seed_below(&seed, sizeof(shares) / sizeof(shares[0]));
	model = (struct model_account){.known = false};
	struct process processes[PROCESSES] = {{.ceiling = 0}};
	unsigned unit = trial % 3 == 0 ? QUOTA_CONCURRENT : QUOTA_TOKENS;
	enum quota_window kind = (enum quota_window)(trial % QUOTA_WINDOWS);
	uint64_t limit = limits[seed_below(&seed, sizeof(limits) / sizeof(limits[0]))];
	int slot_ms = script_slot_ms(unit, kind);
	int64_t now_ms = INT64_C(1700000000000) + (int64_t)seed_below(&seed, 1000) * DAY_MS;
	char key[32];
	snprintf(key, sizeof(key), "account:%d", trial);
	for (int i = 0; i < CALLS; i++) {
		size_t index = seed_below(&seed, PROCESSES);
		struct process *process = &processes[index];
		struct script_ask repeated = process->ask;
		int64_t expected[SCRIPT_REPLIES], got[SCRIPT_REPLIES];
		bool repeats = repeated.number > 0 && seed_below(&seed, 8) == 0;
		process->ask.unit = unit;
		process->ask.kind = kind;
		process->ask.shares = shares;
		process->ask.share_count = share_count;
		process->ask.member = share_count == 0 ? 0 : index % (share_count + 1);
		if (!repeats)
			make_ask(process, trial, (int)index, limit);
		now_ms += pass_time(slot_ms > 0 ? slot_ms : 1000);
		model_call(&model, &process->ask, now_ms, expected);
		call_redis(key, &process->ask, now_ms, got);
		for (int j = 0; j < SCRIPT_REPLIES; j++)
			if (got[j] != expected[j])
				fail_msg("trial %d, call %d: number %d is %lld, expected %lld", trial, i, j,
					 (long long)got[j], (long long)expected[j]);
		if (repeats) /* it is refused, but for a process that was forgotten */
			refused += got[0] < 0;
		if (got[0] < 0)
			continue;
		process->ceiling = (uint64_t)got[0];
		if (seed_below(&seed, 4) > 0) { /* else the answer was lost */
			process->ask.known_covered = process->ask.covered;
			process->ask.known_uncovered = process->ask.uncovered;
		}
	}
	expired += model.expirations;
}

static void redis_answers_as_the_model_does(void **state)
{
	(void)state;
	struct redis_process *server = redis_process_start("");
	seed = seed_start();
	connect_to(server->port);
	load_script();
	for (int trial = 0; trial < TRIALS; trial++)
		run_trial(trial);
	assert_true(refused > TRIALS);
	assert_true(expired > TRIALS);
	fclose(wire);
	redis_process_stop(server);
}

static void an_account_that_nobody_asks_for_vanishes(void **state)
{
	(void)state;
	struct redis_process *server = redis_process_start("");
	struct script_ask ask = {.id = "a", .number = 1, .want = 5, .limit = 10, .unit = QUOTA_CONCURRENT};
	int64_t numbers[SCRIPT_REPLIES];
	connect_to(server->port);
	load_script();
	call_redis("account", &ask, INT64_C(1700000000000), numbers);
	assert_int_equal(numbers[0], 5);
	const char *left = redis_process_say(server, "PTTL account");
	assert_int_equal(left[0], ':');
	assert_in_range(strtoll(left + 1, NULL, 10), 1, 11 * SCRIPT_LEASE_MS);
	fclose(wire);
	redis_process_stop(server);
}

/* Asks for what a process lacks of a limit of 10; enough: what one of its requests would be served with. Returns what
 * it holds then. */
static int64_t ask_for(struct script_ask *ask, uint64_t want, uint64_t must, uint64_t enough)
{
	int64_t numbers[SCRIPT_REPLIES];
	ask->number++;
	ask->want = want;
	ask->must = must;
	ask->least = must;
	ask->enough = enough;
	call_redis("account", ask, INT64_C(1700000000000), numbers);
	return numbers[0];
}

static void what_would_serve_no_request_of_a_process_is_not_given_to_it(void **state)
{
	(void)state;
	struct redis_process *server = redis_process_start("");
	struct script_ask a = {.id = "a", .limit = 10, .unit = QUOTA_TOKENS, .kind = QUOTA_HOUR}, b = a;
	b.id[0] = 'b';
	connect_to(server->port);
	load_script();
	assert_int_equal(ask_for(&a, 4, 0, 0), 4); /* in spare */
	assert_int_equal(ask_for(&b, 10, 10, 10), 0);
	assert_int_equal(ask_for(&a, 10, 10, 10), 10);
	assert_int_equal(ask_for(&a, 4, 0, 0), 4);
	assert_int_equal(ask_for(&b, 10, 10, 6), 6); /* it serves one of several, or a guess */
	fclose(wire);
	redis_process_stop(server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(redis_answers_as_the_model_does),
	    cmocka_unit_test(an_account_that_nobody_asks_for_vanishes),
	    cmocka_unit_test(what_would_serve_no_request_of_a_process_is_not_given_to_it)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
