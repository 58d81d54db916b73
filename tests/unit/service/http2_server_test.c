/* SPDX-License-Identifier: MIT */
/* HTTP/2 and TLS as clients see them: an nghttp2 client against the server with a tiny application, in one thread. */
#include "tests/unit/service/http2_client.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

static char certificate_path[64];
static char key_path[64];
static SSL_CTX *client_tls;

static FILE *temporary(char path[64], const char *name)
{
	snprintf(path, 64, "/tmp/sluice-%s-XXXXXX", name);
	return fdopen(mkstemp(path), "w");
}

/* A self-signed certificate for localhost, in files. */
static int make_certificate(void **state)
{
	(void)state;
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = X509_new();
	X509_set_version(certificate, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
	X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
	X509_set_pubkey(certificate, key);
	X509_NAME *name = X509_get_subject_name(certificate);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1, -1, 0);
	X509_set_issuer_name(certificate, name);
	assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
	FILE *file = temporary(certificate_path, "cert");
	PEM_write_X509(file, certificate);
	fclose(file);
	file = temporary(key_path, "key");
	PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
	fclose(file);
	X509_free(certificate);
	EVP_PKEY_free(key);
	client_tls = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_verify(client_tls, SSL_VERIFY_NONE, NULL);
	return 0;
}

static int remove_certificate(void **state)
{
	(void)state;
	SSL_CTX_free(client_tls);
	unlink(certificate_path);
	unlink(key_path);
	return 0;
}

static int setup(void **state)
{
	struct app *app = app_create();
	app_add_tls(app, certificate_path, key_path);
	return app_set_up(state, app);
}

static void a_request_is_answered(void **state)
{
	struct app *app = *state;
	struct h2_client client;
	h2_client_open(&client, app, false, NULL);
	struct h2_reply *reply = h2_send(&client, "POST", "/echo?q", NULL, "body", 4);
	H2_WAIT(&client, reply->closed);
	assert_int_equal(reply->status, 200);
	assert_string_equal(reply->body, "body");
	assert_int_equal(reply->code, NGHTTP2_NO_ERROR);
	reply = h2_send(&client, "HEAD", "/hello", NULL, NULL, 0);
	H2_WAIT(&client, reply->closed);
	assert_int_equal(reply->status, 200);
	assert_int_equal(reply->len, 0);
	reply = h2_get(&client, "/host");
	H2_WAIT(&client, reply->closed);
	assert_string_equal(reply->body, "a.example");
	h2_client_close(&client);
	WAIT_UNTIL(app, http_server_connections(app->server) == 0);
	assert_int_equal(app->gone, 0);
}

static void the_preface_may_come_byte_by_byte(void **state)
{
	struct app *app = *state;
	struct client client;
	static const char preface[] = NGHTTP2_CLIENT_MAGIC;
	client_open(&client, app);
	for (size_t i = 0; i < NGHTTP2_CLIENT_MAGIC_LEN; i++) {
		client_send_bytes(&client, &preface[i], 1);
		app_run_us(app, 500);
	}
	client_send_bytes(&client, "\0\0\0\4\0\0\0\0\0", 9);
	WAIT_UNTIL(app, (client_read(&client), client.len >= 9));
	assert_int_equal(client.in[3], NGHTTP2_SETTINGS);
	client_close(&client);
	/* and what only begins like it is HTTP/1.1 */
	client_open(&client, app);
	client_send(&client, "PR");
	app_run_us(app, 2000);
	client_send(&client, "OBE /hello HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_true(client_wait(&client, "HTTP/1.1 200 OK"));
	client_close(&client);
}

static void a_hundred_streams_run_at_once(void **state)
{
	struct app *app = *state;
	struct h2_client client;
	h2_client_open(&client, app, false, NULL);
	for (int i = 0; i < 100; i++)
		h2_get(&client, i % 3 == 0 ? "/stream?n=50&size=3000" : i % 3 == 1 ? "/later" : "/hello");
	for (int i = 0; i < 100; i++)
		H2_WAIT(&client, client.replies[i].closed);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(client.replies[i].status, 200);
		assert_int_equal(client.replies[i].len, i % 3 == 0 ? 150000 : i % 3 == 1 ? 14 : 17);
	}
	assert_int_equal(app->requests, 100);
	assert_int_equal(app->open, 0);
	h2_client_close(&client);
}

