/* SPDX-License-Identifier: MIT */
/* Which certificate a listener shows, which ones of clients it accepts, and for how long a session is resumed. */
#include "service/http/tls_tickets.h"
#include "tests/tls/authority.h"
#include "tests/unit/service/http2_client.h"

static struct authority authority, stranger;
static struct authority_files first, second, wild, alice, expired, foreign;
static struct config_listener more[2];

static int set_up_files(void **state)
{
	(void)state;
	authority_make(&authority, "ours");
	authority_make(&stranger, "a stranger");
	authority_issue(&authority, &first, "first", "DNS:first.example");
	authority_issue(&authority, &second, "second", "DNS:second.example,DNS:other.example");
	authority_issue(&authority, &wild, "wild", "DNS:*.wild.example");
	authority_issue(&authority, &alice, "alice", NULL);
	authority_issue(&stranger, &foreign, "mallory", NULL);
	authority_issue_between(&authority, &expired, "expired", NULL, -2 * AUTHORITY_DAY, -AUTHORITY_DAY);
	return 0;
}

static int remove_files(void **state)
{
	(void)state;
	authority_remove(&authority);
	authority_remove(&stranger);
	return 0;
}

static void configure(struct app *app)
{
	more[0] = (struct config_listener){.tls_certificate = second.certificate, .tls_key = second.key};
	more[1] = (struct config_listener){.tls_certificate = wild.certificate, .tls_key = wild.key};
	app_add_tls(app, first.certificate, first.key);
	app->listeners[1].tls_clients = authority.ca;
	app->listeners[1].tls_more = more;
	app->listeners[1].tls_more_count = 2;
}

static int setup(void **state)
{
	struct app *app = app_create();
	configure(app);
	return app_set_up(state, app);
}

struct visitor {
	struct client client;
	SSL_CTX *context;
	SSL *tls;
	bool refused;
};

/* Connects with that name and certificate; NULL = none. */
static void visit(struct visitor *visitor, struct app *app, int version, const char *name,
		  const struct authority_files *files, SSL_SESSION *session)
{
	int done = 0;
	*visitor = (struct visitor){.context = SSL_CTX_new(TLS_client_method())};
	SSL_CTX_set_max_proto_version(visitor->context, version);
	if (files != NULL) {
		SSL_CTX_use_certificate_file(visitor->context, files->certificate, SSL_FILETYPE_PEM);
		SSL_CTX_use_PrivateKey_file(visitor->context, files->key, SSL_FILETYPE_PEM);
	}
	client_open_port(&visitor->client, app, app->tls_port, 0);
	visitor->tls = SSL_new(visitor->context);
	SSL_set_fd(visitor->tls, visitor->client.fd);
	if (session != NULL)
		SSL_set_session(visitor->tls, session);
	if (name != NULL)
		SSL_set_tlsext_host_name(visitor->tls, name);
	WAIT_UNTIL(app,
		   (done = SSL_connect(visitor->tls)) == 1 || SSL_get_error(visitor->tls, done) != SSL_ERROR_WANT_READ);
	visitor->refused = done != 1;
}

static void leave(struct visitor *visitor, struct app *app)
{
	SSL_shutdown(visitor->tls); /* else its session is not taken again */
	SSL_free(visitor->tls);
	SSL_CTX_free(visitor->context);
	client_close(&visitor->client);
	WAIT_UNTIL(app, http_server_connections(app->server) == 0);
}

/* What the service answers; "" when it refuses the connection, which TLS 1.3 tells in place of an answer. */
static const char *ask(struct visitor *visitor, struct app *app, const char *path)
{
	static char answer[4096];
	char request[128];
	size_t len = 0;
	int got = 1;
	answer[0] = '\0';
	snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", path);
	if (visitor->refused || SSL_write(visitor->tls, request, (int)strlen(request)) <= 0)
		return answer;
	while (got > 0) {
		WAIT_UNTIL(app, (got = SSL_read(visitor->tls, answer + len, (int)(sizeof(answer) - len - 1))) > 0 ||
				    SSL_get_error(visitor->tls, got) != SSL_ERROR_WANT_READ);
		len += got > 0 ? (size_t)got : 0;
		answer[len] = '\0';
	}
	const char *body = strstr(answer, "\r\n\r\n");
	return body == NULL ? answer : body + 4;
}

