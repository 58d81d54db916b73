/* SPDX-License-Identifier: MIT */
/* TLS with clients, seen from outside: what is counted of handshakes, and who is served while many are made. */
#include <fcntl.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/redis/redis_tls.h"
#include "tests/scenario/harness/cached.h"
#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/scenario/harness/sim.h"
#include "tests/scenario/harness/wire.h"

static struct sluice *start(void)
{
	const struct sim *sim = sim_start(NULL);
	return sluice_start_workers(1, "backends:\n  sim: { url: 'http://127.0.0.1:%d/v1' }\nmodels:\n  m: sim/count\n",
				    sim->port);
}

static void ask(struct h1 *h1)
{
	h1_post(h1, "/v1/chat/completions", "", chat_body("m", false));
	h1_wait_end(h1);
	assert_int_equal(h1->answer.status, 200);
	h1_next(h1);
}

static void check_counts(const struct sluice *sluice, double done, double failed)
{
	assert_true(sluice_metric(sluice, "sluice_tls_handshakes_total{result=\"done\"}") == done);
	assert_true(sluice_metric(sluice, "sluice_tls_handshakes_total{result=\"failed\"}") == failed);
	assert_true(sluice_metric(sluice, "sluice_tls_handshake_steps_total") >= 2 * done + failed);
	assert_true(sluice_metric(sluice, "sluice_tls_handshakes_waiting") == 0);
}

static void handshakes_are_counted(void **state)
{
	enum { CLIENTS = 100, BROKEN = 20 };
	static struct h1 clients[CLIENTS];
	struct wire wires[BROKEN];
	struct sluice *sluice = start();
	struct h1 neighbour;
	(void)state;
	h1_open(&neighbour, sluice->port, false);
	for (int i = 0; i < BROKEN; i++) {
		wire_open(&wires[i], sluice->tls_port, NULL);
		assert_true(wire_write_all(&wires[i], "GET / HTTP/1.1\r\n\r\n", 18));
	}
	for (int i = 0; i < CLIENTS; i++)
		h1_open(&clients[i], sluice->tls_port, true);
	ask(&neighbour);
	for (int i = 0; i < CLIENTS; i++) {
		ask(&clients[i]);
		h1_close(&clients[i]);
	}
	for (int i = 0; i < BROKEN; i++) {
		char text[512];
		struct patience patience = patience_for("a client without TLS to be turned away");
		while (wire_read(&wires[i], text, sizeof text) == WIRE_AGAIN)
			patience_wait(&patience);
		wire_close(&wires[i]);
	}
	check_counts(sluice, CLIENTS, BROKEN);
	h1_close(&neighbour);
	sluice_wait_base(sluice);
}

/* ---- renewal ---- */

static void remove_authority(void *authority)
{
	authority_remove(authority);
}

/* Serial number of the certificate that a new connection is shown. */
static uint64_t serial_shown(const struct sluice *sluice)
{
	struct wire wire;
	uint64_t serial = 0;
	wire_open(&wire, sluice->tls_port, "h2");
	X509 *certificate = SSL_get1_peer_certificate(wire.ssl);
	assert_int_equal(ASN1_INTEGER_get_uint64(&serial, X509_get0_serialNumber(certificate)), 1);
	X509_free(certificate);
	wire_close(&wire);
	return serial;
}

/* Whichever worker takes a connection: each changes in a turn of its own. */
static void wait_for_serial(const struct sluice *sluice, uint64_t serial)
{
	enum { IN_A_ROW = 10 };
	struct patience patience = patience_for("a renewed certificate to be shown by all workers");
	for (int shown = 0; shown < IN_A_ROW; shown++)
		if (serial_shown(sluice) != serial) {
			shown = 0;
			patience_wait(&patience);
		}
}

static size_t times_logged(const struct sluice *sluice, const char *what)
{
	struct bytes log = {0};
	size_t times = 0;
	proc_read(sluice->proc, PROC_STDERR, &log);
	for (const char *at = bytes_text(&log); (at = strstr(at, what)) != NULL; at++)
		times++;
	bytes_free(&log);
	return times;
}

static void wait_for_log(const struct sluice *sluice, const char *what, size_t times)
{
	struct patience patience = patience_for(what);
	while (times_logged(sluice, what) < times)
		patience_wait(&patience);
}

/* The authority and what it has issued; the service shows them at a listener of their own. */
struct renewal {
	struct authority authority;
	struct authority_files files;
	const struct sim *sim;
	struct sluice *sluice;
};

static void start_renewal(struct renewal *renewal, const char *watch)
{
	authority_make(&renewal->authority, "renewal");
	scenario_defer(remove_authority, &renewal->authority);
	authority_issue(&renewal->authority, &renewal->files, "shown", "DNS:localhost");
	renewal->sim = sim_start(NULL);
	renewal->sluice = sluice_start("tls_watch: %s\n"
				       "backends: { sim: { url: 'http://127.0.0.1:%d/v1' } }\n"
				       "models: { m: sim/count, long: 'sim/count;tokens=40;gate=20' }\n",
				       watch, renewal->sim->port);
}

