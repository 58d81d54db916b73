/* SPDX-License-Identifier: MIT */
/* TLS towards backends: row 4, sessions, and what an end without close_notify means. */
#include "tests/unit/clients/test_call.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "lib/errors.h"

static SSL_CTX *server_context;
static char ca_path[] = "/tmp/sluice-test-ca-XXXXXX";
static char key_path[] = "/tmp/sluice-test-key-XXXXXX";
static char other_key_path[] = "/tmp/sluice-test-other-XXXXXX";
static atomic_int resumed;
static const char *tls_answer = REPLY(2, "ok");
static atomic_bool abrupt; /* the server closes without a close_notify */

static void write_key(char *path, EVP_PKEY *key)
{
	FILE *file = fdopen(mkstemp(path), "w");
	PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
	fclose(file);
}

/* A self-signed certificate for 127.0.0.1, written to ca_path as well, and its key to key_path. */
static void make_certificate(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	X509V3_CTX context;
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_set_version(cert, 2);
	X509_gmtime_adj(X509_getm_notBefore(cert), -60);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_set_pubkey(cert, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC, (const unsigned char *)"test", -1,
				   -1, 0);
	X509_set_issuer_name(cert, X509_get_subject_name(cert));
	X509V3_set_ctx(&context, cert, cert, NULL, NULL, 0);
	X509_EXTENSION *names = X509V3_EXT_conf_nid(NULL, &context, NID_subject_alt_name, "IP:127.0.0.1");
	X509_EXTENSION *basic = X509V3_EXT_conf_nid(NULL, &context, NID_basic_constraints, "CA:TRUE");
	X509_add_ext(cert, names, -1);
	X509_add_ext(cert, basic, -1);
	X509_EXTENSION_free(names);
	X509_EXTENSION_free(basic);
	if (X509_sign(cert, key, EVP_sha256()) == 0)
		abort();
	FILE *file = fdopen(mkstemp(ca_path), "w");
	PEM_write_X509(file, cert);
	fclose(file);
	EVP_PKEY *other = EVP_EC_gen("P-256");
	write_key(key_path, key);
	write_key(other_key_path, other);
	EVP_PKEY_free(other);
	server_context = SSL_CTX_new(TLS_server_method());
	SSL_CTX_set_session_id_context(server_context, (const unsigned char *)"t", 1);
	if (SSL_CTX_use_certificate(server_context, cert) != 1 || SSL_CTX_use_PrivateKey(server_context, key) != 1)
		abort();
	X509_free(cert);
	EVP_PKEY_free(key);
}

static SSL *tls_new(const struct test_peer *peer)
{
	SSL *ssl = SSL_new(server_context);
	SSL_set_fd(ssl, peer->fd);
	return ssl;
}

/* Reads requests whose bodies have LARGE bytes, and answers each with as many, the sum of the body's in front. */
enum { LARGE = 3 << 20 };

static bool read_all(SSL *ssl, char *bytes, size_t len)
{
	for (size_t have = 0; have < len;) {
		int got = SSL_read(ssl, bytes + have, (int)(len - have));
		if (got <= 0)
			return false;
		have += (size_t)got;
	}
	return true;
}

static unsigned long sum_of(const char *bytes, size_t len)
{
	unsigned long sum = 0;
	for (size_t i = 0; i < len; i++)
		sum = sum * 31 + (unsigned char)bytes[i];
	return sum;
}

static void tls_large_script(struct test_peer *peer)
{
	SSL *ssl = tls_new(peer);
	char *body = malloc(LARGE), text[256];
	bool alive = body != NULL && SSL_accept(ssl) == 1;
	while (alive) {
		size_t len = 0;
		do
			alive = len < sizeof(text) && SSL_read(ssl, text + len, 1) == 1;
		while (alive && (++len < 4 || memcmp(text + len - 4, "\r\n\r\n", 4) != 0));
		if (!alive || !read_all(ssl, body, LARGE))
			break;
		peer->server->requests++;
		snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%032lu", LARGE,
			 sum_of(body, LARGE));
		SSL_write(ssl, text, (int)strlen(text));
		SSL_write(ssl, body, LARGE - 32);
	}
	free(body);
	SSL_free(ssl);
}

/* Answers each request of a TLS connection, then closes it. */
static void tls_script(struct test_peer *peer)
{
	SSL *ssl = tls_new(peer);
	char bytes[4096];
	if (SSL_accept(ssl) != 1) {
		shutdown(peer->fd, SHUT_WR); /* a close in front of unread bytes would take the alert back */
		peer_await_close(peer);
		goto out;
	}
	if (SSL_session_reused(ssl))
		resumed++;
	if (SSL_read(ssl, bytes, sizeof(bytes)) > 0) {
		peer->server->requests++;
		SSL_write(ssl, tls_answer, (int)strlen(tls_answer));
	}
	if (!atomic_load(&abrupt))
		SSL_shutdown(ssl);
out:
	SSL_free(ssl);
}