static void the_certificate_is_chosen_by_the_name_that_is_asked_for(void **state)
{
	static const char *const cases[][2] = {
	    {"first.example", "first"},   {"second.example", "second"},
	    {"other.example", "second"},  {"SECOND.example", "second"},
	    {"a.wild.example", "wild"},   {"a.b.wild.example", "first"},
	    {"unknown.example", "first"}, {NULL, "first"},
	};
	struct app *app = *state;
	for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		struct visitor visitor;
		char name[64];
		visit(&visitor, app, i % 2 == 0 ? TLS1_2_VERSION : TLS1_3_VERSION, cases[i / 2][0], NULL, NULL);
		assert_false(visitor.refused);
		X509_NAME_get_text_by_NID(X509_get_subject_name(SSL_get0_peer_certificate(visitor.tls)), NID_commonName,
					  name, sizeof(name));
		assert_string_equal(name, cases[i / 2][1]);
		assert_string_equal(ask(&visitor, app, "/hello"), "{\"hello\":\"world\"}");
		leave(&visitor, app);
	}
}

static void whose_certificate_a_client_shows_is_known(void **state)
{
	struct app *app = *state;
	for (int i = 0; i < 4; i++) {
		struct visitor visitor, again;
		int version = i % 2 == 0 ? TLS1_2_VERSION : TLS1_3_VERSION;
		visit(&visitor, app, version, i < 2 ? NULL : "second.example", &alice, NULL);
		assert_string_equal(ask(&visitor, app, "/subject"), "CN=alice");
		SSL_SESSION *session = SSL_get1_session(visitor.tls);
		leave(&visitor, app);
		visit(&again, app, version, i < 2 ? NULL : "second.example", NULL, session);
		assert_true(SSL_session_reused(again.tls));
		assert_string_equal(ask(&again, app, "/subject"), "CN=alice");
		leave(&again, app);
		SSL_SESSION_free(session);
		visit(&visitor, app, version, NULL, NULL, NULL);
		assert_string_equal(ask(&visitor, app, "/subject"), "");
		leave(&visitor, app);
	}
	assert_int_equal(app->requests, 12);
}

static void a_certificate_that_does_not_hold_ends_the_connection(void **state)
{
	struct app *app = *state;
	const struct authority_files *const bad[] = {&foreign, &expired};
	for (int i = 0; i < 8; i++) {
		struct visitor visitor;
		visit(&visitor, app, i % 2 == 0 ? TLS1_2_VERSION : TLS1_3_VERSION, i < 4 ? NULL : "second.example",
		      bad[i / 2 % 2], NULL);
		assert_string_equal(ask(&visitor, app, "/subject"), "");
		leave(&visitor, app);
	}
	assert_int_equal(app->requests, 0);
}

static uint64_t hours;

static uint64_t clock_of_hours(void *context)
{
	(void)context;
	return (1000 + hours) * TICKET_KEY_S * UINT64_C(1000000);
}

/* Returns a session that app gave, which the caller frees. */
static SSL_SESSION *session_of(struct app *app, int version, const struct authority_files *files)
{
	struct visitor visitor;
	visit(&visitor, app, version, NULL, files, NULL);
	ask(&visitor, app, "/hello"); /* with TLS 1.3 tickets come beside it */
	SSL_SESSION *session = SSL_get1_session(visitor.tls);
	leave(&visitor, app);
	return session;
}

static bool is_resumed(struct app *app, int version, SSL_SESSION *session)
{
	struct visitor visitor;
	visit(&visitor, app, version, NULL, NULL, session);
	assert_string_equal(ask(&visitor, app, "/hello"), "{\"hello\":\"world\"}");
	bool resumed = SSL_session_reused(visitor.tls) == 1;
	leave(&visitor, app);
	return resumed;
}

/* Two servers are two workers of a process. */
static void a_session_is_resumed_by_any_worker_until_its_key_is_two_hours_old(void **state)
{
	struct app *app = *state, *other = app_create();
	configure(other);
	app_start(other);
	for (int i = 0; i < 2; i++) {
		int version = i == 0 ? TLS1_2_VERSION : TLS1_3_VERSION;
		hours = 0;
		tickets_set_clock(clock_of_hours);
		SSL_SESSION *session = session_of(app, version, NULL);
		assert_true(is_resumed(app, version, session));
		assert_true(is_resumed(other, version, session));
		hours = 1;
		assert_true(is_resumed(other, version, session));
		hours = 2;
		assert_false(is_resumed(other, version, session));
		SSL_SESSION_free(session);
		session = session_of(app, version, NULL);
		hours = 9; /* nobody came for hours */
		assert_false(is_resumed(app, version, session));
		SSL_SESSION_free(session);
	}
	tickets_set_clock(NULL);
	app_stop(other);
	free(other);
}