/* Puts what the authority issues next in the place of the harness' files, as tools that renew certificates do. */
static uint64_t issue(struct renewal *renewal)
{
	char command[1024];
	authority_issue(&renewal->authority, &renewal->files, "shown", "DNS:localhost");
	snprintf(command, sizeof command, "cp %s %s/key.new && mv %s/key.new %s/key.pem", renewal->files.key,
		 scenario_directory(), scenario_directory(), scenario_directory());
	assert_int_equal(system(command), 0);
	snprintf(command, sizeof command, "cp %s %s/cert.new && mv %s/cert.new %s/cert.pem", renewal->files.certificate,
		 scenario_directory(), scenario_directory(), scenario_directory());
	assert_int_equal(system(command), 0);
	return (uint64_t)renewal->authority.issued;
}

/* A stream over each version goes on while certificates change. */
static void certificates_are_renewed_on_sighup_while_streams_go_on(void **state)
{
	static struct renewal renewal;
	struct client streams[2];
	(void)state;
	start_renewal(&renewal, "0s");
	client_chat(&streams[0], renewal.sluice, VIA_H1_TLS, "long", true);
	client_chat(&streams[1], renewal.sluice, VIA_H2_TLS, "long", true);
	for (int i = 0; i < 2; i++)
		client_wait_head(&streams[i]);
	for (int i = 0; i < 10; i++) {
		uint64_t serial = issue(&renewal);
		assert_int_equal(kill(renewal.sluice->proc->pid, SIGHUP), 0);
		wait_for_serial(renewal.sluice, serial);
	}
	sim_open_gate(renewal.sim);
	for (int i = 0; i < 2; i++) {
		client_wait_end(&streams[i]);
		assert_true(client_answer(&streams[i])->ended);
		check_contains(&client_answer(&streams[i])->body, "data: [DONE]\n\n");
		client_close(&streams[i]);
	}
	wait_for_log(renewal.sluice, "certificates were renewed", 10);
	assert_int_equal(times_logged(renewal.sluice, "certificates were renewed"), 10);
	sluice_wait_base(renewal.sluice);
}

static void certificates_are_renewed_when_their_files_change(void **state)
{
	static struct renewal renewal;
	(void)state;
	start_renewal(&renewal, "100ms");
	for (int i = 0; i < 3; i++)
		wait_for_serial(renewal.sluice, issue(&renewal));
	sluice_wait_base(renewal.sluice);
}