static void not_tls(struct test_peer *peer)
{
	peer_say(peer, "SSH-2.0-nonsense\r\n");
	peer_await_close(peer);
}

/* More for the origin that tls_open makes. */
static const char *client_certificate, *client_key;

static void tls_open(struct test_env *env, test_script script, const char *ca_file, const char *format)
{
	char url[64];
	const char *error = NULL;
	env_open(env, NULL, NULL);
	env->server = test_server_start(script, NULL);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(url, sizeof(url), format, env->server->port);
#pragma GCC diagnostic pop
	struct secret *bearer = secret_create(SPAN("s3cret"));
	struct http_origin_options options = {.url = url,
					      .bearer = bearer,
					      .ca_file = ca_file,
					      .certificate = client_certificate,
					      .key = client_key,
					      .connect_timeout_us = 20000000};
	env->origin = http_origin_create(env->client, &options, &error);
	secret_drop(bearer);
	assert_non_null(env->origin);
}

static void tls_call(struct test_env *env, struct test_call *test, enum error_code expected)
{
	*test = (struct test_call){0};
	call_start(env, test, "{}");
	RUN_UNTIL(env, test->dones > 0);
	call_expect(test, expected);
}

static void a_known_authority_is_trusted_and_its_session_resumed(void **state)
{
	(void)state;
	struct test_env env;
	struct test_call test;
	tls_open(&env, tls_script, ca_path, "https://127.0.0.1:%d");
	resumed = 0;
	tls_call(&env, &test, ERROR_NONE);
	assert_string_equal(test.body, "ok");
	run_ms(&env, 20); /* the server closes: the next call needs a new connection */
	tls_call(&env, &test, ERROR_NONE);
	assert_int_equal(env.server->connections, 2);
	assert_int_equal(resumed, 1);
	env_close(&env);
}

static void pause_own(struct test_call *test)
{
	http_call_pause(test->call);
}

/* Both ways more than sockets hold, with pauses, twice over one connection. */
static void large_bodies_pass_through_tls_and_pauses(void **state)
{
	(void)state;
	struct test_env env;
	char *body = malloc(LARGE), sum[33];
	assert_non_null(body);
	tls_open(&env, tls_large_script, ca_path, "https://127.0.0.1:%d");
	for (int i = 0; i < 2; i++) {
		struct test_call test = {.at_body = pause_own};
		struct http_call_request request = {
		    .path = "/v1/x", .body = {body, 10000}, .tail = {body + 10000, LARGE - 10000}};
		memset(body, 'a' + i, LARGE);
		snprintf(sum, sizeof(sum), "%032lu", sum_of(body, LARGE));
		call_start_request(&env, &test, env.origin, &request);
		while (test.dones == 0) {
			unsigned bodies = test.bodies;
			RUN_UNTIL(&env, test.bodies > bodies || test.dones > 0);
			if (test.dones == 0)
				http_call_resume(test.call);
		}
		call_expect(&test, ERROR_NONE);
		assert_int_equal(test.body_len, LARGE);
		assert_memory_equal(test.body, sum, 32);
		assert_memory_equal(test.body + 32, body, 1000);
		assert_int_equal(test.reused, i > 0);
	}
	free(body);
	env_close(&env);
}

static void an_unknown_authority_is_a_tls_failure(void **state)
{
	(void)state;
	struct test_env env;
	struct test_call test;
	tls_open(&env, tls_script, NULL, "https://127.0.0.1:%d");
	tls_call(&env, &test, ERROR_UPSTREAM_TLS);
	assert_int_equal(env.server->requests, 0);
	env_close(&env);
}

static void a_certificate_for_another_name_is_a_tls_failure(void **state)
{
	(void)state;
	struct test_env env;
	struct test_call test;
	tls_open(&env, tls_script, ca_path, "https://localhost:%d");
	tls_call(&env, &test, ERROR_UPSTREAM_TLS);
	assert_int_equal(env.server->requests, 0);
	env_close(&env);
}

static void a_peer_that_speaks_no_tls_is_a_tls_failure(void **state)
{
	(void)state;
	struct test_env env;
	struct test_call test;
	tls_open(&env, not_tls, ca_path, "https://127.0.0.1:%d");
	tls_call(&env, &test, ERROR_UPSTREAM_TLS);
	env_close(&env);
}