/* Else who is let in by one listener's authorities would be by those of the others. */
static void a_session_of_one_listener_is_not_resumed_by_another(void **state)
{
	struct app *app = *state, *other = app_create();
	configure(other);
	other->listeners[0] = other->listeners[1];
	other->listeners[0].tls_clients = stranger.ca;
	app_start(other);
	other->tls_port = other->port;
	for (int i = 0; i < 2; i++) {
		int version = i == 0 ? TLS1_2_VERSION : TLS1_3_VERSION;
		struct visitor visitor;
		SSL_SESSION *session = session_of(app, version, &alice);
		visit(&visitor, other, version, NULL, NULL, session);
		assert_string_equal(ask(&visitor, other, "/subject"), "");
		assert_false(SSL_session_reused(visitor.tls));
		leave(&visitor, other);
		SSL_SESSION_free(session);
	}
	app_stop(other);
	free(other);
}

/*
 * Each session that is resumed with TLS 1.3 brings new tickets: a client that came often enough stayed for ever who its
 * certificate had once said.
 */
static void a_session_is_not_resumed_when_the_certificate_of_the_client_has_expired(void **state)
{
	struct app *app = *state;
	struct authority_files brief;
	SSL_SESSION *sessions[2];
	authority_issue_between(&authority, &brief, "brief", NULL, -AUTHORITY_DAY, 10);
	for (int i = 0; i < 2; i++)
		sessions[i] = session_of(app, i == 0 ? TLS1_2_VERSION : TLS1_3_VERSION, &brief);
	for (int i = 0; i < 2; i++)
		assert_true(is_resumed(app, i == 0 ? TLS1_2_VERSION : TLS1_3_VERSION, sessions[i]));
	sleep(11);
	for (int i = 0; i < 2; i++) {
		assert_false(is_resumed(app, i == 0 ? TLS1_2_VERSION : TLS1_3_VERSION, sessions[i]));
		SSL_SESSION_free(sessions[i]);
	}
}

/* How many a connection has sent when it ends; most: how many it sends at most. */
static unsigned update_keys(struct app *app, unsigned most, int kind, char *body, size_t size)
{
	struct visitor visitor;
	unsigned sent = 0;
	visit(&visitor, app, TLS1_3_VERSION, NULL, NULL, NULL);
	WAIT_UNTIL(app, SSL_is_init_finished(visitor.tls));
	for (; sent < most; sent++) {
		char byte;
		if (SSL_key_update(visitor.tls, kind) != 1 || SSL_do_handshake(visitor.tls) != 1)
			break;
		app_turn(app);
		int got = SSL_read(visitor.tls, &byte, 1);
		if (SSL_get_error(visitor.tls, got) != SSL_ERROR_WANT_READ)
			break;
	}
	snprintf(body, size, "%s", sent < most ? "" : ask(&visitor, app, "/hello"));
	leave(&visitor, app);
	return sent;
}

/* One that asks for ours is answered with our next bytes; h2o ends the connection when more are asked for before. */
static void keys_may_change_now_and_then_but_not_all_the_time(void **state)
{
	struct app *app = *state;
	char body[64];
	assert_int_equal(update_keys(app, 30, SSL_KEY_UPDATE_NOT_REQUESTED, body, sizeof(body)), 30);
	assert_string_equal(body, "{\"hello\":\"world\"}");
	assert_int_equal(update_keys(app, 1, SSL_KEY_UPDATE_REQUESTED, body, sizeof(body)), 1);
	assert_string_equal(body, "{\"hello\":\"world\"}");
	/* The client may have sent more than the server has read when the connection ends. */
	assert_in_range(update_keys(app, 10000, SSL_KEY_UPDATE_NOT_REQUESTED, body, sizeof(body)), 60, 9999);
	assert_string_equal(body, "");
	assert_in_range(update_keys(app, 10000, SSL_KEY_UPDATE_REQUESTED, body, sizeof(body)), 1, 9999);
}