static void a_reader_that_gives_no_window_is_waited_for(void **state)
{
	struct app *app = *state;
	struct h2_client client;
	h2_client_open(&client, app, true, NULL);
	struct h2_reply *reply = h2_get(&client, "/stream?n=200&size=10000");
	H2_WAIT(&client, reply->len == 65535);
	for (int i = 0; i < 20; i++)
		h2_turn(&client);
	assert_int_equal(reply->len, 65535);
	assert_true(app->backlog_peak < HTTP_BACKLOG_HIGH * 2);
	size_t sent = app->last->events_sent;
	assert_true(sent < 30);
	while (!reply->closed) {
		nghttp2_submit_window_update(client.session, NGHTTP2_FLAG_NONE, 0, 20000);
		nghttp2_submit_window_update(client.session, NGHTTP2_FLAG_NONE, reply->id, 20000);
		size_t before = reply->len;
		h2_turn(&client); /* at the end the body may be complete before the stream is */
		H2_WAIT(&client, reply->closed || reply->len == before + 20000 || reply->len == 2000000);
	}
	assert_true(app->drained > 0);
	assert_int_equal(reply->len, 2000000);
	for (size_t i = 0; i < 200; i++)
		assert_int_equal(strtoul(reply->body + i * 10000 + 6, NULL, 10), i);
	h2_client_close(&client);
}

static void a_stalled_stream_does_not_hold_up_its_neighbour(void **state)
{
	struct app *app = *state;
	struct h2_client client;
	h2_client_open(&client, app, true, NULL);
	nghttp2_submit_window_update(client.session, NGHTTP2_FLAG_NONE, 0, 10 << 20);
	struct h2_reply *stalled = h2_get(&client, "/stream?n=200&size=10000");
	H2_WAIT(&client, stalled->len == 65535);
	struct h2_reply *other = h2_get(&client, "/stream?n=6&size=10000");
	H2_WAIT(&client, other->closed);
	assert_int_equal(other->len, 60000);
	h2_client_close(&client);
	WAIT_UNTIL(app, app->gone == 1 && app->open == 0);
}

static void a_reset_or_a_lost_connection_is_told_once(void **state)
{
	static const char *const paths[] = {"/hang", "/sse-hang", "/head-hang", "/stream?n=200&size=10000"};
	struct app *app = *state;
	struct h2_client client;
	h2_client_open(&client, app, true, NULL);
	for (unsigned i = 0; i < 4; i++) {
		struct h2_reply *reply = h2_get(&client, paths[i]);
		H2_WAIT(&client, app->open == 1);
		for (int turn = 0; turn < 5; turn++)
			h2_turn(&client);
		nghttp2_submit_rst_stream(client.session, NGHTTP2_FLAG_NONE, reply->id, NGHTTP2_CANCEL);
		H2_WAIT(&client, app->gone == i + 1);
		assert_int_equal(app->open, 0);
	}
	for (int i = 0; i < 4; i++)
		h2_get(&client, paths[i]);
	H2_WAIT(&client, app->open == 4);
	h2_client_close(&client);
	WAIT_UNTIL(app, app->gone == 8 && http_server_connections(app->server) == 0);
	assert_int_equal(app->open, 0);
}

static void an_aborted_response_is_reset_after_what_was_written(void **state)
{
	struct h2_client client;
	h2_client_open(&client, *state, false, NULL);
	struct h2_reply *reply = h2_get(&client, "/abort");
	H2_WAIT(&client, reply->closed);
	assert_string_equal(reply->body, "data: part\n\n");
	assert_int_equal(reply->code, NGHTTP2_INTERNAL_ERROR);
	reply = h2_get(&client, "/abort-headless");
	H2_WAIT(&client, reply->closed);
	assert_int_equal(reply->status, 0);
	assert_int_equal(reply->code, NGHTTP2_INTERNAL_ERROR);
	h2_client_close(&client);
}

static void a_body_over_the_limit_is_413_and_the_rest_unwanted(void **state)
{
	struct app *app = *state;
	struct h2_client client;
	size_t len = 3 << 20;
	char *body = calloc(1, len);
	h2_client_open(&client, app, false, NULL);
	struct h2_reply *reply = h2_send(&client, "POST", "/length", NULL, body, len);
	H2_WAIT(&client, reply->closed);
	assert_int_equal(reply->status, 413);
	assert_int_equal(reply->code, NGHTTP2_NO_ERROR);
	assert_true(reply->upload_left > 0);
	reply = h2_send(&client, "POST", "/length", NULL, body, app->config.limits.body);
	H2_WAIT(&client, reply->closed);
	assert_int_equal(reply->status, 200);
	assert_string_equal(reply->body, "1048576");
	h2_client_close(&client);
	free(body);
}