static void an_end_without_close_notify_is_truncation(void **state)
{
	(void)state;
	struct test_env env;
	struct test_call test;
	static const char *const answers[] = {
	    "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
	    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
	    "HTTP/1.1 200 OK\r\n\r\nhello",
	};
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		tls_answer = answers[i];
		atomic_store(&abrupt, true);
		tls_open(&env, tls_script, ca_path, "https://127.0.0.1:%d");
		tls_call(&env, &test, ERROR_UPSTREAM_TRUNCATED);
		assert_string_equal(test.body, "hello");
		env_close(&env);
	}
	atomic_store(&abrupt, false);
	tls_answer = REPLY(2, "ok");
}

/* The server trusts its own certificate only. */
static void demand_certificates(bool demand)
{
	SSL_CTX_load_verify_locations(server_context, ca_path, NULL);
	SSL_CTX_set_verify(server_context, demand ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT : SSL_VERIFY_NONE,
			   NULL);
}

static void a_backend_that_demands_a_certificate_is_shown_it(void **state)
{
	(void)state;
	struct test_env env;
	struct test_call test;
	demand_certificates(true);
	client_certificate = ca_path;
	client_key = key_path;
	tls_open(&env, tls_script, ca_path, "https://127.0.0.1:%d");
	client_certificate = client_key = NULL;
	tls_call(&env, &test, ERROR_NONE);
	assert_string_equal(test.body, "ok");
	env_close(&env);
	demand_certificates(false);
}

/* With TLS 1.3 the refusal comes after our side of the handshake is over: in place of the answer. */
static void a_backend_that_is_shown_no_certificate_is_a_tls_failure(void **state)
{
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
	(void)state;
	struct test_env env;
	struct test_call test;
	demand_certificates(true);
	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
		SSL_CTX_set_max_proto_version(server_context, versions[i]);
		tls_open(&env, tls_script, ca_path, "https://127.0.0.1:%d");
		tls_call(&env, &test, ERROR_UPSTREAM_TLS);
		assert_int_equal(env.server->requests, 0);
		env_close(&env);
	}
	SSL_CTX_set_max_proto_version(server_context, 0);
	demand_certificates(false);
}

static void check_refused(struct test_env *env, const char *ca, const char *certificate, const char *key,
			  const char *words)
{
	const char *error = NULL;
	struct http_origin_options options = {.url = "https://127.0.0.1:1",
					      .ca_file = ca,
					      .certificate = certificate,
					      .key = key,
					      .connect_timeout_us = 1000000};
	assert_null(http_origin_create(env->client, &options, &error));
	assert_string_equal(error, words);
}

static void unusable_files_are_named_when_the_origin_is_made(void **state)
{
	(void)state;
	struct test_env env;
	char words[256];
	env_open(&env, NULL, NULL);
	check_refused(&env, "/nowhere.pem", NULL, NULL,
		      "the CA file /nowhere.pem cannot be read, or holds no certificate in PEM form");
	check_refused(&env, NULL, "/nowhere.pem", key_path,
		      "the certificate file /nowhere.pem cannot be read, or holds no certificate in PEM form");
	snprintf(words, sizeof(words), "the certificate file %s cannot be read, or holds no certificate in PEM form",
		 key_path);
	check_refused(&env, NULL, key_path, key_path, words);
	check_refused(&env, NULL, ca_path, "/nowhere.pem",
		      "the key file /nowhere.pem cannot be read, or holds no private key in PEM form without a pass "
		      "phrase");
	snprintf(words, sizeof(words), "the key file %s holds the key of another certificate", other_key_path);
	check_refused(&env, NULL, ca_path, other_key_path, words);
	snprintf(words, sizeof(words), "the key %s has no certificate beside it", key_path);
	check_refused(&env, NULL, NULL, key_path, words);
	env_close(&env);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_known_authority_is_trusted_and_its_session_resumed),
	    cmocka_unit_test(large_bodies_pass_through_tls_and_pauses),
	    cmocka_unit_test(an_unknown_authority_is_a_tls_failure),
	    cmocka_unit_test(a_certificate_for_another_name_is_a_tls_failure),
	    cmocka_unit_test(a_peer_that_speaks_no_tls_is_a_tls_failure),
	    cmocka_unit_test(a_backend_that_demands_a_certificate_is_shown_it),
	    cmocka_unit_test(a_backend_that_is_shown_no_certificate_is_a_tls_failure),
	    cmocka_unit_test(unusable_files_are_named_when_the_origin_is_made),
	    cmocka_unit_test(an_end_without_close_notify_is_truncation),
	};
	if (!http_client_global_setup())
		return 1;
	make_certificate();
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	SSL_CTX_free(server_context);
	unlink(ca_path);
	unlink(key_path);
	unlink(other_key_path);
	http_client_global_teardown();
	return failed;
}