static void renegotiation_is_refused(void **state)
{
	struct app *app = *state;
	struct visitor visitor;
	visit(&visitor, app, TLS1_2_VERSION, NULL, NULL, NULL);
	assert_false(visitor.refused);
	assert_int_equal(SSL_renegotiate(visitor.tls), 1);
	int done = SSL_do_handshake(visitor.tls);
	WAIT_UNTIL(app, (done = SSL_do_handshake(visitor.tls)) == 1 ||
			    SSL_get_error(visitor.tls, done) != SSL_ERROR_WANT_READ);
	assert_int_not_equal(done, 1);
	leave(&visitor, app);
}

/* Reads the files again and uses them, as the control thread and the worker do. False: they cannot be used. */
static bool renew(struct app *app)
{
	struct buf error;
	buf_init(&error, 4096);
	struct http_certificates *read = http_server_read_certificates(app->server, &error);
	assert_int_equal(read == NULL, buf_len(&error) > 0);
	if (read != NULL)
		http_server_use_certificates(app->server, read);
	buf_fini(&error);
	return read != NULL;
}

static long serial_of(const struct visitor *visitor)
{
	return ASN1_INTEGER_get(X509_get0_serialNumber(SSL_get0_peer_certificate(visitor->tls)));
}

/* Issues another certificate in the place of the first one. */
static void issue_first(void)
{
	authority_issue(&authority, &first, "first", "DNS:first.example");
}

static void new_handshakes_use_renewed_certificates_and_connections_go_on(void **state)
{
	struct app *app = *state;
	struct visitor open[2], later;
	SSL_SESSION *session = session_of(app, TLS1_3_VERSION, NULL);
	for (int i = 0; i < 2; i++)
		visit(&open[i], app, i == 0 ? TLS1_2_VERSION : TLS1_3_VERSION, i == 0 ? NULL : "second.example", NULL,
		      NULL);
	long before = serial_of(&open[0]);
	for (int round = 0; round < 30; round++) { /* the old contexts go while connections use them */
		issue_first();
		assert_true(renew(app));
	}
	visit(&later, app, TLS1_3_VERSION, NULL, NULL, NULL);
	assert_true(serial_of(&later) >= before + 30);
	assert_string_equal(ask(&later, app, "/hello"), "{\"hello\":\"world\"}");
	SSL_shutdown(later.tls);
	SSL_free(later.tls);
	SSL_CTX_free(later.context);
	client_close(&later.client);
	for (int i = 0; i < 2; i++) {
		assert_string_equal(ask(&open[i], app, "/hello"), "{\"hello\":\"world\"}");
		SSL_shutdown(open[i].tls);
		SSL_free(open[i].tls);
		SSL_CTX_free(open[i].context);
		client_close(&open[i].client);
	}
	WAIT_UNTIL(app, http_server_connections(app->server) == 0);
	assert_true(is_resumed(app, TLS1_3_VERSION, session)); /* the keys of tickets stay */
	SSL_SESSION_free(session);
}

/* A handshake that has begun ends with the certificates that it began with. */
static void a_handshake_that_is_under_way_ends_although_certificates_are_renewed(void **state)
{
	struct app *app = *state;
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		struct visitor visitor = {.context = SSL_CTX_new(TLS_client_method())};
		int done = 0;
		SSL_CTX_set_max_proto_version(visitor.context, version);
		client_open_port(&visitor.client, app, app->tls_port, 0);
		visitor.tls = SSL_new(visitor.context);
		SSL_set_fd(visitor.tls, visitor.client.fd);
		SSL_set_tlsext_host_name(visitor.tls, "second.example");
		WAIT_UNTIL(app, http_server_connections(app->server) == 1);
		assert_true(renew(app));
		SSL_connect(visitor.tls);
		for (int i = 0; i < 3; i++)
			app_turn(app);
		assert_true(renew(app));
		WAIT_UNTIL(app, (done = SSL_connect(visitor.tls)) == 1 ||
				    SSL_get_error(visitor.tls, done) != SSL_ERROR_WANT_READ);
		assert_int_equal(done, 1);
		assert_string_equal(ask(&visitor, app, "/hello"), "{\"hello\":\"world\"}");
		leave(&visitor, app);
	}
}

