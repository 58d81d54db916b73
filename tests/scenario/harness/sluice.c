/* SPDX-License-Identifier: MIT */
/* Starting the gateway and asking it how it is. */
#include "tests/scenario/harness/sluice.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/scenario/harness/certificate.h"
#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/h1.h"
#include "tests/scenario/harness/record.h"
#include "tests/scenario/harness/scenario.h"

enum { ONE_HOLDS = 100 << 10 /* bytes, of the connection that asks for it */ };

static const char *sluice_program(void)
{
	return scenario_program("SLUICE_BIN", "build/sluice");
}

/* line, unless the scenario's own text has the key that it begins with. */
/* Returns the line, unless the text has the key at its outermost level: a key of a client may be `admin: true`. */
static const char *unless_there(const char *text, const char *key, const char *line)
{
	for (const char *at = text; (at = strstr(at, key)) != NULL; at++)
		if (at == text || at[-1] == '\n')
			return "";
	return line;
}

static void write_config(const char *path, unsigned workers, const char *text)
{
	char certificate[128];
	char key[128];
	snprintf(certificate, sizeof certificate, "%s/cert.pem", scenario_directory());
	snprintf(key, sizeof key, "%s/key.pem", scenario_directory());
	certificate_write(certificate, key);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fprintf(file,
		"listen:\n  - 127.0.0.1:0\n  - address: 127.0.0.1:0\n    tls: { certificate: %s, key: %s }\n"
		"workers: %u\n%s%s%s%s",
		certificate, key, workers, unless_there(text, "hosts:", "hosts: '*'\n"),
		unless_there(text, "admin:", "admin: 127.0.0.1:0\n"),
		unless_there(text, "public:", "public: [metrics, docs, openapi, admin]\n"), text);
	fclose(file);
}

/* Notes the port of one log line when it announces a listener. */
static void read_listening(struct sluice *sluice, const cJSON *line)
{
	const char *msg = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(line, "msg"));
	const char *address = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(line, "address"));
	const char *colon = address == NULL ? NULL : strrchr(address, ':');
	const char *listener = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(line, "listener"));
	if (msg != NULL && strcmp(msg, "ready") == 0)
		sluice->ready = true;
	if (msg == NULL || strcmp(msg, "listening") != 0 || colon == NULL || listener == NULL)
		return;
	int port = atoi(colon + 1);
	if (strcmp(listener, "admin") == 0)
		sluice->admin_port = port;
	else if (sluice->port == 0)
		sluice->port = port;
	else if (port != sluice->port)
		sluice->tls_port = port;
}

static bool all_listen(const struct bytes *log, void *user)
{
	struct sluice *sluice = user;
	sluice->port = sluice->tls_port = sluice->admin_port = 0;
	sluice->ready = false;
	for (const char *line = bytes_text(log), *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
		cJSON *json = cJSON_ParseWithLength(line, (size_t)(end - line));
		read_listening(sluice, json);
		cJSON_Delete(json);
	}
	return sluice->ready;
}

static struct sluice *start(unsigned workers, const char *yaml, va_list arguments)
{
	static unsigned serial;
	struct sluice *sluice = calloc(1, sizeof *sluice);
	char path[128];
	char *text;
	assert_non_null(sluice);
	scenario_defer(free, sluice);
	assert_true(vasprintf(&text, yaml, arguments) >= 0);
	snprintf(path, sizeof path, "%s/sluice-%u.yaml", scenario_directory(), ++serial);
	write_config(path, workers, text);
	free(text);
	const char *const command[] = {sluice_program(), "--config", path, NULL};
	sluice->workers = workers;
	sluice->proc = proc_start("sluice", command, NULL);
	proc_wait_output(sluice->proc, PROC_STDERR, all_listen, sluice);
	record_service(sluice->port);
	record_service(sluice->tls_port);
	record_service(sluice->admin_port);
	sluice_metric(sluice, ""); /* what is opened lazily is open now */
	sluice->idle_fds = proc_fds(sluice->proc);
	sluice->idle_rss = proc_rss(sluice->proc);
	return sluice;
}

struct sluice *sluice_start(const char *yaml, ...)
{
	va_list arguments;
	va_start(arguments, yaml);
	struct sluice *sluice = start(2, yaml, arguments);
	va_end(arguments);
	return sluice;
}

