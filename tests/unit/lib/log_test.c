/* SPDX-License-Identifier: MIT */
/* Log lines: their shape, their limits, and what happens when nobody can take them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/json.h"
#include "lib/log.h"

static int ends[2]; /* of the pipe that logs go to: reading, writing */
static char text[1 << 20];

/* All that was written so far, as a string. */
static const char *written(void)
{
	ssize_t got = 0;
	size_t len = 0;
	while ((got = read(ends[0], text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)got;
	text[len] = '\0';
	return text;
}

/* What follows the time stamp, whose shape is checked. */
static const char *behind_time(const char *line)
{
	static const char shape[] = "{\"ts\":\"dddd-dd-ddTdd:dd:dd.dddZ\"";
	for (size_t i = 0; i < sizeof(shape) - 1; i++) {
		if (shape[i] == 'd')
			assert_in_range(line[i], '0', '9');
		else
			assert_int_equal(line[i], shape[i]);
	}
	return line + sizeof(shape) - 1;
}

static void parse(const char *line, size_t len)
{
	struct arena arena;
	struct json json;
	struct json_error error;
	arena_init(&arena, 0);
	if (!json_parse(&json, &arena, (struct span){line, len}, 4, &error))
		fail_msg("%s at %zu: %s", error.what, error.offset, line);
	arena_fini(&arena);
}

static void a_line_is_one_json_object(void **state)
{
	(void)state;
	struct log_line line;
	log_begin(&line, LOG_INFO, "listening");
	log_str(&line, "address", SPAN("127.0.0.1:8080"));
	log_int(&line, "workers", -4);
	log_bool(&line, "tls", true);
	log_ms(&line, "took_ms", 1234056);
	log_str(&line, "none", (struct span){NULL, 0});
	log_end(&line);
	const char *out = written();
	assert_string_equal(behind_time(out),
			    ",\"level\":\"info\",\"msg\":\"listening\",\"address\":\"127.0.0.1:8080\",\"workers\":-4,"
			    "\"tls\":true,\"took_ms\":1234.056,\"none\":null}\n");
	parse(out, strlen(out) - 1);
}

static void levels_below_the_least_are_not_written(void **state)
{
	(void)state;
	struct log_line line;
	for (int level = LOG_DEBUG; level <= LOG_ERROR; level++) {
		log_set_level(LOG_WARN);
		log_begin(&line, (enum log_level)level, "m");
		log_str(&line, "k", SPAN("v"));
		log_int(&line, "k", 1);
		log_bool(&line, "k", true);
		log_ms(&line, "k", 1);
		log_end(&line);
		assert_int_equal(strlen(written()) != 0, level >= LOG_WARN);
	}
	log_set_level(LOG_INFO);
}

static void levels_have_names(void **state)
{
	(void)state;
	enum log_level level = LOG_DEBUG;
	assert_true(log_level_parse("error", &level));
	assert_int_equal(level, LOG_ERROR);
	assert_true(log_level_parse("debug", &level));
	assert_int_equal(level, LOG_DEBUG);
	assert_false(log_level_parse("inf", &level));
	assert_int_equal(level, LOG_DEBUG);
}

static void hostile_text_stays_inside_its_string(void **state)
{
	(void)state;
	struct log_line line;
	log_begin(&line, LOG_WARN, "m");
	log_str(&line, "k", SPAN("a\"}\n{\\\x01\x1b\xff\xc3"));
	log_end(&line);
	const char *out = written();
	assert_ptr_equal(strchr(out, '\n'), out + strlen(out) - 1);
	parse(out, strlen(out) - 1);
}

/* Wherever a client wrote it: here in a path, twice. Other words that begin so have no dots. */
static void all_but_the_header_of_a_token_is_masked(void **state)
{
	(void)state;
	struct log_line line;
	log_begin(&line, LOG_INFO, "m");
	log_str(&line, "path",
		SPAN("/v1/eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.ab-_9/eyJh.x.y?z eyJustAWord and padding, since shorter "
		     "strings "
		     "hold no token"));
	log_end(&line);
	assert_string_equal(
	    behind_time(written()),
	    ",\"level\":\"info\",\"msg\":\"m\",\"path\":\"/v1/eyJhbGciOiJFUzI1NiJ9.***************.*****/"
	    "eyJh.*.*?z eyJustAWord and padding, since shorter strings hold no token\"}\n");
}

static void a_long_string_is_cut_between_characters(void **state)
{
	(void)state;
	struct log_line line;
	char large[3000];
	for (size_t i = 0; i + 2 <= sizeof(large); i += 2)
		memcpy(large + i, "ö", 2);
	log_begin(&line, LOG_INFO, "m");
	log_str(&line, "k", (struct span){large + 1, sizeof(large) - 1}); /* begins inside a character */
	log_str(&line, "l", (struct span){large, sizeof(large)});
	log_int(&line, "after", 1);
	log_end(&line);
	const char *out = written();
	assert_non_null(strstr(out, "ö…\",\"after\":1,\"truncated\":true}\n"));
	assert_null(strstr(out, "\xef\xbf\xbd…"));
	parse(out, strlen(out) - 1);
}

static void what_does_not_fit_is_left_out_and_marked(void **state)
{
	(void)state;
	struct log_line line;
	char large[LOG_STRING_MAX];
	memset(large, '\x01', sizeof(large)); /* six bytes each when escaped */
	for (size_t len = 0; len <= sizeof(large); len++) {
		log_begin(&line, LOG_INFO, "m");
		for (int i = 0; i < 3; i++)
			log_str(&line, "k", (struct span){large, len});
		for (int i = 0; i < 200; i++) {
			log_int(&line, "n", INT64_MIN);
			log_ms(&line, "t_ms", UINT64_MAX);
			log_bool(&line, "b", false);
		}
		log_end(&line);
		const char *out = written();
		size_t size = strlen(out);
		assert_true(size != 0 && size <= LOG_LINE_MAX);
		assert_string_equal(out + size - strlen(",\"truncated\":true}\n"), ",\"truncated\":true}\n");
		assert_ptr_equal(strchr(out, '\n'), out + size - 1);
	}
}

static void a_reader_that_does_not_read_costs_lines_and_no_time(void **state)
{
	(void)state;
	struct log_line line;
	uint64_t before = log_dropped();
	alarm(20); /* a write that waits would wait for ever */
	for (int i = 0; i < 20000; i++) {
		log_begin(&line, LOG_INFO, "m");
		log_int(&line, "i", i);
		log_end(&line);
	}
	alarm(0);
	uint64_t lost = log_dropped() - before;
	unsigned lines = 0;
	for (const char *at = written(); (at = strchr(at, '\n')) != NULL; at++)
		lines++;
	assert_true(lost > 0 && lines > 0);
	assert_int_equal(lost + lines, 20000);
}

static void the_pipe_of_others_stays_as_it_was(void **state)
{
	(void)state;
	assert_int_equal(fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0);
}

static void a_reader_that_left_costs_lines_only(void **state)
{
	(void)state;
	int pair[2];
	struct log_line line;
	assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
	log_setup(pair[1], LOG_INFO);
	close(pair[0]);
	uint64_t before = log_dropped();
	log_begin(&line, LOG_INFO, "m");
	log_end(&line);
	assert_int_equal(log_dropped() - before, 1);
	close(pair[1]);
	log_setup(ends[1], LOG_INFO);
}

static void a_full_disk_costs_lines_only(void **state)
{
	(void)state;
	struct log_line line;
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	assert_true(full >= 0);
	log_setup(full, LOG_INFO);
	uint64_t before = log_dropped();
	log_begin(&line, LOG_INFO, "m");
	log_end(&line);
	assert_int_equal(log_dropped() - before, 1);
	close(full);
	log_setup(ends[1], LOG_INFO);
}

static void a_socket_that_is_full_costs_lines_only(void **state)
{
	(void)state;
	int pair[2];
	struct log_line line;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	log_setup(pair[1], LOG_INFO);
	uint64_t before = log_dropped();
	alarm(20);
	for (int i = 0; i < 20000; i++) {
		log_begin(&line, LOG_INFO, "m");
		log_end(&line);
	}
	alarm(0);
	assert_true(log_dropped() > before && log_dropped() - before < 20000);
	close(pair[0]);
	close(pair[1]);
	log_setup(ends[1], LOG_INFO);
}

static void *log_many(void *context)
{
	struct log_line line;
	for (int i = 0; i < 200; i++) {
		log_begin(&line, LOG_INFO, "from a thread");
		log_str(&line, "who", span_of(context));
		log_end(&line);
	}
	return NULL;
}

static void lines_of_threads_do_not_mix(void **state)
{
	(void)state;
	pthread_t threads[2];
	uint64_t before = log_dropped();
	assert_int_equal(pthread_create(&threads[0], NULL, log_many, "aaaaaaaaaaaaaaaaaaaa"), 0);
	assert_int_equal(pthread_create(&threads[1], NULL, log_many, "bbbbbbbbbbbbbbbbbbbb"), 0);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	unsigned lines = 0;
	for (const char *at = written(), *end; (end = strchr(at, '\n')) != NULL; at = end + 1, lines++)
		parse(at, (size_t)(end - at));
	assert_int_equal(lines + (log_dropped() - before), 400);
}

static int setup(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	if (pipe2(ends, O_CLOEXEC) != 0 || fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0)
		return -1;
	log_setup(ends[1], LOG_INFO);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	log_teardown();
	close(ends[0]);
	close(ends[1]);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_line_is_one_json_object),
	    cmocka_unit_test(levels_below_the_least_are_not_written),
	    cmocka_unit_test(levels_have_names),
	    cmocka_unit_test(hostile_text_stays_inside_its_string),
	    cmocka_unit_test(all_but_the_header_of_a_token_is_masked),
	    cmocka_unit_test(a_long_string_is_cut_between_characters),
	    cmocka_unit_test(what_does_not_fit_is_left_out_and_marked),
	    cmocka_unit_test(a_reader_that_does_not_read_costs_lines_and_no_time),
	    cmocka_unit_test(the_pipe_of_others_stays_as_it_was),
	    cmocka_unit_test(a_reader_that_left_costs_lines_only),
	    cmocka_unit_test(a_full_disk_costs_lines_only),
	    cmocka_unit_test(a_socket_that_is_full_costs_lines_only),
	    cmocka_unit_test(lines_of_threads_do_not_mix),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
