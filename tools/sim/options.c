/* SPDX-License-Identifier: MIT */
/* Command line, help texts. Every refusal names the option and what was expected. */
#include "tools/sim/options.h"

#include <arpa/inet.h>
#include <stdlib.h>

#ifndef SLUICE_VERSION
#define SLUICE_VERSION "unknown"
#endif

static const char usage[] =
    "sluice-sim simulates an OpenAI-compatible model server, faults included.\n"
    "\n"
    "  sluice-sim --listen 127.0.0.1:9001 [options]\n"
    "\n"
    "  --listen ADDRESS:PORT   where to listen; port 0 picks a free one (127.0.0.1:9001)\n"
    "  --control ADDRESS:PORT  one more listener, which stays open when a fault closes the first\n"
    "  --name NAME             goes into ids, system_fingerprint and x-sim-name (sim)\n"
    "  --ttft DURATION         from the request to the first token (20ms)\n"
    "  --itl DURATION          between tokens (5ms)\n"
    "  --jitter DURATION       uniform extra on both (0)\n"
    "  --tokens COUNT          tokens of an answer (64)\n"
    "  --models A,B,C          what GET /models lists (sim,echo,count,utf8); any model answers\n"
    "  --api-key KEY           require `Authorization: Bearer KEY`\n"
    "  --seed N                changes all texts and jitters (0)\n"
    "  --help [faults|knobs]   this text, the table of faults, the table of per-call settings\n"
    "  --version\n"
    "\n"
    "Every setting of `--help knobs` is an option as well (--token_bytes 100).\n"
    "A call sets its own in the model name, `NAME;key=value;…`, or in headers x-sim-KEY and\n"
    "x-sim-fault. Control: GET /sim/calls, GET /sim/stats, POST /sim/control, /sim/expect, /sim/reset.\n";

static int bad(const char *option, const char *expected, const char *got)
{
	fprintf(stderr, "sluice-sim: %s: expected %s, got '%s'\n", option, expected, got);
	return OPTIONS_BAD;
}

static bool port_parse(const char *text, uint16_t *port)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end != '\0' || number > 65535)
		return false;
	*port = htons((uint16_t)number);
	return true;
}

bool address_parse(struct address *address, const char *text)
{
	char host[64];
	const char *colon = strrchr(text, ':');
	size_t len = colon == NULL ? 0 : (size_t)(colon - text);
	uint16_t port;
	*address = (struct address){.len = 0};
	if (len == 0 || len >= sizeof host || !port_parse(colon + 1, &port))
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	if (host[0] == '[' && host[len - 1] == ']') {
		host[len - 1] = '\0';
		address->socket.v6.sin6_family = AF_INET6;
		address->socket.v6.sin6_port = port;
		address->len = sizeof address->socket.v6;
		return inet_pton(AF_INET6, host + 1, &address->socket.v6.sin6_addr) == 1;
	}
	address->socket.v4.sin_family = AF_INET;
	address->socket.v4.sin_port = port;
	address->len = sizeof address->socket.v4;
	return inet_pton(AF_INET, host, &address->socket.v4.sin_addr) == 1;
}

const char *address_text(const struct address *address, char *text, size_t size)
{
	char host[INET6_ADDRSTRLEN];
	if (address->socket.any.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &address->socket.v6.sin6_addr, host, sizeof host);
		snprintf(text, size, "[%s]:%u", host, ntohs(address->socket.v6.sin6_port));
	} else {
		inet_ntop(AF_INET, &address->socket.v4.sin_addr, host, sizeof host);
		snprintf(text, size, "%s:%u", host, ntohs(address->socket.v4.sin_port));
	}
	return text;
}

static int help(const char *topic)
{
	if (topic == NULL)
		fputs(usage, stdout);
	else if (strcmp(topic, "faults") == 0)
		fault_print(stdout);
	else if (strcmp(topic, "knobs") == 0)
		knobs_print(stdout);
	else
		return bad("--help", "nothing, faults or knobs", topic);
	return OPTIONS_EXIT;
}

static bool seed_parse(const char *text, uint64_t *seed)
{
	char *end;
	*seed = strtoull(text, &end, 0);
	return *text >= '0' && *text <= '9' && *end == '\0';
}

/* A name that needs no escape in a header or in JSON. */
static bool name_is_plain(const char *text)
{
	return *text != '\0' && strlen(text) <= 64 &&
	       text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")] == '\0';
}

/* An option that is a row of the knobs table. */
static int set_knob(struct options *options, const char *option, const char *value)
{
	struct knobs_error error;
	enum knob knob = knobs_find(span_of(option + 2));
	if (strcmp(option, "--fault") == 0) {
		if (knobs_parse(&options->defaults, span_of(value), &error))
			return OPTIONS_RUN;
	} else if (knob == KNOB_COUNT_OF) {
		return bad(option, "an option of --help", value);
	} else if (knobs_set(&options->defaults, knob, span_of(value), &error)) {
		return OPTIONS_RUN;
	}
	fprintf(stderr, "sluice-sim: --%s\n", error.what);
	return OPTIONS_BAD;
}

static int set(struct options *options, const char *option, const char *value)
{
	static const char an_address[] = "ADDRESS:PORT with a numeric address, such as 127.0.0.1:9001 or [::1]:0";
	if (strcmp(option, "--listen") == 0)
		return address_parse(&options->listen, value) ? OPTIONS_RUN : bad(option, an_address, value);
	if (strcmp(option, "--control") == 0)
		return address_parse(&options->control, value) ? OPTIONS_RUN : bad(option, an_address, value);
	if (strcmp(option, "--seed") == 0)
		return seed_parse(value, &options->seed) ? OPTIONS_RUN : bad(option, "a whole number", value);
	if (strcmp(option, "--name") == 0) {
		options->name = value;
		return name_is_plain(value) ? OPTIONS_RUN : bad(option, "1 to 64 letters, digits, - _ .", value);
	}
	if (strcmp(option, "--models") == 0) {
		options->models = value;
		return *value != '\0' ? OPTIONS_RUN : bad(option, "names separated by commas", value);
	}
	if (strcmp(option, "--api-key") == 0) {
		options->api_key = value;
		return *value != '\0' ? OPTIONS_RUN : bad(option, "a key", value);
	}
	return set_knob(options, option, value);
}

enum options_result options_parse(struct options *options, int argc, char **argv)
{
	*options = (struct options){.name = "sim", .models = "sim,echo,count,utf8"};
	address_parse(&options->listen, "127.0.0.1:9001");
	for (int i = 1; i < argc; i++) {
		const char *option = argv[i];
		if (strcmp(option, "--help") == 0 || strcmp(option, "-h") == 0)
			return (enum options_result)help(argv[i + 1]);
		if (strcmp(option, "--version") == 0) {
			puts("sluice-sim " SLUICE_VERSION);
			return OPTIONS_EXIT;
		}
		if (strncmp(option, "--", 2) != 0)
			return (enum options_result)bad(option, "an option that begins with --", option);
		char *equals = strchr(argv[i], '=');
		const char *value = equals != NULL ? equals + 1 : argv[i + 1];
		if (equals != NULL)
			*equals = '\0';
		else
			i++;
		if (value == NULL)
			return (enum options_result)bad(option, "a value behind it", "nothing");
		int result = set(options, option, value);
		if (result != OPTIONS_RUN)
			return (enum options_result)result;
	}
	return OPTIONS_RUN;
}