static void expect_100_continue_is_honoured(void **state)
{
	struct h2_client client;
	h2_client_open(&client, *state, false, NULL);
	client.wait_for_continue = true;
	struct h2_reply *reply =
	    h2_send(&client, "POST", "/echo", (const char *[]){"expect", "100-continue"}, "body", 4);
	H2_WAIT(&client, reply->closed);
	assert_true(reply->continued);
	assert_string_equal(reply->body, "body");
	reply = h2_send(&client, "POST", "/echo", (const char *[]){"expect", "a miracle"}, "body", 4);
	H2_WAIT(&client, reply->closed);
	assert_int_equal(reply->status, 417);
	h2_client_close(&client);
}

static void malformed_requests_are_reset_without_reaching_the_application(void **state)
{
	static const char *const extras[][2] = {
	    {"connection", "close"}, {"transfer-encoding", "chunked"}, {"te", "gzip"}, {":path", "/second"},
	    {":unknown", "x"},       {"content-length", "9"},          {"x", "a\nb"},
	};
	struct app *app = *state;
	struct h2_client client;
	h2_client_open(&client, app, false, NULL);
	for (size_t i = 0; i < sizeof(extras) / sizeof(extras[0]); i++) {
		struct h2_reply *reply = h2_send(&client, "POST", "/echo", extras[i], "body", 4);
		H2_WAIT(&client, reply->closed);
		if (reply->code != NGHTTP2_PROTOCOL_ERROR)
			fail_msg("%s: %s: %u", extras[i][0], extras[i][1], reply->code);
	}
	assert_int_equal(app->requests, 0);
	h2_client_close(&client);
}

static void a_big_head_is_431_and_its_neighbours_live(void **state)
{
	struct app *app = *state;
	struct h2_client client;
	char value[17000];
	memset(value, 'v', sizeof(value));
	value[sizeof(value) - 1] = '\0';
	h2_client_open(&client, app, false, NULL);
	struct h2_reply *reply = h2_send(&client, "GET", "/hello", (const char *[]){"x", value}, NULL, 0);
	struct h2_reply *other = h2_get(&client, "/hello");
	H2_WAIT(&client, reply->closed && other->closed);
	assert_int_equal(reply->status, 431);
	assert_int_equal(other->status, 200);
	h2_client_close(&client);
}

/* Fault 34, CVE-2023-44487: a request and its reset in one packet reach nobody; too many end the connection. */
static void rapid_resets_reach_nobody_and_end_the_connection(void **state)
{
	struct app *app = *state;
	struct h2_client client;
	h2_client_open(&client, app, false, NULL);
	H2_WAIT(&client,
		nghttp2_session_get_remote_settings(client.session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS) == 100);
	unsigned sent = 0;
	while (!client.goaway && !client.closed && sent < 20000) {
		for (int i = 0; i < 50; i++, sent++) {
			client.count = 0;
			struct h2_reply *reply = h2_get(&client, "/hang");
			const uint8_t *bytes;
			ssize_t len = nghttp2_session_mem_send(client.session, &bytes);
			send(client.fd, bytes, (size_t)len, MSG_NOSIGNAL);
			nghttp2_submit_rst_stream(client.session, NGHTTP2_FLAG_NONE, reply->id, NGHTTP2_CANCEL);
			h2_write(&client);
		}
		h2_turn(&client);
	}
	assert_true(client.goaway);
	assert_int_equal(client.goaway_code, NGHTTP2_ENHANCE_YOUR_CALM);
	assert_true(sent < 5000);
	assert_true(app->requests < 20);
	h2_client_close(&client);
	WAIT_UNTIL(app, app->open == 0);
}

/* Fault 33 */
static void a_flood_of_pings_or_settings_ends_the_connection(void **state)
{
	for (int kind = 0; kind < 2; kind++) {
		struct h2_client client;
		h2_client_open(&client, *state, false, NULL);
		H2_WAIT(&client, nghttp2_session_get_remote_settings(client.session,
								     NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS) == 100);
		for (int i = 0; i < 5000 && !client.goaway; i++) {
			if (kind == 0)
				nghttp2_submit_ping(client.session, NGHTTP2_FLAG_NONE, NULL);
			else
				nghttp2_submit_settings(client.session, NGHTTP2_FLAG_NONE, NULL, 0);
			h2_write(&client);
			if (i % 20 == 0)
				h2_turn(&client);
		}
		H2_WAIT(&client, client.goaway);
		assert_int_equal(client.goaway_code, NGHTTP2_ENHANCE_YOUR_CALM);
		H2_WAIT(&client, client.closed);
		h2_client_close(&client);
	}
}

