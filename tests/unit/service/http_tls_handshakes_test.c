/* SPDX-License-Identifier: MIT */
/*
 * TLS handshakes that arrive together: how many are answered in each turn of the loop, and who else gets a turn in
 * between. Nothing is timed: what the server has answered is counted after every turn.
 */
#include "tests/tls/authority.h"
#include "tests/unit/service/http2_client.h"

enum { HELLOS_MOST = 300, CONNECTIONS = 400, GUARD_US = 120000000 /* sanitizers are slow */ };

static struct authority authority;
static struct authority_files files, costly;
static SSL_CTX *client_tls;

struct crowd {
	struct app *app;
	struct client sockets[HELLOS_MOST];
	SSL *tls[HELLOS_MOST];
	bool answered[HELLOS_MOST];
	size_t count;
};

static int set_up_files(void **state)
{
	(void)state;
	authority_make(&authority, "tests");
	authority_issue(&authority, &files, "localhost", NULL);
	authority.rsa_bits = 4096;
	authority_issue(&authority, &costly, "costly", NULL);
	client_tls = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_verify(client_tls, SSL_VERIFY_NONE, NULL);
	return 0;
}

static int remove_files(void **state)
{
	(void)state;
	SSL_CTX_free(client_tls);
	authority_remove(&authority);
	return 0;
}

static int setup(void **state)
{
	struct app *app = app_create();
	app->config.limits.connections = CONNECTIONS;
	app_add_tls(app, files.certificate, files.key);
	return app_set_up(state, app);
}

/* Sends from that address of the loopback; NULL: from where the kernel chooses. */
static void come_from(const struct client *client, const char *address)
{
	struct sockaddr_in own = {.sin_family = AF_INET};
	if (address == NULL)
		return;
	inet_pton(AF_INET, address, &own.sin_addr);
	assert_int_equal(bind(client->fd, (struct sockaddr *)&own, sizeof(own)), 0);
}

/* Accepts connections until all are there, none of which has sent anything. */
static struct crowd *crowd_open(struct app *app, size_t count, const char *from)
{
	struct crowd *crowd = calloc(1, sizeof(*crowd));
	size_t before = http_server_connections(app->server);
	crowd->app = app;
	crowd->count = count;
	for (size_t i = 0; i < count; i++) {
		client_prepare(&crowd->sockets[i], app);
		come_from(&crowd->sockets[i], from);
		client_connect(&crowd->sockets[i], app->tls_port);
		crowd->tls[i] = SSL_new(client_tls);
		SSL_set_fd(crowd->tls[i], crowd->sockets[i].fd);
	}
	WAIT_UNTIL(app, http_server_connections(app->server) == before + count);
	return crowd;
}

static void crowd_close(struct crowd *crowd)
{
	for (size_t i = 0; i < crowd->count; i++) {
		SSL_free(crowd->tls[i]);
		client_close(&crowd->sockets[i]);
	}
	free(crowd);
}

static void crowd_greet(struct crowd *crowd)
{
	for (size_t i = 0; i < crowd->count; i++)
		assert_int_equal(SSL_get_error(crowd->tls[i], SSL_connect(crowd->tls[i])), SSL_ERROR_WANT_READ);
}

/* Returns how many more of them the server has answered since the last time. */
static size_t crowd_count_answers(struct crowd *crowd)
{
	size_t more = 0;
	char byte;
	for (size_t i = 0; i < crowd->count; i++) {
		if (crowd->answered[i] || recv(crowd->sockets[i].fd, &byte, 1, MSG_PEEK) != 1)
			continue;
		crowd->answered[i] = true;
		more++;
	}
	return more;
}