/* Writes over a file of the harness, which keeps its inode, and gives it a size and a time that are always the same. */
static void write_over(const char *from, const char *name)
{
	enum { SIZE = 16384 };
	static const struct timespec times[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
	char bytes[SIZE], path[512];
	memset(bytes, '\n', sizeof bytes);
	FILE *file = fopen(from, "r");
	assert_non_null(file);
	assert_true(fread(bytes, 1, sizeof bytes, file) < sizeof bytes);
	fclose(file);
	snprintf(path, sizeof path, "%s/%s", scenario_directory(), name);
	int fd = open(path, O_WRONLY);
	assert_int_equal(write(fd, bytes, sizeof bytes), sizeof bytes);
	assert_int_equal(futimens(fd, times), 0);
	close(fd);
}

/* Tools that copy files with their times leave nothing else to see. */
static void certificates_are_renewed_although_time_and_size_stay_the_same(void **state)
{
	static struct renewal renewal;
	(void)state;
	start_renewal(&renewal, "100ms");
	for (int i = 0; i < 3; i++) {
		authority_issue(&renewal.authority, &renewal.files, "shown", "DNS:localhost");
		write_over(renewal.files.key, "key.pem");
		write_over(renewal.files.certificate, "cert.pem");
		wait_for_serial(renewal.sluice, (uint64_t)renewal.authority.issued);
	}
	sluice_wait_base(renewal.sluice);
}

static void files_that_cannot_be_used_are_logged_and_change_nothing(void **state)
{
	static struct renewal renewal;
	char command[512], path[256];
	(void)state;
	start_renewal(&renewal, "100ms");
	uint64_t serial = issue(&renewal);
	wait_for_serial(renewal.sluice, serial);
	wait_for_log(renewal.sluice, "certificates were renewed", 1);
	size_t renewed = times_logged(renewal.sluice, "certificates were renewed");
	size_t failed = times_logged(renewal.sluice, "certificates were not renewed"); /* between key and certificate */
	snprintf(command, sizeof command, "echo broken > %s/cert.pem", scenario_directory());
	assert_int_equal(system(command), 0);
	wait_for_log(renewal.sluice, "certificates were not renewed", failed + 1);
	snprintf(path, sizeof path, "listen[1].tls.certificate: %s/cert.pem", scenario_directory());
	assert_true(times_logged(renewal.sluice, path) > 0);
	assert_int_equal(serial_shown(renewal.sluice), serial);
	assert_int_equal(times_logged(renewal.sluice, "certificates were renewed"), renewed);
	wait_for_serial(renewal.sluice, issue(&renewal));
	sluice_wait_base(renewal.sluice);
}

/* The files were read while there was no descriptor for it, and then never again, as they did not change any more. */
static void a_renewal_that_failed_for_want_of_descriptors_is_tried_again(void **state)
{
	enum { CHANGES_MOST = 6 }; /* of the key and of the certificate, twice, each perhaps seen in the middle */
	static struct renewal renewal;
	struct rlimit before, none;
	(void)state;
	start_renewal(&renewal, "100ms");
	wait_for_serial(renewal.sluice, issue(&renewal));
	assert_int_equal(prlimit(renewal.sluice->proc->pid, RLIMIT_NOFILE, NULL, &before), 0);
	none = before;
	none.rlim_cur = 1;
	assert_int_equal(prlimit(renewal.sluice->proc->pid, RLIMIT_NOFILE, &none, NULL), 0);
	size_t failed = times_logged(renewal.sluice, "Too many open files");
	uint64_t serial = issue(&renewal);
	wait_for_log(renewal.sluice, "Too many open files", failed + 1);
	sleep(2); /* some twenty looks, of which one logs each change */
	assert_in_range(times_logged(renewal.sluice, "certificates were not renewed"), 1, CHANGES_MOST);
	assert_int_equal(prlimit(renewal.sluice->proc->pid, RLIMIT_NOFILE, &before, NULL), 0);
	wait_for_serial(renewal.sluice, serial);
	sluice_wait_base(renewal.sluice);
}

static void stop_redis(void *process)
{
	redis_process_stop(process);
}

static void answers_are_shared_through_a_redis_with_tls(void **state)
{
	static struct authority authority;
	struct authority_files server, client;
	struct sluice *replicas[2];
	struct answer answer;
	int port = 0;
	(void)state;
	authority_make(&authority, "redis");
	scenario_defer(remove_authority, &authority);
	authority_issue(&authority, &server, "server", "DNS:redis.example");
	authority_issue(&authority, &client, "client", NULL);
	scenario_defer(stop_redis, redis_tls_start(&port, &authority, &server, "tls-auth-clients yes\n", false));
	const struct sim *sim = sim_start(NULL);
	for (int i = 0; i < 2; i++) {
		replicas[i] = sluice_start(
		    "backends: { sim: { url: 'http://127.0.0.1:%d/v1' } }\nmodels: { m: 'sim/count;tokens=20' }\n"
		    "redis: { servers: '127.0.0.1:%d', budget: 5s, tls: { ca: '%s', certificate: '%s', key: "
		    "'%s', name: redis.example } }\n",
		    sim->port, port, authority.ca, client.certificate, client.key);
		struct patience patience = patience_for("Redis to be used");
		while (sluice_metric(replicas[i], "sluice_redis_up") != 1)
			patience_wait(&patience);
	}
	cached_ask(replicas[0], "", cached_body("m", false, CACHED_ZERO), &answer);
	cached_check(&answer, false);
	answer_free(&answer);
	struct patience patience = patience_for("the answer to be stored");
	while (sluice_metric(replicas[0], "sluice_cache_redis_total{result=\"stored\"}") != 1)
		patience_wait(&patience);
	cached_ask(replicas[1], "", cached_body("m", true, CACHED_ZERO), &answer);
	cached_check(&answer, true);
	cached_check_status(&answer, "sluice; hit; ttl=");
	answer_free(&answer);
	assert_int_equal(sim_call_count(sim, ""), 1);
}

static void check_names_a_file_of_redis_that_is_none(void **state)
{
	struct bytes out = {0}, err = {0};
	char path[256];
	(void)state;
	snprintf(path, sizeof path, "%s/redis.yaml", scenario_directory());
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs("listen: ['127.0.0.1:0']\nbackends: { a: { url: 'http://127.0.0.1:1' } }\nmodels: { m: a/m }\n"
	      "redis:\n  servers: a:1\n  tls: { ca: /etc/passwd }\n",
	      file);
	fclose(file);
	assert_int_equal(sluice_run((const char *const[]){"--check", path, NULL}, &out, &err), 1);
	check_contains(&err, "redis.yaml:6: redis.tls.ca: /etc/passwd: ");
	check_contains(&err, "; expected PEM certificates of authorities\n");
	bytes_free(&out);
	bytes_free(&err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(handshakes_are_counted),
	    SCENARIO(certificates_are_renewed_on_sighup_while_streams_go_on),
	    SCENARIO(certificates_are_renewed_when_their_files_change),
	    SCENARIO(certificates_are_renewed_although_time_and_size_stay_the_same),
	    SCENARIO(files_that_cannot_be_used_are_logged_and_change_nothing),
	    SCENARIO(a_renewal_that_failed_for_want_of_descriptors_is_tried_again),
	    SCENARIO(answers_are_shared_through_a_redis_with_tls),
	    SCENARIO(check_names_a_file_of_redis_that_is_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
