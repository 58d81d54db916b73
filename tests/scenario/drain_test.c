/* SPDX-License-Identifier: MIT */
/*
 * The end of the process: the first SIGTERM lets what runs finish and tells
 * balancers to look elsewhere, the second one ends it at once. Nothing else
 * counts as one of the two: a stray SIGUSR1, with which the process wakes its
 * own control thread, once ended the waiting for the second SIGTERM.
 */
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/scenario/harness/backend.h"
#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sse.h"
#include "tests/scenario/harness/tcp_table.h"

#define CHUNK(content, finish)                                                                                 \
	"data: {\"id\":\"1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[" \
	"{\"index\":0,\"delta\":{" content "},\"finish_reason\":" finish "}]}\n\n"

static const struct step script[] = {SEND(STREAM_HEAD CHUNK("\"role\":\"assistant\",\"content\":\"a\"", "null")), GATE,
				     SEND(CHUNK("\"content\":\"b\"", "\"stop\"") "data: [DONE]\n\n"), FIN, SCRIPT_END};

static const struct step silence[] = {GATE, FIN, SCRIPT_END};

struct world {
	struct backend *backend;
	struct sluice *sluice;
	struct client client; /* in the middle of a stream */
};

static void wait_for_call(struct backend *backend)
{
	struct patience patience = patience_for("the backend to be asked");
	while (backend_requests(backend) == 0)
		patience_wait(&patience);
}

static void start_with(struct world *world, enum via via, const char *drain, bool stream)
{
	struct sse sse = {0};
	world->backend = backend_start();
	backend_script(world->backend, stream ? script : silence);
	world->sluice = sluice_start("backends:\n  b: { url: 'http://127.0.0.1:%d/v1', timeouts: { idle: 600s } }\n"
				     "models:\n  m: b/m\ndrain: %s\n",
				     backend_port(world->backend), drain);
	client_chat(&world->client, world->sluice, via, "m", stream);
	if (stream)
		client_wait_events(&world->client, &sse, 1);
	else
		wait_for_call(world->backend);
	sse_free(&sse);
}

static void start(struct world *world, enum via via)
{
	start_with(world, via, "600s", true);
}

static bool listens(const struct sluice *sluice)
{
	struct tcp_table table = {0};
	tcp_table_read(&table);
	bool found = tcp_table_has_listener(&table, (unsigned)sluice->port) ||
		     tcp_table_has_listener(&table, (unsigned)sluice->tls_port);
	tcp_table_free(&table);
	return found;
}

/* The first SIGTERM. When it returns, every worker drains. */
static void drain(const struct sluice *sluice)
{
	struct patience patience = patience_for("the listeners to close");
	assert_int_equal(kill(sluice->proc->pid, SIGTERM), 0);
	while (listens(sluice))
		patience_wait(&patience);
}

/* Sends a signal and waits until somebody took it. */
static void send_signal(const struct proc *proc, int number)
{
	struct patience patience = patience_for("the signal to be taken");
	char path[64];
	unsigned long long pending;
	snprintf(path, sizeof path, "/proc/%d/status", (int)proc->pid);
	assert_int_equal(kill(proc->pid, number), 0);
	for (;;) {
		struct bytes text = {0};
		assert_true(bytes_read_file(&text, path));
		const char *line = strstr(bytes_text(&text), "ShdPnd:");
		assert_non_null(line);
		pending = strtoull(line + 7, NULL, 16);
		bytes_free(&text);
		if ((pending >> (number - 1) & 1) == 0)
			return;
		patience_wait(&patience);
	}
}

static void a_drain_lets_streams_finish_and_then_the_process_ends(void **state)
{
	(void)state;
	for (enum via via = 0; via < VIA_COUNT; via++) {
		struct world world;
		start(&world, via);
		drain(world.sluice);
		backend_open_gate(world.backend);
		client_wait_end(&world.client);
		check_sse_whole(&client_answer(&world.client)->body, 1);
		client_close(&world.client);
		assert_int_equal(proc_wait(world.sluice->proc), 0);
	}
}

/* Waits until the service has read all that was sent on the connection. */
static void wait_read(const struct sluice *sluice, const struct h1 *h1)
{
	struct sockaddr_in address;
	socklen_t len = sizeof address;
	struct patience patience = patience_for("the bytes to be read");
	assert_int_equal(getsockname(h1->wire.fd, (struct sockaddr *)&address, &len), 0);
	for (;;) {
		struct tcp_table table = {0};
		tcp_table_read(&table);
		const struct tcp_row *row =
		    tcp_table_find_ports(&table, (unsigned)sluice->port, ntohs(address.sin_port));
		bool all = row != NULL && row->unread == 0;
		tcp_table_free(&table);
		if (all)
			return;
		patience_wait(&patience);
	}
}