static void files_that_cannot_be_used_leave_the_certificates_as_they_were(void **state)
{
	struct app *app = *state;
	struct authority_files good = first;
	struct visitor visitor;
	visit(&visitor, app, TLS1_3_VERSION, NULL, NULL, NULL);
	long before = serial_of(&visitor);
	leave(&visitor, app);
	FILE *file = fopen(first.certificate, "w");
	fputs("half of a certif", file);
	fclose(file);
	assert_false(renew(app));
	unlink(second.key); /* of another name */
	issue_first();
	assert_false(renew(app));
	visit(&visitor, app, TLS1_3_VERSION, NULL, NULL, NULL);
	assert_int_equal(serial_of(&visitor), before);
	leave(&visitor, app);
	authority_issue(&authority, &second, "second", "DNS:second.example,DNS:other.example");
	assert_true(renew(app));
	visit(&visitor, app, TLS1_3_VERSION, NULL, NULL, NULL);
	assert_true(serial_of(&visitor) > before);
	leave(&visitor, app);
	first = good;
}

/* Else a client that was trusted once would be for another two hours. */
static void sessions_end_with_the_authorities_that_let_their_clients_in(void **state)
{
	struct app *app = *state;
	for (int i = 0; i < 2; i++) {
		int version = i == 0 ? TLS1_2_VERSION : TLS1_3_VERSION;
		struct visitor visitor;
		char kept[AUTHORITY_PATH + 8], command[3 * AUTHORITY_PATH];
		SSL_SESSION *session = session_of(app, version, &alice);
		snprintf(kept, sizeof kept, "%s.kept", authority.ca);
		snprintf(command, sizeof command, "cp %s %s", authority.ca, kept);
		assert_int_equal(system(command), 0);
		snprintf(command, sizeof command, "cp %s %s", stranger.ca, authority.ca);
		assert_int_equal(system(command), 0);
		assert_true(renew(app));
		visit(&visitor, app, version, NULL, NULL, session);
		assert_false(SSL_session_reused(visitor.tls));
		assert_string_equal(ask(&visitor, app, "/subject"), "");
		leave(&visitor, app);
		assert_int_equal(rename(kept, authority.ca), 0);
		assert_true(renew(app));
		assert_true(is_resumed(app, version, session));
		SSL_SESSION_free(session);
	}
}

/* ---- docs/guarantees/tls.md has a table of these ---- */

/* Whether a handshake succeeds that offers nothing but these; NULL = what OpenSSL offers. */
static bool connects_by(struct app *app, int version, const char *cipher, const char *group)
{
	struct visitor visitor = {.context = SSL_CTX_new(TLS_client_method())};
	int done = 0;
	SSL_CTX_set_security_level(visitor.context, 0);
	SSL_CTX_set_min_proto_version(visitor.context, version);
	SSL_CTX_set_max_proto_version(visitor.context, version);
	if (cipher != NULL && version == TLS1_3_VERSION)
		assert_int_equal(SSL_CTX_set_ciphersuites(visitor.context, cipher), 1);
	else if (cipher != NULL && SSL_CTX_set_cipher_list(visitor.context, cipher) != 1)
		fail_msg("no cipher %s", cipher);
	if (group != NULL)
		assert_int_equal(SSL_CTX_set1_groups_list(visitor.context, group), 1);
	client_open_port(&visitor.client, app, app->tls_port, 0);
	visitor.tls = SSL_new(visitor.context);
	SSL_set_fd(visitor.tls, visitor.client.fd);
	WAIT_UNTIL(app,
		   (done = SSL_connect(visitor.tls)) == 1 || SSL_get_error(visitor.tls, done) != SSL_ERROR_WANT_READ);
	SSL_free(visitor.tls);
	SSL_CTX_free(visitor.context);
	client_close(&visitor.client);
	WAIT_UNTIL(app, http_server_connections(app->server) == 0);
	return done == 1;
}

static void no_versions_and_groups_but_those_of_the_table_are_spoken(void **state)
{
	static const char *const ours[] = {"X25519", "P-256", "P-384"};
	static const char *const others[] = {"P-521", "X448", "ffdhe2048", "ffdhe3072"};
	struct app *app = *state;
	assert_false(connects_by(app, TLS1_VERSION, "ALL", NULL));
	assert_false(connects_by(app, TLS1_1_VERSION, "ALL", NULL));
	for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
		assert_true(connects_by(app, TLS1_3_VERSION, NULL, ours[i]));
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		assert_false(connects_by(app, TLS1_3_VERSION, NULL, others[i]));
	assert_true(connects_by(app, TLS1_2_VERSION, NULL, "P-256")); /* that of the certificate, which 1.2 needs */
	assert_false(connects_by(app, TLS1_2_VERSION, NULL, "ffdhe2048"));
}

