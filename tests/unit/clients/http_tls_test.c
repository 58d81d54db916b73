/* SPDX-License-Identifier: MIT */
/* TLS towards backends: row 4, sessions, and what an end without close_notify means. */
#include "tests/unit/clients/test_call.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <signal.h>

#include "lib/errors.h"

static SSL_CTX *server_context;
static char ca_path[] = "/tmp/sluice-test-ca-XXXXXX";
static atomic_int resumed;
static const char *tls_answer = REPLY(2, "ok");
static atomic_bool abrupt; /* the server closes without a close_notify */

/* A self-signed certificate for 127.0.0.1, written to ca_path as well. */
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
	server_context = SSL_CTX_new(TLS_server_method());
	SSL_CTX_set_session_id_context(server_context, (const unsigned char *)"t", 1);
	if (SSL_CTX_use_certificate(server_context, cert) != 1 || SSL_CTX_use_PrivateKey(server_context, key) != 1)
		abort();
	X509_free(cert);
	EVP_PKEY_free(key);
}

/* Answers each request of a TLS connection, then closes it. */
static void tls_script(struct test_peer *peer)
{
	SSL *ssl = SSL_new(server_context);
	char bytes[4096];
	sigset_t pipe;
	/* OpenSSL's own writes raise it; in this thread only, so that one raised by the client still kills the test */
	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe, NULL);
	SSL_set_fd(ssl, peer->fd);
	if (SSL_accept(ssl) != 1)
		goto out;
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
	struct http_origin_options options = {
	    .url = url, .bearer = "s3cret", .ca_file = ca_file, .connect_timeout_us = 20000000};
	env->origin = http_origin_create(env->client, &options, &error);
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

static void an_end_without_close_notify_is_truncation_where_a_length_tells(void **state)
{
	(void)state;
	struct test_env env;
	struct test_call test;
	static const char *const answers[] = {
	    "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
	    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
	    /* Without a length only a close_notify tells the end, and libcurl 7.88.1 does not ask for one. */
	    "HTTP/1.1 200 OK\r\n\r\nhello",
	};
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		tls_answer = answers[i];
		atomic_store(&abrupt, true);
		tls_open(&env, tls_script, ca_path, "https://127.0.0.1:%d");
		tls_call(&env, &test, i < 2 ? ERROR_UPSTREAM_TRUNCATED : ERROR_NONE);
		assert_string_equal(test.body, "hello");
		env_close(&env);
	}
	atomic_store(&abrupt, false);
	tls_answer = REPLY(2, "ok");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_known_authority_is_trusted_and_its_session_resumed),
	    cmocka_unit_test(an_unknown_authority_is_a_tls_failure),
	    cmocka_unit_test(a_certificate_for_another_name_is_a_tls_failure),
	    cmocka_unit_test(a_peer_that_speaks_no_tls_is_a_tls_failure),
	    cmocka_unit_test(an_end_without_close_notify_is_truncation_where_a_length_tells),
	};
	if (!http_client_global_setup())
		return 1;
	make_certificate();
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	SSL_CTX_free(server_context);
	unlink(ca_path);
	http_client_global_teardown();
	return failed;
}