struct sluice *sluice_start_workers(unsigned workers, const char *yaml, ...)
{
	va_list arguments;
	va_start(arguments, yaml);
	struct sluice *sluice = start(workers, yaml, arguments);
	va_end(arguments);
	return sluice;
}

int sluice_run(const char *const arguments[], struct bytes *out, struct bytes *err)
{
	const char *command[16] = {sluice_program()};
	for (size_t i = 0; arguments[i] != NULL && i < 14; i++)
		command[i + 1] = arguments[i];
	struct proc *proc = proc_start("sluice", command, NULL);
	int status = proc_wait(proc);
	proc_read(proc, PROC_STDOUT, out);
	proc_read(proc, PROC_STDERR, err);
	return status;
}

/* Where an operator asks for that path: the admin listener, unless it is no TCP port. */
static int port_for(const struct sluice *sluice, const char *path)
{
	bool is_operators = strncmp(path, "/metrics", 8) == 0 || strncmp(path, "/admin/", 7) == 0;
	return is_operators && sluice->admin_port != 0 ? sluice->admin_port : sluice->port;
}

static const char *shown_key;

static void forget_key(void *unused)
{
	(void)unused;
	shown_key = NULL;
}

void sluice_show_key(const char *key)
{
	shown_key = key;
	scenario_defer(forget_key, NULL);
}

void sluice_get(const struct sluice *sluice, const char *path, struct answer *answer)
{
	struct h1 h1;
	h1_open(&h1, port_for(sluice, path), false);
	if (shown_key == NULL)
		h1_get(&h1, path);
	else
		h1_send(&h1, "GET %s HTTP/1.1\r\nHost: localhost\r\nx-api-key: %s\r\n\r\n", path, shown_key);
	h1_wait_end(&h1);
	*answer = h1.answer;
	h1.answer = (struct answer){0};
	h1_close(&h1);
}

double sluice_metric(const struct sluice *sluice, const char *sample)
{
	struct answer answer;
	double value = 0;
	size_t len = strlen(sample);
	sluice_get(sluice, "/metrics", &answer);
	assert_int_equal(answer.status, 200);
	for (const char *line = bytes_text(&answer.body), *end; (end = strchr(line, '\n')) != NULL; line = end + 1)
		if (strncmp(line, sample, len) == 0 && line[len] == ' ')
			value = strtod(line + len, NULL);
	answer_free(&answer);
	return value;
}

double sluice_errors(const struct sluice *sluice, const char *code)
{
	char sample[96];
	snprintf(sample, sizeof sample, "sluice_errors_total{code=\"%s\"}", code);
	return sluice_metric(sluice, sample);
}

void sluice_wait_in_flight(const struct sluice *sluice, size_t count)
{
	struct patience patience = patience_for("requests to be under way");
	while (sluice_metric(sluice, "sluice_exchanges_in_flight") < (double)count)
		patience_wait(&patience);
}

void sluice_wait_idle(const struct sluice *sluice)
{
	struct patience patience = patience_for("sluice to be idle");
	for (;;) {
		struct proc_fds fds = proc_fds(sluice->proc);
		double in_flight = sluice_metric(sluice, "sluice_exchanges_in_flight");
		double held = sluice_metric(sluice, "sluice_memory_held_bytes");
		/* the question itself is one exchange and may still be one connection */
		if (fds.downstream <= 1 && fds.other <= sluice->idle_fds.other && in_flight <= 1 && held <= ONE_HOLDS)
			return;
		static char seen[192];
		snprintf(seen, sizeof seen,
			 "sluice to be idle: %zu client connections, %zu other fds (%zu at the start), %g in flight, "
			 "%g bytes held",
			 fds.downstream, fds.other, sluice->idle_fds.other, in_flight, held);
		patience.what = seen;
		patience_wait(&patience);
	}
}

void sluice_wait_base(const struct sluice *sluice)
{
	enum { HOLES = 16 << 20 };
	sluice_wait_idle(sluice);
	sluice_wait_rest(sluice, sluice->idle_rss, HOLES);
}

void sluice_wait_rest(const struct sluice *sluice, size_t rss, size_t most)
{
	enum { SECONDS = SERVICE_SANITIZED ? 0 : 90 };
	for (int i = 0; i < SECONDS && proc_rss(sluice->proc) > rss + most; i++)
		sleep(1);
	check_memory("at rest", rss, proc_rss(sluice->proc), most);
}