/* Ciphers of RSA cannot be used with the certificates of the test: they have the same rules as these. */
static void no_ciphers_but_those_of_the_table_are_spoken(void **state)
{
	static const char *const ours[] = {"ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305",
					   "ECDHE-ECDSA-AES128-GCM-SHA256"};
	struct app *app = *state;
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_security_level(context, 0);
	SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
	assert_int_equal(SSL_CTX_set_cipher_list(context, "ALL:COMPLEMENTOFALL"), 1);
	STACK_OF(SSL_CIPHER) *all = SSL_CTX_get_ciphers(context);
	int spoken = 0, known = sk_SSL_CIPHER_num(all);
	for (int i = 0; i < known; i++) {
		const SSL_CIPHER *cipher = sk_SSL_CIPHER_value(all, i);
		const char *name = SSL_CIPHER_get_name(cipher);
		if (strcmp(SSL_CIPHER_get_version(cipher), "TLSv1.3") == 0)
			continue;
		bool is_ours = false;
		for (size_t k = 0; k < sizeof ours / sizeof *ours; k++)
			is_ours |= strcmp(name, ours[k]) == 0;
		spoken += is_ours;
		if (connects_by(app, TLS1_2_VERSION, name, NULL) != is_ours)
			fail_msg("%s is %s", name, is_ours ? "refused" : "spoken");
	}
	assert_int_equal(spoken, 3);
	assert_true(known > 30);
	SSL_CTX_free(context);
	assert_true(connects_by(app, TLS1_3_VERSION, "TLS_AES_256_GCM_SHA384", NULL));
	assert_true(connects_by(app, TLS1_3_VERSION, "TLS_CHACHA20_POLY1305_SHA256", NULL));
	assert_true(connects_by(app, TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256", NULL));
	assert_false(connects_by(app, TLS1_3_VERSION, "TLS_AES_128_CCM_SHA256", NULL));
	assert_false(connects_by(app, TLS1_3_VERSION, "TLS_AES_128_CCM_8_SHA256", NULL));
}

static void files_that_do_not_fit_are_named(void **state)
{
	struct app *app = *state;
	struct buf error;
	const struct http_server_callbacks callbacks = {.on_request = app_on_request, .context = app};
	buf_init(&error, 4096);
	more[1].tls_key = alice.key;
	assert_null(http_server_create(app->loop, &app->config, &callbacks, &error));
	app->listeners[1].tls_clients = alice.key;
	assert_null(http_server_create(app->loop, &app->config, &callbacks, &error));
	buf_append(&error, SPAN("\0"));
	char want[512];
	snprintf(want, sizeof(want),
		 "test.yaml:5: listen[1].tls[2].key: %s: key values mismatch; expected a PEM key without passphrase, "
		 "of the certificate\n",
		 alice.key);
	assert_non_null(strstr(buf_span(&error).at, want));
	snprintf(want, sizeof(want), "test.yaml:5: listen[1].tls[0].clients: %s: ", alice.key);
	assert_non_null(strstr(buf_span(&error).at, want));
	buf_fini(&error);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, app_tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(the_certificate_is_chosen_by_the_name_that_is_asked_for),
	    TEST(whose_certificate_a_client_shows_is_known),
	    TEST(a_certificate_that_does_not_hold_ends_the_connection),
	    TEST(a_session_is_resumed_by_any_worker_until_its_key_is_two_hours_old),
	    TEST(a_session_of_one_listener_is_not_resumed_by_another),
	    TEST(a_session_is_not_resumed_when_the_certificate_of_the_client_has_expired),
	    TEST(keys_may_change_now_and_then_but_not_all_the_time),
	    TEST(renegotiation_is_refused),
	    TEST(new_handshakes_use_renewed_certificates_and_connections_go_on),
	    TEST(a_handshake_that_is_under_way_ends_although_certificates_are_renewed),
	    TEST(files_that_cannot_be_used_leave_the_certificates_as_they_were),
	    TEST(sessions_end_with_the_authorities_that_let_their_clients_in),
	    TEST(no_versions_and_groups_but_those_of_the_table_are_spoken),
	    TEST(no_ciphers_but_those_of_the_table_are_spoken),
	    TEST(files_that_do_not_fit_are_named),
	};
	return cmocka_run_group_tests(tests, set_up_files, remove_files);
}