static void draining_says_goaway_and_finishes_the_streams(void **state)
{
	struct app *app = *state;
	struct h2_client client, idle;
	h2_client_open(&client, app, false, NULL);
	h2_client_open(&idle, app, false, NULL);
	struct h2_reply *reply = h2_get(&client, "/hang");
	struct h2_reply *hello = h2_get(&idle, "/hello");
	H2_WAIT(&client, app->open == 1);
	H2_WAIT(&idle, hello->closed);
	http_server_drain(app->server);
	H2_WAIT(&client, client.goaway);
	assert_int_equal(client.goaway_code, NGHTTP2_NO_ERROR);
	H2_WAIT(&idle, idle.closed);
	for (int i = 0; i < 1000; i++)
		h2_turn(&client);
	assert_false(client.closed);
	app_answer(app->last->request, 200, SPAN("\"done\""));
	exchange_end(app->last);
	H2_WAIT(&client, client.closed);
	assert_string_equal(reply->body, "\"done\"");
	h2_client_close(&client);
	h2_client_close(&idle);
	WAIT_UNTIL(app, http_server_connections(app->server) == 0);
}

static void idle_and_stuck_connections_are_closed_and_busy_ones_are_not(void **state)
{
	struct app *app = *state;
	struct h2_client idle, busy, stuck;
	h2_client_open(&idle, app, false, NULL);
	h2_client_open(&busy, app, false, NULL);
	h2_client_open(&stuck, app, true, NULL);
	nghttp2_submit_window_update(stuck.session, NGHTTP2_FLAG_NONE, 0, 1 << 30);
	struct h2_reply *reply = h2_get(&idle, "/hello");
	H2_WAIT(&idle, reply->closed);
	h2_get(&busy, "/hang");
	H2_WAIT(&busy, app->open == 1);
	const nghttp2_settings_entry window = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 30};
	nghttp2_submit_settings(stuck.session, NGHTTP2_FLAG_NONE, &window, 1);
	h2_get(&stuck, "/stream?n=10000&size=10000");
	h2_write(&stuck); /* and reads nothing any more */
	WAIT_UNTIL(app, app->open == 2);
	app_run_us(app, 50000);
	for (int i = 0; i < 3; i++) {
		app_skip_seconds(app, 61);
		h2_turn(&idle);
	}
	H2_WAIT(&idle, idle.closed);
	assert_true(idle.goaway);
	WAIT_UNTIL(app, app->gone == 1 && http_server_connections(app->server) == 1);
	assert_false(busy.closed);
	h2_client_close(&idle);
	h2_client_close(&stuck);
	h2_client_close(&busy);
}

static void destroying_tells_every_stream(void **state)
{
	struct app *app = *state;
	struct h2_client client, tls;
	h2_client_open(&client, app, true, NULL);
	h2_client_open(&tls, app, true, client_tls);
	static const char *const paths[] = {"/hang", "/sse-hang", "/stream?n=1000&size=10000"};
	for (int i = 0; i < 3; i++) {
		h2_get(&client, paths[i]);
		h2_get(&tls, paths[i]);
	}
	H2_WAIT(&client, app->open == 3);
	H2_WAIT(&tls, app->open == 6);
	app_stop(app);
	assert_int_equal(app->gone, 6);
	h2_client_close(&client);
	h2_client_close(&tls);
	memset(app->addresses, 0, sizeof(app->addresses));
	app_start(app);
}

static void tls_speaks_http2_by_alpn(void **state)
{
	struct app *app = *state;
	struct h2_client client;
	h2_client_open(&client, app, false, client_tls);
	struct h2_reply *stream = h2_get(&client, "/stream?n=300&size=10000");
	struct h2_reply *echo = h2_send(&client, "POST", "/echo", NULL, "body", 4);
	H2_WAIT(&client, stream->closed && echo->closed);
	assert_int_equal(stream->len, 3000000);
	assert_string_equal(echo->body, "body");
	h2_get(&client, "/hang");
	H2_WAIT(&client, app->open == 1);
	h2_client_close(&client);
	WAIT_UNTIL(app, app->gone == 1 && http_server_connections(app->server) == 0);
}

