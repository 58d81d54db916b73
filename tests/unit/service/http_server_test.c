/* SPDX-License-Identifier: MIT */
/* HTTP/1.1 as clients see it: raw sockets against the server with a tiny application, in one thread. */
#include "tests/unit/service/http_client.h"

#include <sys/resource.h>

#include "lib/hash.h"
#include "service/http/h1_head.h"
#include "service/http/server.h"

static int setup(void **state)
{
	return app_set_up(state, app_create());
}

static void a_get_is_answered_and_the_connection_kept(void **state)
{
	struct app *app = *state;
	struct client client;
	client_open(&client, app);
	client_send(&client, "GET /hello?x=1 HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_true(client_wait(&client, "{\"hello\":\"world\"}"));
	assert_non_null(strstr(client.in, "HTTP/1.1 200 OK\r\n"));
	assert_non_null(strstr(client.in, "Connection: keep-alive\r\n"));
	client_send(&client, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_true(client_wait(&client, "{\"later\":true}"));
	assert_int_equal(app->requests, 2);
	assert_int_equal(http_server_connections(app->server), 1);
	client_close(&client);
	WAIT_UNTIL(app, http_server_connections(app->server) == 0);
	assert_int_equal(app->gone, 0);
}

static void a_body_arrives_by_length_and_by_chunks(void **state)
{
	struct client client;
	client_open(&client, *state);
	client_send(&client, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\n{\"a\"");
	app_run_us(*state, 5000);
	client_send(&client, ":1}");
	assert_true(client_wait(&client, "{\"a\":1}"));
	client_send(&client, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
			     "4\r\n{\"b\"\r\n3;ext=1\r\n:2}\r\n0\r\n\r\n");
	assert_true(client_wait(&client, "{\"b\":2}"));
	client_close(&client);
}

/* Input buffers of connections grow, and start large or small by what came before; bytes behind a body stay. */
static void bodies_of_all_sizes_may_follow_each_other(void **state)
{
	static const size_t sizes[] = {10, 65535, 300000, 65536, 1, 262144, 700000, 3, 131072, 20};
	struct client client;
	char text[256];
	char *body = malloc(700000 + 1);
	assert_non_null(body);
	client_open(&client, *state);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (size_t at = 0; at < sizes[i]; at++)
			body[at] = (char)('a' + (at * 7 + i) % 23);
		body[sizes[i]] = '\0';
		client.len = 0;
		snprintf(text, sizeof(text), "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n", sizes[i]);
		client_send(&client, text);
		client_send_bytes(&client, body, sizes[i]);
		client_send(&client, "POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nafter");
		assert_true(client_wait(&client, "\r\n\r\n5"));
		assert_non_null(strstr(client.in, body));
	}
	client_close(&client);
	free(body);
}

static void expect_100_continue_is_honoured(void **state)
{
	struct client client;
	client_open(&client, *state);
	client_send(&client, "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
	assert_true(client_wait(&client, "HTTP/1.1 100 Continue\r\n\r\n"));
	client_send(&client, "body");
	assert_true(client_wait(&client, "\r\n\r\nbody"));
	client_close(&client);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
	struct app *app = *state;
	struct client client;
	client_open(&client, app);
	client_send(&client, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n"
			     "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\ntwo"
			     "GET /later HTTP/1.1\r\nHost: a\r\n\r\n"
			     "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nfour");
	assert_true(client_wait(&client, "\r\n\r\nfour"));
	assert_int_equal(client_count(&client, "HTTP/1.1 200 OK"), 4);
	assert_true(strstr(client.in, "later") < strstr(client.in, "two"));
	assert_int_equal(app->requests, 4);
	client_close(&client);
}

static void a_stream_is_chunked_and_complete(void **state)
{
	struct client client;
	client_open(&client, *state);
	client_send(&client, "GET /stream?n=3&size=20 HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_true(client_wait(&client, "\r\n0\r\n\r\n"));
	assert_non_null(strstr(client.in, "transfer-encoding: chunked\r\n"));
	/* three events of one turn leave as one chunk */
	assert_non_null(strstr(client.in, "\r\n\r\n3c\r\ndata: 00000000"));
	client_close(&client);
}

static void the_head_of_a_stream_leaves_before_there_is_content(void **state)
{
	struct client client;
	client_open(&client, *state);
	client_send(&client, "GET /head-hang HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_true(client_wait(&client, "text/event-stream\r\n"));
	client_close(&client);
}

static void an_unknown_length_works_for_every_status(void **state)
{
	struct client client;
	client_open(&client, *state);
	client_send(&client, "GET /created HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_true(client_wait(&client, "4\r\nmade\r\n0\r\n\r\n"));
	assert_non_null(strstr(client.in, "HTTP/1.1 201 Created"));
	client_close(&client);
}

static void http_1_0_ends_with_the_connection(void **state)
{
	struct client client;
	client_open(&client, *state);
	client_send(&client, "GET /created HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	client_wait_close(&client);
	assert_false(client.reset);
	assert_non_null(strstr(client.in, "\r\n\r\nmade"));
	assert_non_null(strstr(client.in, "Connection: close\r\n"));
	client_close(&client);
}

/* RFC 9112, section 9.3. */
static void close_counts_wherever_it_stands(void **state)
{
	static const char *const connections[] = {"close, keep-alive", "keep-alive, close",
						  "Close\r\nConnection: keep-alive",
						  "keep-alive\r\nConnection: x, close"};
	for (size_t i = 0; i < sizeof(connections) / sizeof(connections[0]); i++)
		for (int minor = 0; minor < 2; minor++) {
			struct client client;
			char request[256];
			snprintf(request, sizeof(request),
				 "GET /hello HTTP/1.%d\r\nHost: a\r\nConnection: %s\r\n\r\nGET /echo HTTP/1.1\r\nHost: "
				 "a\r\n\r\n",
				 minor, connections[i]);
			client_open(&client, *state);
			client_send(&client, request);
			client_wait_close(&client);
			assert_non_null(strstr(client.in, "Connection: close\r\n"));
			assert_null(strstr(strstr(client.in, "HTTP/1.1 ") + 1, "HTTP/1.1 ")); /* one answer */
			client_close(&client);
		}
}

static void head_gets_no_body(void **state)
{
	struct client client;
	client_open(&client, *state);
	client_send(&client, "HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\nGET /echo HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_true(client_wait(&client, "Content-Length: 0\r\n"));
	assert_non_null(strstr(client.in, "Content-Length: 17\r\n"));
	assert_null(strstr(client.in, "hello"));
	client_close(&client);
}

static void the_absolute_form_of_a_target_is_understood(void **state)
{
	struct client client;
	client_open(&client, *state);
	client_send(&client, "POST http://b.example/echo HTTP/1.1\r\nHost: b.example\r\nContent-Length: 2\r\n\r\nhi");
	assert_true(client_wait(&client, "\r\n\r\nhi"));
	client_close(&client);
}

static void an_aborted_response_is_visibly_incomplete(void **state)
{
	struct client client;
	client_open(&client, *state);
	client_send(&client, "GET /abort HTTP/1.1\r\nHost: a\r\n\r\n");
	client_wait_close(&client);
	assert_non_null(strstr(client.in, "data: part\n\n"));
	assert_null(strstr(client.in, "0\r\n\r\n"));
	client_close(&client);
	client_open(&client, *state);
	client_send(&client, "GET /abort-headless HTTP/1.1\r\nHost: a\r\n\r\n");
	client_wait_close(&client);
	assert_int_equal(client.len, 0);
	client_close(&client);
}

static void a_body_over_the_limit_is_413(void **state)
{
	struct app *app = *state;
	app->config.limits.body = 1000;
	struct client client;
	char body[1001];
	memset(body, 'b', sizeof(body));
	client_open(&client, app);
	client_send(&client, "POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n");
	client_send_bytes(&client, body, sizeof(body));
	client_wait_close(&client);
	assert_non_null(strstr(client.in, "HTTP/1.1 413 "));
	assert_non_null(strstr(client.in, "\"request_too_large\""));
	assert_false(client.reset);
	client_close(&client);
	/* beyond the hard limit h2o refuses by itself, in our form */
	client_open(&client, app);
	client_send(&client, "POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n");
	client_wait_close(&client);
	assert_non_null(strstr(client.in, "HTTP/1.1 413 "));
	assert_non_null(strstr(client.in, "\"request_too_large\""));
	client_close(&client);
}

/* The answer must survive that the connection is closed while the client is still sending. */
static void a_client_that_is_still_uploading_can_read_the_refusal(void **state)
{
	static const char *const lengths[] = {"1500000", "99999999"};
	struct app *app = *state;
	size_t size = 3 << 20;
	char *body = calloc(1, size);
	for (int i = 0; i < 2; i++) {
		struct client client;
		char head[128];
		client_open(&client, app);
		snprintf(head, sizeof(head), "POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: %s\r\n\r\n",
			 lengths[i]);
		client_send(&client, head);
		client_send_bytes(&client, body, size);
		app_run_us(app, 20000);
		client_wait_close(&client);
		assert_non_null(strstr(client.in, "HTTP/1.1 413 "));
		assert_false(client.reset);
		client_close(&client);
	}
	free(body);
}

struct head_case {
	const char *what;
	const char *head;
	enum error_code error;
};

static const struct head_case heads[] = {
    {"plain", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", ERROR_NONE},
    {"empty line first", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", ERROR_NONE},
    {"empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", ERROR_NONE},
    {"IPv6 Host", "GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", ERROR_NONE},
    {"1.0 without Host", "GET / HTTP/1.0\r\n\r\n", ERROR_NONE},
    {"Latin-1 value", "GET / HTTP/1.1\r\nHost: a\r\nX: \xe9\r\n\r\n", ERROR_NONE},
    {"case", "GET / HTTP/1.1\r\nhOST: a\r\ntransfer-ENCODING:\tChunked \r\n\r\n", ERROR_NONE},
    {"no Host", "GET / HTTP/1.1\r\nX: a\r\n\r\n", ERROR_MALFORMED_HTTP},
    {"two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", ERROR_MALFORMED_HTTP},
    {"Host list", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", ERROR_MALFORMED_HTTP},
    {"Host with path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", ERROR_MALFORMED_HTTP},
    {"Host with user", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", ERROR_MALFORMED_HTTP},
    {"two lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
     ERROR_MALFORMED_HTTP},
    {"length list", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0, 0\r\n\r\n", ERROR_MALFORMED_HTTP},
    {"signed length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +0\r\n\r\n", ERROR_MALFORMED_HTTP},
    {"hex length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x0\r\n\r\n", ERROR_MALFORMED_HTTP},
    {"empty length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", ERROR_MALFORMED_HTTP},
    {"length and coding",
     "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     ERROR_MALFORMED_HTTP},
    {"two codings", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
     ERROR_MALFORMED_HTTP},
    {"other coding", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", ERROR_MALFORMED_HTTP},
    {"coding in 1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", ERROR_MALFORMED_HTTP},
    {"bare LF", "GET / HTTP/1.1\nHost: a\r\n\r\n", ERROR_MALFORMED_HTTP},
    {"bare LF at the end", "GET / HTTP/1.1\r\nHost: a\r\n\n", ERROR_MALFORMED_HTTP},
    {"bare CR", "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", ERROR_MALFORMED_HTTP},
    {"folded line", "GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n", ERROR_MALFORMED_HTTP},
    {"folded first line", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", ERROR_MALFORMED_HTTP},
    {"blank before colon", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", ERROR_MALFORMED_HTTP},
    {"no colon", "GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", ERROR_MALFORMED_HTTP},
    {"empty name", "GET / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n", ERROR_MALFORMED_HTTP},
    {"control character", "GET / HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n", ERROR_MALFORMED_HTTP},
    {"two blanks", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", ERROR_MALFORMED_HTTP},
    {"odd method", "G@T / HTTP/1.1\r\nHost: a\r\n\r\n", ERROR_MALFORMED_HTTP},
    {"odd version", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", ERROR_MALFORMED_HTTP},
    {"expectation", "GET / HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\n\r\n", ERROR_EXPECTATION_FAILED},
};

static enum error_code parse(struct span text)
{
	static struct h1_head head;
	char *copy = malloc(text.len);
	memcpy(copy, text.at, text.len);
	enum error_code error = h1_head_parse(copy, text.len, &head);
	free(copy);
	return error;
}

static void a_head_is_refused_when_parsers_may_read_it_differently(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		enum error_code error = parse(span_of(heads[i].head));
		if (error != heads[i].error)
			fail_msg("%s: %d", heads[i].what, (int)error);
	}
	assert_int_equal(parse(SPAN("GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n")), ERROR_MALFORMED_HTTP);
	assert_int_equal(parse(SPAN("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n")), ERROR_MALFORMED_HTTP);
}

/* RFC 9112 section 11.2: what is refused must also end the connection, or its rest would be read as a request. */
static void a_refused_head_is_answered_and_the_connection_closed(void **state)
{
	struct app *app = *state;
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		struct client client;
		if (heads[i].error == ERROR_NONE)
			continue;
		unsigned before = app->requests;
		client_open(&client, app);
		client_send(&client, heads[i].head);
		client_send(&client, "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n");
		client_wait_close(&client);
		const char *status = heads[i].error == ERROR_EXPECTATION_FAILED ? "HTTP/1.1 417 " : "HTTP/1.1 400 ";
		if (strncmp(client.in, status, 13) != 0 || client_count(&client, "HTTP/1.1") != 1)
			fail_msg("%s: %s", heads[i].what, client.in);
		assert_true(app->requests <= before + 1);
		client_close(&client);
	}
}

static void broken_chunks_are_refused_in_our_form(void **state)
{
	struct client client;
	client_open(&client, *state);
	client_send(&client, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n");
	client_wait_close(&client);
	assert_non_null(strstr(client.in, "HTTP/1.1 400 "));
	assert_non_null(strstr(client.in, "\"malformed_http\""));
	client_close(&client);
}

static void a_big_head_is_431(void **state)
{
	struct client client;
	char value[17000];
	memset(value, 'v', sizeof(value));
	client_open(&client, *state);
	client_send(&client, "GET / HTTP/1.1\r\nHost: a\r\nX: ");
	client_send_bytes(&client, value, sizeof(value));
	client_send(&client, "\r\n\r\n");
	client_wait_close(&client);
	assert_non_null(strstr(client.in, "HTTP/1.1 431 "));
	client_close(&client);
}

static void a_slow_reader_is_waited_for_and_gets_everything_in_order(void **state)
{
	struct app *app = *state;
	struct client client;
	client_open_port(&client, app, app->port, 8192);
	client_send(&client, "GET /stream?n=1000&size=16384 HTTP/1.0\r\n\r\n");
	WAIT_UNTIL(app, app->open == 1);
	for (size_t sent = 0; app->last->events_sent != sent || sent == 0; app_run_us(app, 50000))
		sent = app->last->events_sent;
	assert_int_equal(app->open, 1); /* it came to rest since the client does not read */
	assert_true(app->last->events_left > 0);
	client_wait_close(&client);
	assert_int_equal(app->open, 0);
	assert_true(app->drained > 0);
	assert_true(app->backlog_peak < HTTP_BACKLOG_HIGH * 2);
	const char *body = strstr(client.in, "\r\n\r\n") + 4;
	assert_int_equal(client.len - (size_t)(body - client.in), 1000u * 16384);
	for (size_t i = 0; i < 1000; i++)
		assert_int_equal(strtoul(body + i * 16384 + 6, NULL, 10), i);
	client_close(&client);
}

/* Fault 30, for every way to wait and every way to leave: on_gone once, and the connection is freed. */
static void a_client_that_leaves_is_noticed(void **state)
{
	static const char *const paths[] = {"/hang", "/sse-hang", "/head-hang", "/stream?n=10000&size=4000"};
	struct app *app = *state;
	unsigned expected = 0;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		for (int reset = 0; reset < 2; reset++) {
			struct client client;
			char head[128];
			client_open_port(&client, app, app->port, 8192);
			snprintf(head, sizeof(head), "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", paths[i]);
			client_send(&client, head);
			WAIT_UNTIL(app, app->open == 1);
			app_run_us(app, 20000);
			if (reset)
				client_reset(&client);
			else
				client_close(&client);
			WAIT_UNTIL(app, app->gone == expected + 1);
			expected++;
			WAIT_UNTIL(app, http_server_connections(app->server) == 0);
			assert_int_equal(app->gone, expected);
			assert_int_equal(app->open, 0);
		}
	}
}

static void a_reset_inside_a_counted_body_is_noticed(void **state)
{
	struct app *app = *state;
	struct client client;
	client_open(&client, app);
	client_send(&client, "GET /json-hang HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_true(client_wait(&client, "{\"part"));
	client_reset(&client);
	WAIT_UNTIL(app, app->gone == 1 && http_server_connections(app->server) == 0);
}

static void a_client_that_leaves_behind_pipelined_requests_is_noticed(void **state)
{
	struct app *app = *state;
	struct client client;
	client_open(&client, app);
	client_send(&client, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\nGET /hang HTTP/1.1\r\nHost: a\r\n\r\n"
			     "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
	WAIT_UNTIL(app, app->open == 1);
	client_close(&client);
	WAIT_UNTIL(app, app->gone == 1 && http_server_connections(app->server) == 0);
	assert_int_equal(app->requests, 2);
}

static void a_client_that_leaves_while_uploading_is_nothing_to_the_application(void **state)
{
	struct app *app = *state;
	struct client client;
	client_open(&client, app);
	client_send(&client, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\npart");
	app_run_us(app, 5000);
	client_close(&client);
	WAIT_UNTIL(app, http_server_connections(app->server) == 0);
	assert_int_equal(app->requests, 0);
}

/* Fault 31: half-close after the request; the answer is delivered. */
static void a_half_closed_client_gets_its_answer(void **state)
{
	struct app *app = *state;
	struct client client;
	client_open(&client, app);
	client_send(&client, "GET /hang HTTP/1.1\r\nHost: a\r\n\r\n");
	WAIT_UNTIL(app, app->open == 1);
	shutdown(client.fd, SHUT_WR);
	WAIT_UNTIL(app, (client_read(&client), client_count(&client, "HTTP/1.1 102 Processing\r\n\r\n") == 2));
	app_run_us(app, 200000);
	assert_int_equal(app->gone, 0);
	client_read(&client);
	assert_int_equal(client_count(&client, "HTTP/1.1 102 Processing\r\n\r\n"), 2);
	app_answer(app->last->request, 200, SPAN("\"at last\""));
	exchange_end(app->last);
	client_wait_close(&client);
	assert_non_null(strstr(client.in, "\"at last\""));
	assert_int_equal(app->gone, 0);
	client_close(&client);
}

static void a_request_and_its_half_close_may_come_together(void **state)
{
	struct app *app = *state;
	struct client client;
	client_open(&client, app);
	client_send(&client, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\nGET /later HTTP/1.1\r\nHost: a\r\n\r\n");
	shutdown(client.fd, SHUT_WR);
	client_wait_close(&client);
	assert_non_null(strstr(client.in, "{\"hello\":\"world\"}"));
	assert_non_null(strstr(client.in, "{\"later\":true}"));
	assert_int_equal(app->gone, 0);
	client_close(&client);
}

static void a_half_close_in_a_stream_is_probed_with_a_comment(void **state)
{
	struct app *app = *state;
	struct client client;
	client_open(&client, app);
	client_send(&client, "GET /sse-hang HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_true(client_wait(&client, "data: first\n\n"));
	shutdown(client.fd, SHUT_WR);
	assert_true(client_wait(&client, "2\r\n:\n\r\n"));
	app_run_us(app, 100000);
	assert_int_equal(app->gone, 0);
	assert_true(http_respond_write(app->last->request, SPAN("data: second\n\n")));
	http_respond_finish(app->last->request);
	exchange_end(app->last);
	client_wait_close(&client);
	assert_non_null(strstr(client.in, "data: second\n\n"));
	assert_non_null(strstr(client.in, "0\r\n\r\n"));
	client_close(&client);
}

static void a_half_closed_client_that_then_leaves_is_noticed_by_the_next_write(void **state)
{
	struct app *app = *state;
	struct client client;
	client_open(&client, app);
	client_send(&client, "GET /sse-hang HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_true(client_wait(&client, "data: first\n\n"));
	shutdown(client.fd, SHUT_WR);
	app_run_us(app, 150000);
	client_close(&client);
	app_run_us(app, 20000);
	if (app->gone == 0)
		assert_true(http_respond_write(app->last->request, SPAN("data: second\n\n")));
	WAIT_UNTIL(app, app->gone == 1 && http_server_connections(app->server) == 0);
}

/* Reads more than what counts as progress. */
static void read_some(struct app *app, struct client *client)
{
	char part[65536];
	size_t got = 0;
	while (got < 16384) {
		ssize_t more = recv(client->fd, part, sizeof(part), MSG_DONTWAIT);
		if (more < 0 && errno == EAGAIN)
			app_run_us(app, 1000);
		else
			assert_true(more > 0);
		got += more > 0 ? (size_t)more : 0;
	}
}

static void a_reader_that_stops_before_the_end_of_a_finished_response_is_cut_off(void **state)
{
	struct app *app = *state;
	struct client slow, dead;
	client_open_port(&slow, app, app->port, 8192);
	client_open_port(&dead, app, app->port, 8192);
	client_send(&slow, "GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
	client_send(&dead, "GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
	WAIT_UNTIL(app, app->requests == 2);
	app_run_us(app, 20000);
	assert_int_equal(http_server_connections(app->server), 2);
	/* the kernel's own buffer may still fill in the first periods */
	for (int i = 0; i < 6 && http_server_connections(app->server) == 2; i++) {
		read_some(app, &slow);
		app_skip_seconds(app, 61);
		app_run_us(app, 20000);
	}
	assert_int_equal(http_server_connections(app->server), 1);
	client_read(&slow);
	assert_false(slow.closed);
	assert_int_equal(app->gone, 0);
	client_close(&slow);
	client_close(&dead);
}

static void a_connection_that_says_nothing_is_closed(void **state)
{
	struct app *app = *state;
	struct client client;
	client_open(&client, app);
	WAIT_UNTIL(app, http_server_connections(app->server) == 1);
	app_skip_seconds(app, 61);
	client_wait_close(&client);
	assert_int_equal(http_server_connections(app->server), 0);
	client_close(&client);
}

static void connections_beyond_the_cap_wait_in_the_kernel_while_all_are_busy(void **state)
{
	struct app *app = *state;
	struct client clients[3];
	app->config.limits.connections = 2;
	for (int i = 0; i < 3; i++) {
		client_open(&clients[i], app);
		client_send(&clients[i], i < 2 ? "GET /sse-hang HTTP/1.1\r\nHost: a\r\n\r\n"
					       : "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
	}
	assert_true(client_wait(&clients[0], "first"));
	assert_true(client_wait(&clients[1], "first"));
	app_run_us(app, 20000);
	assert_int_equal(http_server_connections(app->server), 2);
	client_close(&clients[0]);
	assert_true(client_wait(&clients[2], "world"));
	client_close(&clients[1]);
	client_close(&clients[2]);
}

static void the_connection_that_was_idle_for_longest_yields(void **state)
{
	struct app *app = *state;
	struct client busy, first, second, fresh;
	app->config.limits.connections = 3;
	client_open(&busy, app);
	client_send(&busy, "GET /sse-hang HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_true(client_wait(&busy, "first"));
	client_open(&first, app);
	client_send(&first, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_true(client_wait(&first, "world"));
	client_open(&second, app);
	client_send(&second, "GET /hel");
	WAIT_UNTIL(app, http_server_connections(app->server) == 3);
	client_open(&fresh, app);
	client_send(&fresh, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_true(client_wait(&fresh, "world"));
	client_wait_close(&first);
	client_send(&second, "lo HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_true(client_wait(&second, "world"));
	assert_int_equal(app->open, 1);
	client_close(&busy);
	client_close(&first);
	client_close(&second);
	client_close(&fresh);
}

static void one_address_has_a_share_of_its_own(void **state)
{
	struct app *app = *state;
	struct client clients[3];
	app->config.limits.connections_per_address = 2;
	for (int i = 0; i < 3; i++)
		client_open(&clients[i], app);
	assert_true(client_wait(&clients[2], "HTTP/1.1 503 "));
	assert_int_equal(http_server_connections(app->server), 2);
	client_close(&clients[0]);
	client_close(&clients[2]);
	WAIT_UNTIL(app, http_server_connections(app->server) == 1);
	client_open(&clients[0], app);
	client_send(&clients[0], "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_true(client_wait(&clients[0], "world"));
	client_close(&clients[0]);
	client_close(&clients[1]);
}

/* The number of an address in the table, to those who know the program but not the process. */
static uint64_t guess_number(uint32_t address)
{
	sa_family_t family = AF_INET;
	struct in_addr in = {htonl(address)};
	uint64_t hash = hash_bytes(HASH_START, (struct span){(char *)&family, sizeof(family)});
	return hash_bytes(hash, (struct span){(char *)&in, sizeof(in)}) % CROWD_ADDRESSES;
}

/*
 * Addresses that share a number share the limits of connections, bodies and memory. Who has many addresses could
 * compute which of them shares the number of a client, and use up that client's share.
 */
static void nobody_can_tell_which_addresses_share_a_number(void **state)
{
	struct app *app = *state;
	struct client clients[3], victim;
	struct sockaddr_in from = {.sin_family = AF_INET};
	uint32_t address = INADDR_LOOPBACK + 1;
	app->config.limits.connections_per_address = 2;
	while (guess_number(address) != guess_number(INADDR_LOOPBACK))
		address++;
	from.sin_addr.s_addr = htonl(address);
	for (int i = 0; i < 3; i++) {
		client_prepare(&clients[i], app);
		assert_int_equal(bind(clients[i].fd, (struct sockaddr *)&from, sizeof(from)), 0);
		client_connect(&clients[i], app->port);
	}
	assert_true(client_wait(&clients[2], "HTTP/1.1 503 "));
	client_open(&victim, app);
	client_send(&victim, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_true(client_wait(&victim, "HTTP/1.1 200 "));
	client_close(&victim);
	for (int i = 0; i < 3; i++)
		client_close(&clients[i]);
}

static size_t open_descriptors(void)
{
	size_t count = 0;
	for (int fd = 0; fd < 4096; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

/*
 * After a refusal the descriptor stays for two seconds, for the client to read it. Such connections count for nobody:
 * one address had all descriptors of the process with 500 refused requests a second, and others got 503.
 */
static void refused_clients_hold_few_descriptors(void **state)
{
	enum { CLIENTS = 200, MOST = 64 };
	struct app *app = *state;
	static struct client clients[CLIENTS];
	size_t before = open_descriptors();
	for (int i = 0; i < CLIENTS; i++) {
		client_open(&clients[i], app);
		client_send(&clients[i], "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n{");
		assert_true(client_wait(&clients[i], "HTTP/1.1 413 "));
	}
	WAIT_UNTIL(app, http_server_connections(app->server) == 0);
	assert_true(open_descriptors() <= before + CLIENTS + MOST);
	for (int i = 0; i < CLIENTS; i++)
		client_close(&clients[i]);
}

/* Fault 40: a refusal, no spin, and recovery. */
static void without_descriptors_a_client_is_refused(void **state)
{
	struct app *app = *state;
	struct client clients[2];
	struct rlimit old, none;
	client_open(&clients[0], app);
	client_open(&clients[1], app);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = old;
	none.rlim_cur = (rlim_t)clients[1].fd + 1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	client_send(&clients[0], "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
	bool refused = client_wait(&clients[0], "HTTP/1.1 503 ");
	unsigned turns = 0;
	for (uint64_t until = app_now_us(app) + 20000; app_now_us(app) < until; turns++)
		loop_turn(app->loop, 100000);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_true(refused);
	assert_non_null(strstr(clients[0].in, "\"overloaded\"}}"));
	assert_true(turns < 20);
	client_send(&clients[1], "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_true(client_wait(&clients[1], "HTTP/1.1 200 "));
	client_close(&clients[0]);
	client_close(&clients[1]);
}

static void draining_closes_idle_connections_and_finishes_running_requests(void **state)
{
	struct app *app = *state;
	struct client idle, busy, fresh;
	client_open(&idle, app);
	client_send(&idle, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_true(client_wait(&idle, "world"));
	client_open(&fresh, app);
	client_open(&busy, app);
	client_send(&busy, "GET /hang HTTP/1.1\r\nHost: a\r\n\r\n");
	WAIT_UNTIL(app, app->open == 1);
	http_server_drain(app->server);
	client_wait_close(&idle);
	client_wait_close(&fresh);
	assert_int_equal(http_server_connections(app->server), 1);
	app_answer(app->last->request, 200, SPAN("\"done\""));
	exchange_end(app->last);
	client_wait_close(&busy);
	assert_non_null(strstr(busy.in, "Connection: close\r\n"));
	assert_non_null(strstr(busy.in, "\"done\""));
	WAIT_UNTIL(app, http_server_connections(app->server) == 0);
	client_close(&idle);
	client_close(&fresh);
	client_close(&busy);
}

static void destroying_tells_every_running_request(void **state)
{
	struct app *app = *state;
	static const char *const paths[] = {"/hang", "/sse-hang", "/json-hang", "/stream?n=10000&size=4000", "/hello"};
	struct client clients[6];
	for (int i = 0; i < 5; i++) {
		char head[128];
		client_open_port(&clients[i], app, app->port, 8192);
		snprintf(head, sizeof(head), "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", paths[i]);
		client_send(&clients[i], head);
	}
	client_open(&clients[5], app);
	WAIT_UNTIL(app, app->requests == 5 && http_server_connections(app->server) == 6);
	app_run_us(app, 20000);
	http_server_destroy(app->server);
	assert_int_equal(app->gone, 4);
	assert_int_equal(app->open, 0);
	for (int i = 0; i < 6; i++)
		client_close(&clients[i]);
	struct buf error;
	const struct http_server_callbacks callbacks = {.on_request = app_on_request, .context = app};
	buf_init(&error, 4096);
	app->server = http_server_create(app->loop, &app->config, &callbacks, &error);
}

static void a_taken_port_and_a_missing_certificate_are_named(void **state)
{
	struct app *app = *state;
	struct buf error;
	struct http_listener_address address = {.fd = -1};
	const struct http_server_callbacks callbacks = {.on_request = app_on_request, .context = app};
	struct config_listener listener = {.host = "127.0.0.1", .port = "0", .line = 7};
	struct config config = app->config;
	config.listeners = &listener;
	buf_init(&error, 4096);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(any);
	assert_int_equal(bind(fd, (struct sockaddr *)&any, len), 0);
	assert_int_equal(listen(fd, 1), 0);
	getsockname(fd, (struct sockaddr *)&any, &len);
	char port[8];
	snprintf(port, sizeof(port), "%u", ntohs(any.sin_port));
	listener.port = port;
	struct http_server *server = http_server_create(app->loop, &config, &callbacks, &error);
	assert_non_null(server);
	assert_false(http_server_listen(server, &address, &error));
	close(fd);
	/* also when the other one shares ports, as another process of ours would */
	listener.port = strrchr(app->addresses[0].text, ':') + 1;
	assert_false(http_server_listen(server, &address, &error));
	/* but a second worker, which knows the address, shares it */
	assert_true(http_server_listen(server, app->addresses, &error));
	http_server_destroy(server);
	buf_append(&error, (struct span){"", 1});
	assert_non_null(strstr(buf_span(&error).at, "test.yaml:7: listen[0]: cannot listen on 127.0.0.1:"));
	buf_reset(&error);
	listener.tls_certificate = "/nonexistent/cert.pem";
	listener.tls_key = "/nonexistent/key.pem";
	assert_null(http_server_create(app->loop, &config, &callbacks, &error));
	buf_append(&error, (struct span){"", 1});
	assert_non_null(strstr(buf_span(&error).at, "test.yaml:7: listen[0].tls.certificate: /nonexistent/cert.pem: "
						    "No such file or directory; expected "));
	buf_fini(&error);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, app_tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(a_get_is_answered_and_the_connection_kept),
	    TEST(a_body_arrives_by_length_and_by_chunks),
	    TEST(bodies_of_all_sizes_may_follow_each_other),
	    TEST(expect_100_continue_is_honoured),
	    TEST(pipelined_requests_are_answered_in_order),
	    TEST(a_stream_is_chunked_and_complete),
	    TEST(the_head_of_a_stream_leaves_before_there_is_content),
	    TEST(an_unknown_length_works_for_every_status),
	    TEST(http_1_0_ends_with_the_connection),
	    TEST(close_counts_wherever_it_stands),
	    TEST(head_gets_no_body),
	    TEST(the_absolute_form_of_a_target_is_understood),
	    TEST(an_aborted_response_is_visibly_incomplete),
	    TEST(a_body_over_the_limit_is_413),
	    TEST(a_client_that_is_still_uploading_can_read_the_refusal),
	    TEST(a_head_is_refused_when_parsers_may_read_it_differently),
	    TEST(a_refused_head_is_answered_and_the_connection_closed),
	    TEST(broken_chunks_are_refused_in_our_form),
	    TEST(a_big_head_is_431),
	    TEST(a_slow_reader_is_waited_for_and_gets_everything_in_order),
	    TEST(a_client_that_leaves_is_noticed),
	    TEST(a_reset_inside_a_counted_body_is_noticed),
	    TEST(a_client_that_leaves_behind_pipelined_requests_is_noticed),
	    TEST(a_client_that_leaves_while_uploading_is_nothing_to_the_application),
	    TEST(a_half_closed_client_gets_its_answer),
	    TEST(a_request_and_its_half_close_may_come_together),
	    TEST(a_half_close_in_a_stream_is_probed_with_a_comment),
	    TEST(a_half_closed_client_that_then_leaves_is_noticed_by_the_next_write),
	    TEST(a_reader_that_stops_before_the_end_of_a_finished_response_is_cut_off),
	    TEST(a_connection_that_says_nothing_is_closed),
	    TEST(connections_beyond_the_cap_wait_in_the_kernel_while_all_are_busy),
	    TEST(the_connection_that_was_idle_for_longest_yields),
	    TEST(one_address_has_a_share_of_its_own),
	    TEST(nobody_can_tell_which_addresses_share_a_number),
	    TEST(refused_clients_hold_few_descriptors),
	    TEST(without_descriptors_a_client_is_refused),
	    TEST(draining_closes_idle_connections_and_finishes_running_requests),
	    TEST(destroying_tells_every_running_request),
	    TEST(a_taken_port_and_a_missing_certificate_are_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