static void readiness_is_503_while_the_process_drains_and_liveness_is_not(void **state)
{
	static const struct {
		const char *path;
		int status;
	} cases[] = {{"/readyz", 503}, {"/livez", 200}};
	struct h1 h1[2];
	struct world world;
	(void)state;
	start(&world, VIA_H2);
	for (int i = 0; i < 2; i++) { /* a request that has begun is answered */
		h1_open(&h1[i], world.sluice->port, false);
		h1_send(&h1[i], "GET %s HTTP/1.1\r\nHost: ", cases[i].path);
		wait_read(world.sluice, &h1[i]);
	}
	drain(world.sluice);
	for (int i = 0; i < 2; i++) {
		h1_send(&h1[i], "x\r\n\r\n");
		h1_wait_end(&h1[i]);
		assert_int_equal(h1[i].answer.status, cases[i].status);
		h1_close(&h1[i]);
	}
	backend_open_gate(world.backend);
	client_wait_end(&world.client);
	client_close(&world.client);
	assert_int_equal(proc_wait(world.sluice->proc), 0);
}

static void a_stray_sigusr1_ends_neither_the_service_nor_the_drain(void **state)
{
	struct world world;
	(void)state;
	start(&world, VIA_H1);
	send_signal(world.sluice->proc, SIGUSR1);
	assert_true(sluice_metric(world.sluice, "sluice_exchanges_in_flight") >= 1);
	drain(world.sluice);
	send_signal(world.sluice->proc, SIGUSR1);
	backend_open_gate(world.backend);
	client_wait_end(&world.client);
	check_sse_whole(&client_answer(&world.client)->body, 1);
	client_close(&world.client);
	assert_int_equal(proc_wait(world.sluice->proc), 0);
}

/* The stream would last for ever: only the second SIGTERM ends it. */
static void a_stray_sigusr1_does_not_disable_the_second_sigterm(void **state)
{
	(void)state;
	for (enum via via = 0; via < VIA_COUNT; via++) {
		struct world world;
		struct bytes log = {0};
		start(&world, via);
		drain(world.sluice);
		send_signal(world.sluice->proc, SIGUSR1);
		assert_int_equal(kill(world.sluice->proc->pid, SIGTERM), 0);
		client_wait_end(&world.client);
		check_sse_error(&client_answer(&world.client)->body, "shutting_down");
		client_close(&world.client);
		assert_int_equal(proc_wait(world.sluice->proc), 0);
		proc_read(world.sluice->proc, PROC_STDERR, &log);
		check_contains(&log, "\"stopping\"");
		bytes_free(&log);
	}
}

/* Neither cut in silence nor passed off as complete. */
static void a_stream_longer_than_the_drain_ends_with_a_truthful_error(void **state)
{
	(void)state;
	for (enum via via = 0; via < VIA_COUNT; via++) {
		struct world world;
		start_with(&world, via, "200ms", true);
		drain(world.sluice);
		client_wait_end(&world.client);
		assert_true(client_answer(&world.client)->ended);
		check_sse_error(&client_answer(&world.client)->body, "shutting_down");
		check_lacks(&client_answer(&world.client)->body, "[DONE]");
		client_close(&world.client);
		assert_int_equal(proc_wait(world.sluice->proc), 0);
	}
}

static void who_waits_for_a_whole_answer_longer_than_the_drain_gets_503(void **state)
{
	(void)state;
	for (enum via via = 0; via < VIA_COUNT; via++) {
		struct world world;
		start_with(&world, via, "200ms", false);
		drain(world.sluice);
		client_wait_end(&world.client);
		check_error(client_answer(&world.client), 503, "shutting_down");
		check_header(client_answer(&world.client), "x-should-retry", "true");
		client_close(&world.client);
		assert_int_equal(proc_wait(world.sluice->proc), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(a_drain_lets_streams_finish_and_then_the_process_ends),
	    SCENARIO(readiness_is_503_while_the_process_drains_and_liveness_is_not),
	    SCENARIO(a_stray_sigusr1_ends_neither_the_service_nor_the_drain),
	    SCENARIO(a_stray_sigusr1_does_not_disable_the_second_sigterm),
	    SCENARIO(a_stream_longer_than_the_drain_ends_with_a_truthful_error),
	    SCENARIO(who_waits_for_a_whole_answer_longer_than_the_drain_gets_503),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