static void check_turns(struct app *app, size_t hellos)
{
	struct crowd *crowd = crowd_open(app, hellos, NULL);
	struct client neighbour;
	size_t answered = 0, before_neighbour = SIZE_MAX, turns = 0;
	client_open(&neighbour, app);
	client_send(&neighbour, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
	crowd_greet(crowd);
	uint64_t until = app_now_us(app) + GUARD_US;
	for (; answered < hellos && app_now_us(app) < until; turns++) {
		app_turn(app);
		size_t more = crowd_count_answers(crowd);
		assert_in_range(more, 0, 1);
		answered += more;
		client_read(&neighbour);
		if (before_neighbour == SIZE_MAX && strstr(neighbour.in, "world") != NULL)
			before_neighbour = answered;
	}
	print_message("%zu ClientHellos: answered in %zu turns, %zu of them before the neighbour\n", answered, turns,
		      before_neighbour);
	assert_int_equal(answered, hellos);
	assert_in_range(before_neighbour, 0, 4);
	client_close(&neighbour);
	crowd_close(crowd);
	WAIT_UNTIL(app, http_server_connections(app->server) == 0);
}

static void a_turn_signs_one_of_the_handshakes_that_arrived_together(void **state)
{
	check_turns(*state, 30);
	check_turns(*state, 300);
}

static bool crowd_is_connected(struct crowd *crowd)
{
	bool all = true;
	for (size_t i = 0; i < crowd->count; i++) {
		int done = SSL_connect(crowd->tls[i]);
		if (done != 1)
			assert_int_equal(SSL_get_error(crowd->tls[i], done), SSL_ERROR_WANT_READ);
		all = all && done == 1;
	}
	return all;
}

static void ask_over(struct app *app, SSL *tls)
{
	char answer[4096] = "";
	size_t len = 0;
	assert_true(SSL_write(tls, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", 32) > 0);
	while (strstr(answer, "world") == NULL) {
		int got = 0;
		WAIT_UNTIL(app, (got = SSL_read(tls, answer + len, (int)(sizeof(answer) - len - 1))) > 0);
		len += (size_t)got;
		answer[len] = '\0';
	}
}

static void crowd_connect(struct crowd *crowd)
{
	uint64_t until = app_now_us(crowd->app) + GUARD_US;
	while (!crowd_is_connected(crowd) && app_now_us(crowd->app) < until)
		app_turn(crowd->app);
	assert_true(crowd_is_connected(crowd));
}

static void all_of_them_are_served_in_the_end(void **state)
{
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
	struct app *app = *state;
	for (size_t i = 0; i < 2; i++) {
		SSL_CTX_set_max_proto_version(client_tls, versions[i]);
		struct crowd *crowd = crowd_open(app, 100, NULL);
		crowd_connect(crowd);
		for (size_t at = 0; at < crowd->count; at++)
			ask_over(app, crowd->tls[at]);
		crowd_close(crowd);
		WAIT_UNTIL(app, http_server_connections(app->server) == 0);
	}
	SSL_CTX_set_max_proto_version(client_tls, 0);
}

/* Another network's one handshake comes behind 300, and is answered among the first. */
static void a_network_that_sends_many_does_not_keep_another_one_waiting(void **state)
{
	struct app *app = *state;
	struct crowd *many = crowd_open(app, HELLOS_MOST, NULL);
	struct crowd *one = crowd_open(app, 1, "127.0.0.77");
	size_t before = 0;
	crowd_greet(many);
	app_turn(app); /* all of the many wait */
	crowd_greet(one);
	for (uint64_t until = app_now_us(app) + GUARD_US; crowd_count_answers(one) == 0 && app_now_us(app) < until;) {
		app_turn(app);
		before += crowd_count_answers(many);
	}
	print_message("%zu of the many were answered before\n", before);
	assert_in_range(before, 0, 4);
	crowd_close(one);
	crowd_close(many);
}

/* A key share of a group that the server does not have: it asks for another hello, and all second ones come at once. */
static void a_second_hello_that_the_server_asked_for_waits_for_its_turn_too(void **state)
{
	struct app *app = *state;
	struct crowd *crowd = crowd_open(app, 30, NULL);
	size_t answered = 0;
	for (size_t i = 0; i < crowd->count; i++)
		SSL_set1_groups_list(crowd->tls[i], "ffdhe2048:X25519"); /* its key share is of the first alone */
	crowd_greet(crowd);
	uint64_t until = app_now_us(app) + GUARD_US;
	while (answered < crowd->count && app_now_us(app) < until) {
		app_turn(app);
		answered += crowd_count_answers(crowd);
	}
	assert_int_equal(answered, crowd->count);
	crowd_greet(crowd); /* reads the wish, sends the second hello */
	memset(crowd->answered, 0, sizeof(crowd->answered));
	for (answered = 0; answered < crowd->count && app_now_us(app) < until;) {
		app_turn(app);
		size_t more = crowd_count_answers(crowd);
		assert_in_range(more, 0, 1);
		answered += more;
	}
	assert_int_equal(answered, crowd->count);
	crowd_close(crowd);
}

/* As others see it: turns of the loop in which nothing is signed, though handshakes wait. */
static void behind_a_costly_signature_the_others_get_as_much_time(void **state)
{
	enum { HELLOS = 10 };
	struct app *app = *state;
	app_stop(app);
	memset(app, 0, sizeof(*app));
	app->listeners[1] = (struct config_listener){
	    .host = "127.0.0.1", .port = "0", .tls_certificate = costly.certificate, .tls_key = costly.key};
	app_config(app);
	app->config.listener_count = 2;
	app_start(app);
	struct crowd *crowd = crowd_open(app, HELLOS, NULL);
	size_t answered = 0, turns = 0;
	crowd_greet(crowd);
	for (; answered < HELLOS; turns++) {
		loop_turn(app->loop, 0);
		answered += crowd_count_answers(crowd);
	}
	print_message("%d costly handshakes took %zu turns\n", HELLOS, turns);
	assert_in_range(turns, 10 * HELLOS, SIZE_MAX);
	crowd_close(crowd);
}

static void who_leaves_while_waiting_gives_up_the_place(void **state)
{
	struct app *app = *state;
	struct crowd *leaving = crowd_open(app, 100, NULL);
	struct crowd *staying = crowd_open(app, 100, NULL);
	crowd_greet(leaving);
	crowd_greet(staying);
	app_turn(app);
	for (size_t i = 0; i < leaving->count; i++) {
		if (i % 2 == 0)
			client_reset(&leaving->sockets[i]);
		else
			shutdown(leaving->sockets[i].fd, SHUT_WR);
	}
	crowd_connect(staying);
	WAIT_UNTIL(app, http_server_connections(app->server) == staying->count);
	crowd_close(leaving);
	crowd_close(staying);
	WAIT_UNTIL(app, http_server_connections(app->server) == 0);
}

/* Byte by byte, and beside each byte a whole handshake of somebody else. */
static void a_hello_may_come_byte_by_byte(void **state)
{
	struct app *app = *state;
	struct client client;
	SSL *tls = SSL_new(client_tls);
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
	char hello[4096];
	SSL_set_bio(tls, in, out);
	assert_int_equal(SSL_connect(tls), -1);
	int len = BIO_read(out, hello, sizeof(hello));
	assert_true(len > 100);
	client_open_port(&client, app, app->tls_port, 0);
	WAIT_UNTIL(app, http_server_connections(app->server) == 1);
	for (int i = 0; i < len; i++) {
		client_read(&client);
		assert_int_equal(client.len, 0);
		client_send_bytes(&client, &hello[i], 1);
		if (i % 50 == 0) {
			struct crowd *other = crowd_open(app, 1, NULL);
			crowd_connect(other);
			crowd_close(other);
			WAIT_UNTIL(app, http_server_connections(app->server) == 1);
		}
		app_run_us(app, 200);
	}
	WAIT_UNTIL(app, (client_read(&client), client.len > 0));
	SSL_free(tls);
	client_close(&client);
}

/* The table is full of connections that wait for their turn or have sent nothing: they yield to new ones. */
static void those_that_wait_yield_when_the_table_is_full(void **state)
{
	struct app *app = *state;
	struct crowd *crowd = crowd_open(app, HELLOS_MOST, NULL);
	struct crowd *silent = crowd_open(app, CONNECTIONS - HELLOS_MOST, NULL);
	struct client neighbour;
	crowd_greet(crowd);
	client_open(&neighbour, app);
	client_send(&neighbour, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_true(client_wait(&neighbour, "world"));
	assert_int_equal(http_server_connections(app->server), CONNECTIONS);
	client_close(&neighbour);
	crowd_close(crowd);
	crowd_close(silent);
	WAIT_UNTIL(app, http_server_connections(app->server) == 0);
}

static void the_server_may_end_while_handshakes_wait(void **state)
{
	struct app *app = *state;
	struct crowd *crowd = crowd_open(app, 50, NULL);
	crowd_greet(crowd);
	app_turn(app);
	app_turn(app);
	app_stop(app);
	for (size_t i = 0; i < crowd->count; i++) {
		client_read(&crowd->sockets[i]);
		assert_true(crowd->sockets[i].closed);
	}
	crowd_close(crowd);
	memset(app, 0, sizeof(*app));
	app_config(app);
	app_start(app); /* for the tear-down */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, app_tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(a_turn_signs_one_of_the_handshakes_that_arrived_together),
	    TEST(all_of_them_are_served_in_the_end),
	    TEST(a_network_that_sends_many_does_not_keep_another_one_waiting),
	    TEST(a_second_hello_that_the_server_asked_for_waits_for_its_turn_too),
	    TEST(behind_a_costly_signature_the_others_get_as_much_time),
	    TEST(who_leaves_while_waiting_gives_up_the_place),
	    TEST(a_hello_may_come_byte_by_byte),
	    TEST(those_that_wait_yield_when_the_table_is_full),
	    TEST(the_server_may_end_while_handshakes_wait),
	};
	return cmocka_run_group_tests(tests, set_up_files, remove_files);
}
