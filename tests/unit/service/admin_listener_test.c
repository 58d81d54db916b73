/* SPDX-License-Identifier: MIT */
/* The admin listener: it lets operators in when clients have taken everything, and it may be a unix socket. */
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "tests/unit/service/http_client.h"

#define HELLO "GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

static char directory[] = "/tmp/sluice-test-XXXXXX";
static char path[64];

static int setup(void **state)
{
	struct app *app = calloc(1, sizeof(*app));
	app_config(app);
	*state = app;
	strcpy(strrchr(directory, '-') + 1, "XXXXXX");
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/admin.sock", directory);
	return 0;
}

static int teardown(void **state)
{
	unlink(path);
	rmdir(directory);
	free(*state);
	return 0;
}

static int start_tcp(struct app *app)
{
	app->config.admin = (struct config_listener){.host = "127.0.0.1", .port = "0"};
	app_start(app);
	return atoi(strrchr(app->addresses[1].text, ':') + 1);
}

static void ask(struct app *app, int port)
{
	struct client client;
	client_open_port(&client, app, port, 0);
	client_send(&client, HELLO);
	assert_true(client_wait(&client, "world"));
	client_close(&client);
}

static void clients_that_fill_the_table_do_not_keep_operators_out(void **state)
{
	struct app *app = *state;
	struct client clients[3];
	app->config.limits.connections = 2;
	app->config.limits.connections_per_address = 2;
	int port = start_tcp(app);
	for (int i = 0; i < 3; i++) {
		client_open(&clients[i], app);
		client_send(&clients[i], i < 2 ? "GET /sse-hang HTTP/1.1\r\nHost: a\r\n\r\n" : HELLO);
	}
	assert_true(client_wait(&clients[0], "first"));
	assert_true(client_wait(&clients[1], "first"));
	for (int i = 0; i < 5; i++)
		ask(app, port);
	client_read(&clients[2]);
	assert_int_equal(clients[2].len, 0); /* still waits */
	for (int i = 0; i < 3; i++)
		client_close(&clients[i]);
	app_stop(app);
}

static void operators_that_fill_their_table_do_not_keep_clients_or_each_other_out(void **state)
{
	enum { IDLE = 40 };
	struct app *app = *state;
	struct client idle[IDLE];
	int port = start_tcp(app);
	for (int i = 0; i < IDLE; i++)
		client_open_port(&idle[i], app, port, 0);
	ask(app, app->port);
	ask(app, port);
	assert_true(http_server_connections(app->server) < IDLE);
	for (int i = 0; i < IDLE; i++)
		client_close(&idle[i]);
	app_stop(app);
}

/* Each takes a descriptor of the reserve: the next one has it when it was closed, or when it has been idle for a
 * moment. */