static size_t tls_exchange(struct app *app, SSL *ssl, const char *request, char *out, size_t size, const char *until)
{
	size_t len = 0;
	uint64_t guard = app_now_us(app) + CLIENT_GUARD_US;
	assert_true(SSL_write(ssl, request, (int)strlen(request)) > 0);
	do {
		app_turn(app);
		int got = SSL_read(ssl, out + len, (int)(size - len - 1));
		if (got > 0)
			len += (size_t)got;
		out[len] = '\0';
		if (strstr(out, until) != NULL)
			return len;
	} while (app_now_us(app) < guard);
	fail_msg("never: %s", until);
	return 0;
}

static void tls_speaks_http1_by_alpn_and_notices_who_leaves(void **state)
{
	static const char *const waits[] = {"/hang", "/sse-hang", "/json-hang", "/stream?n=100000&size=4000"};
	struct app *app = *state;
	for (unsigned i = 0; i < 8; i++) { /* closing, then only half-closing, which TLS does not tell apart */
		struct client client;
		SSL *ssl;
		char out[65536];
		char request[128];
		client_open_port(&client, app, app->tls_port, 8192);
		tls_connect(app, client.fd, client_tls, &ssl, "http/1.1");
		tls_exchange(app, ssl, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", out, sizeof(out), "world");
		snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", waits[i % 4]);
		SSL_write(ssl, request, (int)strlen(request));
		WAIT_UNTIL(app, app->open == 1);
		app_run_us(app, 10000);
		SSL_shutdown(ssl);
		if (i < 4)
			close(client.fd);
		else
			shutdown(client.fd, SHUT_WR);
		WAIT_UNTIL(app, app->gone == i + 1);
		WAIT_UNTIL(app, http_server_connections(app->server) == 0);
		SSL_free(ssl);
		if (i < 4)
			client.fd = -1;
		client_close(&client);
	}
}

static void old_tls_and_cleartext_are_refused_on_a_tls_port(void **state)
{
	struct app *app = *state;
	struct client client;
	client_open_port(&client, app, app->tls_port, 0);
	client_send(&client, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
	client_wait_close(&client);
	assert_null(strstr(client.in, "HTTP"));
	client_close(&client);
	SSL_CTX *old = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_security_level(old, 0);
	SSL_CTX_set_min_proto_version(old, TLS1_1_VERSION);
	SSL_CTX_set_max_proto_version(old, TLS1_1_VERSION);
	client_open_port(&client, app, app->tls_port, 0);
	SSL *ssl = SSL_new(old);
	SSL_set_fd(ssl, client.fd);
	int done;
	while ((done = SSL_connect(ssl)) != 1 && SSL_get_error(ssl, done) == SSL_ERROR_WANT_READ)
		app_turn(app);
	assert_int_not_equal(done, 1);
	SSL_free(ssl);
	SSL_CTX_free(old);
	client_close(&client);
	WAIT_UNTIL(app, http_server_connections(app->server) == 0);
	assert_int_equal(app->requests, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, app_tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(a_request_is_answered),
	    TEST(the_preface_may_come_byte_by_byte),
	    TEST(a_hundred_streams_run_at_once),
	    TEST(a_reader_that_gives_no_window_is_waited_for),
	    TEST(a_stalled_stream_does_not_hold_up_its_neighbour),
	    TEST(a_reset_or_a_lost_connection_is_told_once),
	    TEST(an_aborted_response_is_reset_after_what_was_written),
	    TEST(a_body_over_the_limit_is_413_and_the_rest_unwanted),
	    TEST(expect_100_continue_is_honoured),
	    TEST(malformed_requests_are_reset_without_reaching_the_application),
	    TEST(a_big_head_is_431_and_its_neighbours_live),
	    TEST(rapid_resets_reach_nobody_and_end_the_connection),
	    TEST(a_flood_of_pings_or_settings_ends_the_connection),
	    TEST(draining_says_goaway_and_finishes_the_streams),
	    TEST(idle_and_stuck_connections_are_closed_and_busy_ones_are_not),
	    TEST(destroying_tells_every_stream),
	    TEST(tls_speaks_http2_by_alpn),
	    TEST(tls_speaks_http1_by_alpn_and_notices_who_leaves),
	    TEST(old_tls_and_cleartext_are_refused_on_a_tls_port),
	};
	return cmocka_run_group_tests(tests, make_certificate, remove_certificate);
}