static void without_descriptors_operators_get_in_one_after_the_other(void **state)
{
	enum { OPERATORS = 12 };
	struct app *app = *state;
	struct client client, operators[OPERATORS];
	struct rlimit old, none;
	int port = start_tcp(app);
	client_open(&client, app);
	for (int i = 0; i < OPERATORS; i++) {
		client_open_port(&operators[i], app, port, 0);
		client_send(&operators[i], i % 3 == 0 ? HELLO : "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
	}
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = old;
	none.rlim_cur = (rlim_t)operators[OPERATORS - 1].fd + 1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	bool answered[OPERATORS];
	for (int i = 0; i < OPERATORS; i++)
		answered[i] = client_wait(&operators[i], "world");
	client_send(&client, HELLO);
	bool refused = client_wait(&client, "HTTP/1.1 503 ");
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	for (int i = 0; i < OPERATORS; i++) {
		assert_true(answered[i]);
		client_close(&operators[i]);
	}
	assert_true(refused);
	client_close(&client);
	app_stop(app);
}

/* Takes every descriptor that is free, as connections to backends would. */
static size_t take_all(int *taken, size_t most)
{
	size_t count = 0;
	while (count < most && (taken[count] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
		count++;
	return count;
}

/* A descriptor of the reserve goes back there when the operator leaves, before anything else can take it. */
static void an_operator_who_leaves_gives_the_descriptor_back(void **state)
{
	enum { ROUNDS = 12, TAKEN = 64 };
	struct app *app = *state;
	struct client clients[ROUNDS];
	struct rlimit old, none;
	int taken[ROUNDS * TAKEN];
	size_t count = 0;
	bool answered[ROUNDS] = {false};
	int port = start_tcp(app);
	for (int i = 0; i < ROUNDS; i++)
		client_prepare(&clients[i], app);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = old;
	none.rlim_cur = (rlim_t)clients[ROUNDS - 1].fd + 1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	for (int i = 0; i < ROUNDS; i++) {
		count += take_all(taken + count, TAKEN);
		client_connect(&clients[i], port);
		client_send(&clients[i], HELLO);
		answered[i] = client_wait(&clients[i], "world");
		client_wait_close(&clients[i]);
	}
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	while (count > 0)
		close(taken[--count]);
	for (int i = 0; i < ROUNDS; i++) {
		assert_true(answered[i]);
		client_close(&clients[i]);
	}
	app_stop(app);
}

static void client_open_unix(struct client *client, struct app *app)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	strcpy(address.sun_path, path);
	*client = (struct client){.app = app, .fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), .capacity = 65536};
	assert_int_equal(connect(client->fd, (struct sockaddr *)&address, sizeof(address)), 0);
	fcntl(client->fd, F_SETFL, O_NONBLOCK);
	client->in = calloc(1, client->capacity + 1);
}

static void start_unix(struct app *app)
{
	app->config.admin = (struct config_listener){.socket = path, .line = 4};
	app_start(app);
}

/* Starting fails, and the error says so. */
static void expect_failure(struct app *app, const char *why)
{
	const struct http_server_callbacks callbacks = {.on_request = app_on_request, .context = app};
	struct http_listener_address addresses[2] = {{.fd = -1}, {.fd = -1}};
	struct buf error;
	char text[512];
	buf_init(&error, 4096);
	struct http_server *server = http_server_create(app->loop, &app->config, &callbacks, &error);
	assert_non_null(server);
	assert_false(http_server_listen(server, addresses, &error));
	snprintf(text, sizeof(text), "test.yaml:4: admin: cannot listen on unix:%s: %s; expected another address", path,
		 why);
	if (memmem(buf_span(&error).at, buf_len(&error), text, strlen(text)) == NULL)
		fail_msg("%.*s", SPAN_ARG(buf_span(&error)));
	http_server_destroy(server);
	buf_fini(&error);
}

static void a_socket_is_for_its_owner_and_answers_like_a_port(void **state)
{
	struct app *app = *state;
	struct client client;
	struct stat file;
	umask(0);
	start_unix(app);
	umask(022);
	assert_int_equal(stat(path, &file), 0);
	assert_true(S_ISSOCK(file.st_mode));
	assert_int_equal(file.st_mode & 0777, 0600);
	client_open_unix(&client, app);
	client_send(&client, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_true(client_wait(&client, "world"));
	client_send(&client, "GET /hang HTTP/1.1\r\nHost: a\r\n\r\n");
	WAIT_UNTIL(app, app->open == 1);
	client_close(&client);
	WAIT_UNTIL(app, app->gone == 1);
	expect_failure(app, "Address already in use");
	app_stop(app);
	http_listener_address_remove(&app->addresses[1]);
	assert_int_equal(access(path, F_OK), -1);
}

static void workers_share_a_socket(void **state)
{
	struct app *app = *state, second;
	struct client client;
	start_unix(app);
	app_config(&second);
	second = (struct app){.config = second.config};
	second.listeners[0] = app->listeners[0];
	second.config.listeners = second.listeners;
	second.config.admin = app->config.admin;
	memcpy(second.addresses, app->addresses, sizeof(second.addresses));
	app_start(&second);
	client_open_unix(&client, &second); /* only the second one's loop turns */
	client_send(&client, HELLO);
	assert_true(client_wait(&client, "world"));
	client_close(&client);
	app_stop(&second);
	app_stop(app);
}

static void a_socket_left_behind_gives_way(void **state)
{
	struct app *app = *state;
	struct client client;
	start_unix(app);
	app_stop(app); /* as after SIGKILL: nothing removes the file */
	assert_int_equal(access(path, F_OK), 0);
	memset(app->addresses, 0, sizeof(app->addresses));
	start_unix(app);
	client_open_unix(&client, app);
	client_send(&client, HELLO);
	assert_true(client_wait(&client, "world"));
	client_close(&client);
	app_stop(app);
}

static void a_file_that_is_no_socket_stays(void **state)
{
	struct app *app = *state;
	struct stat file;
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	app->config.admin = (struct config_listener){.socket = path, .line = 4};
	app->loop = loop_create();
	expect_failure(app, "File exists");
	loop_destroy(app->loop);
	assert_int_equal(stat(path, &file), 0);
	assert_true(S_ISREG(file.st_mode));
}

static void the_socket_of_a_successor_is_not_removed(void **state)
{
	struct app *app = *state;
	struct http_listener_address old;
	start_unix(app);
	old = app->addresses[1];
	app_stop(app);
	memset(app->addresses, 0, sizeof(app->addresses));
	char kept[80];
	snprintf(kept, sizeof(kept), "%s/kept", directory);
	assert_int_equal(rename(path, kept), 0); /* so that its number is not used again */
	start_unix(app);
	http_listener_address_remove(&old);
	assert_int_equal(access(path, F_OK), 0);
	app_stop(app);
	unlink(kept);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(clients_that_fill_the_table_do_not_keep_operators_out),
	    TEST(operators_that_fill_their_table_do_not_keep_clients_or_each_other_out),
	    TEST(without_descriptors_operators_get_in_one_after_the_other),
	    TEST(an_operator_who_leaves_gives_the_descriptor_back),
	    TEST(a_socket_is_for_its_owner_and_answers_like_a_port),
	    TEST(workers_share_a_socket),
	    TEST(a_socket_left_behind_gives_way),
	    TEST(a_file_that_is_no_socket_stays),
	    TEST(the_socket_of_a_successor_is_not_removed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
