/* SPDX-License-Identifier: MIT */
/* Loading: defaults, what goes where, and the place and words of every kind of finding. */
#include "tests/unit/config/fixture.h"

#include <unistd.h>

static void the_least_configuration_has_every_default(void **state)
{
	(void)state;
	const struct config *config = fixture_good(LEAST);
	assert_string_equal(config->file, "t.yaml");
	assert_int_equal(config->workers, 0);
	assert_int_equal(config->limits.body, 32 << 20);
	assert_int_equal(config->limits.json.depth, 64);
	assert_int_equal(config->limits.connections, 16384);
	assert_int_equal(config->limits.streams, 256);
	assert_int_equal(config->limits.header_list, 64 << 10);
	assert_int_equal(config->limits.event, 8 << 20);
	assert_int_equal(config->limits.buffer, 256 << 10);
	assert_int_equal(config->fanout.depth, 4);
	assert_int_equal(config->fanout.width, 8);
	assert_int_equal(config->cors.origin_count, 0);
	assert_int_equal(config->cors.max_age_us, 600000000);
	assert_string_equal(config->log_level, "info");
	assert_int_equal(config->listener_count, 1);
	assert_null(config->listeners[0].tls_certificate);
	assert_null(config->listeners[0].tls_key);
	const struct config_backend *backend = &config->backends[0];
	assert_int_equal(config->backend_count, 1);
	assert_string_equal(backend->dialect, "openai");
	assert_null(backend->api_key);
	assert_null(backend->ca);
	assert_true(backend->stream_usage);
	assert_int_equal(backend->timeouts.connect_us, 2000000);
	assert_int_equal(backend->timeouts.first_content_us, 120000000);
	assert_int_equal(backend->timeouts.idle_us, 30000000);
	assert_int_equal(backend->timeouts.idle_whole_us, 120000000);
	assert_int_equal(backend->timeouts.total_us, 600000000);
	config_drop(config);
}

static void a_backend_is_resilient_by_default(void **state)
{
	(void)state;
	const struct config *config = fixture_good(LEAST);
	const struct config_backend *backend = &config->backends[0];
	assert_null(backend->certificate);
	assert_null(backend->key);
	assert_true(backend->breaker.enabled);
	assert_int_equal(backend->breaker.window_us, 60000000);
	assert_int_equal(backend->breaker.calls, 10);
	assert_int_equal(backend->breaker.percent, 50);
	assert_int_equal(backend->breaker.consecutive, 5);
	assert_int_equal(backend->breaker.unreachable, 3);
	assert_int_equal(backend->breaker.wait_us, 5000000);
	assert_int_equal(backend->breaker.wait_most_us, 30000000);
	assert_int_equal(backend->concurrency.calls, 0);
	assert_false(backend->concurrency.adaptive);
	assert_int_equal(backend->concurrency.queue, 128);
	assert_int_equal(backend->concurrency.wait_us, 10000000);
	assert_null(backend->probe.path);
	assert_int_equal(backend->probe.every_us, 10000000);
	assert_int_equal(backend->probe.fall, 3);
	assert_int_equal(backend->probe.rise, 2);
	assert_int_equal(backend->probe.slow_start_us, 30000000);
	assert_int_equal(config->retries.percent, 20);
	assert_int_equal(config->retries.least, 3);
	config_drop(config);
}

static void resilience_is_configured_per_backend(void **state)
{
	(void)state;
	const struct config *config =
	    fixture_good(LEAST "    breaker: { enabled: false, window: 7s, calls: 8, percent: 9, consecutive: 10,\n"
			       "      unreachable: 11, wait: 12ms, wait_most: 13ms }\n"
			       "    concurrency: { calls: 14, adaptive: true, queue: 0, wait: 15ms }\n"
			       "    probe: { path: /models, every: 16ms, fall: 17, rise: 18, slow_start: 0s }\n"
			       "  other: { url: http://o }\n"
			       "retries: { percent: 0, least: 19 }\n");
	const struct config_backend *backend = &config->backends[0];
	assert_false(backend->breaker.enabled);
	assert_int_equal(backend->breaker.window_us, 7000000);
	assert_int_equal(backend->breaker.calls, 8);
	assert_int_equal(backend->breaker.percent, 9);
	assert_int_equal(backend->breaker.consecutive, 10);
	assert_int_equal(backend->breaker.unreachable, 11);
	assert_int_equal(backend->breaker.wait_us, 12000);
	assert_int_equal(backend->breaker.wait_most_us, 13000);
	assert_int_equal(backend->concurrency.calls, 14);
	assert_true(backend->concurrency.adaptive);
	assert_int_equal(backend->concurrency.queue, 0);
	assert_int_equal(backend->concurrency.wait_us, 15000);
	assert_string_equal(backend->probe.path, "/models");
	assert_int_equal(backend->probe.every_us, 16000);
	assert_int_equal(backend->probe.fall, 17);
	assert_int_equal(backend->probe.rise, 18);
	assert_int_equal(backend->probe.slow_start_us, 0);
	assert_int_equal(config->retries.percent, 0);
	assert_int_equal(config->retries.least, 19);
	assert_true(config->backends[1].breaker.enabled);
	config_drop(config);
}

static void a_listener_may_have_several_certificates(void **state)
{
	(void)state;
	static const char rest[] = "backends: { b: { url: 'http://h:1' } }\nmodels: { m: b/x }\nauth: none\n";
	char yaml[1024];
	snprintf(yaml, sizeof(yaml),
		 "listen:\n  - address: 0.0.0.0:8443\n    tls:\n      - { certificate: /etc/passwd, key: /etc/hosts, "
		 "clients: /etc/group }\n      - { certificate: /etc/group, key: /etc/passwd }\n%s",
		 rest);
	const struct config *config = fixture_good(yaml);
	const struct config_listener *listener = &config->listeners[0];
	assert_string_equal(listener->tls_certificate, "/etc/passwd");
	assert_string_equal(listener->tls_key, "/etc/hosts");
	assert_string_equal(listener->tls_clients, "/etc/group");
	assert_int_equal(listener->tls_more_count, 1);
	assert_string_equal(listener->tls_more[0].tls_certificate, "/etc/group");
	assert_string_equal(listener->tls_more[0].tls_key, "/etc/passwd");
	config_drop(config);
	snprintf(yaml, sizeof(yaml),
		 "listen:\n  - address: 0.0.0.0:8443\n    tls:\n      - { certificate: /etc/passwd, key: /etc/hosts }\n"
		 "      - { certificate: /etc/group, clients: /etc/group }\n%s",
		 rest);
	fixture_bad(yaml,
		    "t.yaml:5: listen[0].tls[1].key: missing; expected the path of a readable file\n"
		    "t.yaml:5: listen[0].tls[1]: clients is for all of the list; expected it in the first entry\n");
	snprintf(yaml, sizeof(yaml), "listen:\n  - address: 0.0.0.0:8443\n    tls: []\n%s", rest);
	fixture_bad(yaml,
		    "t.yaml:3: listen[0].tls: at least one is needed; expected a mapping of certificate and key, or a "
		    "list of such mappings\n");
	buf_reset(&fixture_errors);
}

static void every_value_goes_where_it_belongs(void **state)
{
	(void)state;
	char directory[] = "/tmp/sluice-test-XXXXXX";
	char path[64];
	assert_non_null(mkdtemp(directory));
	fixture_write(directory, "cert.pem", "x");
	fixture_write(directory, "key.pem", "x");
	fixture_write(directory, "ca.pem", "x");
	fixture_write(
	    directory, "c.yaml",
	    "listen:\n"
	    "  - \"[::1]:0\"\n"
	    "  - address: 0.0.0.0:8443\n"
	    "    tls: { certificate: cert.pem, key: key.pem }\n"
	    "workers: 3\n"
	    "auth: none\n"
	    "backends:\n"
	    "  b:\n"
	    "    url: https://h:1/v1//\n"
	    "    dialect: openai\n"
	    "    api_key: k\n"
	    "    ca: ca.pem\n"
	    "    stream_usage: false\n"
	    "    tls: { certificate: cert.pem, key: key.pem }\n"
	    "    timeouts: { connect: 1ms, first_content: 2ms, idle: 3ms, total: 4ms }\n"
	    "models: { m: b/x }\n"
	    "limits: { body: 1KiB, json_depth: 2, connections: 3, streams: 4, header_list: 5KiB, event: 6KiB, "
	    "buffer: 70KiB }\n"
	    "fanout: { depth: 5, width: 6 }\n"
	    "cors: { origins: [https://a.example, 'http://[::1]:3000'], max_age: 0s }\n"
	    "log: { level: debug }\n");
	snprintf(path, sizeof(path), "%s/c.yaml", directory);
	const struct config *config = config_load_file(path, &fixture_errors);
	assert_string_equal(fixture_findings(), "");
	assert_non_null(config);
	assert_string_equal(config->listeners[0].host, "::1");
	assert_string_equal(config->listeners[0].port, "0");
	assert_int_equal(config->listeners[0].line, 2);
	assert_string_equal(config->listeners[1].host, "0.0.0.0");
	assert_string_equal(config->listeners[1].port, "8443");
	assert_int_equal(config->listeners[1].line, 3);
	snprintf(path, sizeof(path), "%s/cert.pem", directory);
	assert_string_equal(config->listeners[1].tls_certificate, path);
	snprintf(path, sizeof(path), "%s/key.pem", directory);
	assert_string_equal(config->listeners[1].tls_key, path);
	assert_int_equal(config->workers, 3);
	const struct config_backend *b = &config->backends[0];
	assert_string_equal(b->name, "b");
	assert_string_equal(b->url, "https://h:1/v1");
	assert_true(secret_is(b->api_key, SPAN("k")));
	snprintf(path, sizeof(path), "%s/ca.pem", directory);
	assert_string_equal(b->ca, path);
	assert_string_equal(b->certificate, config->listeners[1].tls_certificate);
	assert_string_equal(b->key, config->listeners[1].tls_key);
	assert_false(b->stream_usage);
	assert_int_equal(b->line, 8);
	assert_int_equal(b->timeouts.connect_us, 1000);
	assert_int_equal(b->timeouts.first_content_us, 2000);
	assert_int_equal(b->timeouts.idle_us, 3000);
	assert_int_equal(b->timeouts.total_us, 4000);
	assert_int_equal(config->limits.body, 1024);
	assert_int_equal(config->limits.json.depth, 2);
	assert_int_equal(config->limits.connections, 3);
	assert_int_equal(config->limits.streams, 4);
	assert_int_equal(config->limits.header_list, 5120);
	assert_int_equal(config->limits.event, 6144);
	assert_int_equal(config->limits.buffer, 71680);
	assert_int_equal(config->fanout.depth, 5);
	assert_int_equal(config->fanout.width, 6);
	assert_int_equal(config->cors.origin_count, 2);
	assert_string_equal(config->cors.origins[0], "https://a.example");
	assert_string_equal(config->cors.origins[1], "http://[::1]:3000");
	assert_int_equal(config->cors.max_age_us, 0);
	assert_string_equal(config->log_level, "debug");
	config_drop(config);
	fixture_remove(directory, "cert.pem");
	fixture_remove(directory, "key.pem");
	fixture_remove(directory, "ca.pem");
	fixture_remove(directory, "c.yaml");
	rmdir(directory);
}

static void an_empty_key_is_no_key(void **state)
{
	(void)state;
	unsetenv("SLUICE_UNSET");
	static const char *const ways[] = {"    api_key: ${SLUICE_UNSET:-}\n", "    api_key:\n", "    api_key: ''\n",
					   "    api_key: ~\n"};
	char text[512];
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		snprintf(text, sizeof(text), LEAST "%s", ways[i]);
		const struct config *config = fixture_good(text);
		assert_null(config->backends[0].api_key);
		config_drop(config);
	}
}

static void a_section_whose_keys_are_all_switched_off_is_allowed(void **state)
{
	(void)state;
	config_drop(fixture_good(LEAST "    timeouts:\nlimits:\nlog:\ncors:\n"));
	config_drop(fixture_good(LEAST "cors:\n  origins:\n"));
	config_drop(fixture_good(LEAST "cors:\n  origins: []\n"));
}

static void models_are_found_by_name(void **state)
{
	(void)state;
	const struct config *config =
	    fixture_good("listen: [h:1]\n"
			 "backends: { a: { url: http://a } }\n"
			 "models: { zeta: a/1, alpha: a/2, \"with space/ö\": a/3, al: a/4 }\n");
	assert_ptr_equal(config_find_model(config, SPAN("zeta")), &config->models[0]);
	assert_ptr_equal(config_find_model(config, SPAN("alpha")), &config->models[1]);
	assert_ptr_equal(config_find_model(config, SPAN("with space/ö")), &config->models[2]);
	assert_ptr_equal(config_find_model(config, SPAN("al")), &config->models[3]);
	assert_null(config_find_model(config, SPAN("a")));
	assert_null(config_find_model(config, SPAN("alphaa")));
	assert_null(config_find_model(config, SPAN("")));
	assert_null(config_find_model(config, SPAN("alpha\0x")));
	assert_null(config_find_model(config, (struct span){NULL, 0}));
	config_drop(config);
}

static void a_snapshot_lives_until_its_last_reference_is_dropped(void **state)
{
	(void)state;
	const struct config *config = fixture_good(LEAST);
	assert_ptr_equal(config_hold(config), config);
	config_drop(config);
	assert_string_equal(config->models[0].name, "m"); /* under ASan: still there */
	config_drop(config);
	config_drop(NULL);
}

/* One finding for what is put behind the least configuration. */
static void refuses(const char *lines, const char *finding)
{
	char yaml[1024];
	char expected[1024];
	snprintf(yaml, sizeof(yaml), LEAST "%s", lines);
	snprintf(expected, sizeof(expected), "t.yaml:%s\n", finding);
	fixture_bad(yaml, expected);
}

static void each_kind_of_finding_has_its_line_key_and_words(void **state)
{
	(void)state;
	refuses("    timeouts:\n      conect: 2s\n",
		"9: backends.local.timeouts.conect: unknown key; did you mean \"connect\"?");
	refuses("\n\nlimits:\n  body: 4 megs\n",
		"11: limits.body: got \"4 megs\"; expected a size such as 4MiB, 512KiB or 1048576");
	refuses("limits:\n  body:\n    4 megs\n",
		"10: limits.body: got \"4 megs\"; expected a size such as 4MiB, 512KiB or 1048576");
	refuses("limits:\n  body: 2GiB\n", "9: limits.body: got \"2GiB\"; expected a size from 1KiB to 1GiB");
	refuses("limits:\n  body:\n", "9: limits.body: got nothing; expected a size such as 4MiB, 512KiB or 1048576");
	refuses("limits:\n  body: [1]\n",
		"9: limits.body: got a list; expected a size such as 4MiB, 512KiB or 1048576");
	refuses("limits: 3\n", "8: limits: got a single value; expected a mapping of keys to values");
	refuses("limits: { json_depth: deep }\n", "8: limits.json_depth: got \"deep\"; expected a number such as 64");
	refuses("workers: many\n", "8: workers: got \"many\"; expected auto or a number such as 64");
	refuses("workers: 0\n", "8: workers: got \"0\"; expected auto or a number from 1 to 1024");
	refuses("    stream_usage: yes\n", "8: backends.local.stream_usage: got \"yes\"; expected true or false");
	refuses("    timeouts: { idle: 5 }\n",
		"8: backends.local.timeouts.idle: got \"5\"; expected a duration such as 250ms, 2s, 10m or 1h");
	refuses("log: { level: inf }\n",
		"8: log.level: got \"inf\"; expected one of debug, info, warn, error; did you mean \"info\"?");
	refuses("    ca: /nonexistent.pem\n",
		"8: backends.local.ca: got \"/nonexistent.pem\"; expected the path of a readable file (No such file or "
		"directory)");
	refuses("    ca: /tmp\n", "8: backends.local.ca: got \"/tmp\"; expected the path of a readable file");
	refuses("    api_key: a b\n",
		"8: backends.local.api_key: got a value that is not shown; expected visible ASCII "
		"characters without spaces");
	refuses("    api_key: ${SLUICE_UNSET}\n",
		"8: backends.local.api_key: the environment variable SLUICE_UNSET is not set; set it, or write "
		"${SLUICE_UNSET:-default}");
	refuses("workers: 1\n\nworkers: 2\n", "10: workers: given twice; the first is at line 8");
	refuses("  other:\n    dialect: openai\n",
		"8: backends.other.url: missing; expected an http:// or https:// URL without user, query and fragment, "
		"such as http://127.0.0.1:8000/v1");
	refuses("  other:\n",
		"8: backends.other.url: missing; expected an http:// or https:// URL without user, query and "
		"fragment, such as http://127.0.0.1:8000/v1");
	refuses("  a/b: { url: http://h }\n",
		"8: backends.a/b: a backend's name is 1 to 64 letters, digits, \".\", \"_\" and \"-\"");
	refuses(
	    "  x:\n    url: ftp://h\n",
	    "9: backends.x.url: got \"ftp://h\"; expected an http:// or https:// URL without user, query and fragment, "
	    "such as http://127.0.0.1:8000/v1");
	refuses("nonsense: 1\n", "8: nonsense: unknown key");
	refuses("\"line\\nbreak\": 1\n", "8: line?break: unknown key");
}

#define AN_ORIGIN \
	"expected an origin such as https://app.example.com or http://localhost:3000, without a path, or \"*\""

static void origins_are_refused_one_by_one(void **state)
{
	(void)state;
	refuses("cors:\n  origins:\n    - https://a.example\n    - https://b.example/\n",
		"11: cors.origins[1]: got \"https://b.example/\"; " AN_ORIGIN);
	refuses("cors: { origins: example.com }\n", "8: cors.origins: got \"example.com\"; " AN_ORIGIN);
	refuses("cors: { origins: { a: b } }\n", "8: cors.origins: got a mapping; " AN_ORIGIN);
	refuses("cors: { origins: [[a]] }\n", "8: cors.origins[0]: got a list; " AN_ORIGIN);
	refuses("cors: { origins: ['https://me:secret@h'] }\n",
		"8: cors.origins[0]: got a value that is not shown; " AN_ORIGIN);
	refuses("cors: { max_age: 25h }\n", "8: cors.max_age: got \"25h\"; expected a duration from 0s to 24h");
}

static void one_origin_needs_no_list(void **state)
{
	(void)state;
	const struct config *config = fixture_good(LEAST "cors: { origins: '*' }\n");
	assert_int_equal(config->cors.origin_count, 1);
	assert_string_equal(config->cors.origins[0], "*");
	config_drop(config);
}

static void what_makes_a_backend_resilient_is_checked(void **state)
{
	(void)state;
	refuses("    breaker: { percnt: 1 }\n",
		"8: backends.local.breaker.percnt: unknown key; did you mean \"percent\"?");
	refuses("    breaker: { percent: 101 }\n",
		"8: backends.local.breaker.percent: got \"101\"; expected a number from 1 to 100");
	refuses("    breaker:\n      wait: 6m\n",
		"8: backends.local.breaker: wait is longer than wait_most; expected the first wait to be the shortest");
	refuses("    concurrency: { calls: many }\n",
		"8: backends.local.concurrency.calls: got \"many\"; expected unlimited or a number such as 64");
	refuses("    concurrency: { calls: 0 }\n",
		"8: backends.local.concurrency.calls: got \"0\"; expected unlimited or a number from 1 to 100000");
	refuses("    probe: { path: models }\n",
		"8: backends.local.probe.path: got \"models\"; expected a path that begins with a slash, such as "
		"/health, without query and fragment");
	refuses("    tls: { certificate: /dev/null }\n",
		"8: backends.local.tls.certificate: got \"/dev/null\"; expected the path of a readable file\n"
		"t.yaml:8: backends.local.tls.key: missing; expected the path of a readable file");
	refuses("retries: { percent: 20% }\n", "8: retries.percent: got \"20%\"; expected a number such as 64");
}

static void a_probe_without_a_path_is_none(void **state)
{
	(void)state;
	const struct config *config = fixture_good(LEAST "    probe:\n      path:\n      every: 1s\n");
	assert_null(config->backends[0].probe.path);
	config_drop(config);
}

static void yaml_that_is_not_understood_is_refused_by_line(void **state)
{
	(void)state;
	refuses("workers: &a 1\n",
		"8: YAML anchors (&name) and aliases (*name) are not supported; write the value out, or "
		"in quotes when it begins with & or *");
	refuses("workers: *a\n",
		"8: YAML anchors (&name) and aliases (*name) are not supported; write the value out, or "
		"in quotes when it begins with & or *");
	refuses("workers: !!int 1\n",
		"8: YAML tags (!name) are not supported; write the value in quotes when it begins with !");
	refuses("---\nworkers: 1\n", "8: a second YAML document begins here; the file must be one document");
	refuses("? [a]\n: 1\n", "8: a key must be a string");
	refuses("workers: \"\\0\"\n", "8: a NUL character is not allowed in a value");
	refuses("workers: [1\n",
		"9: not valid YAML: did not find expected ',' or ']' while parsing a flow sequence, which "
		"starts at line 8");
	refuses("workers: \xff\n", "8: not valid YAML: invalid leading UTF-8 octet");
	refuses("workers: @\n",
		"8: not valid YAML: found character that cannot start any token while scanning for the next "
		"token, which starts at line 8");
}

static void nesting_is_bounded(void **state)
{
	(void)state;
	char yaml[20000];
	memset(yaml, '[', sizeof(yaml) - 1);
	yaml[sizeof(yaml) - 1] = '\0';
	fixture_bad(yaml, "t.yaml:1: values are nested too deeply\n");
}

#define MISSING_LISTEN "listen: missing; expected a list such as [\"127.0.0.1:8080\"]\n"
#define MISSING_BACKENDS                                                                    \
	"backends: missing; expected a mapping of names to backends, such as local: {url: " \
	"\"http://127.0.0.1:8000/v1\"}\n"
#define MISSING_MODELS "models: missing; expected a mapping of names to plans, such as small: local/llama-3-8b\n"

static void listeners_backends_and_models_are_needed(void **state)
{
	(void)state;
	const char *all = "t.yaml:1: " MISSING_LISTEN "t.yaml:1: " MISSING_BACKENDS "t.yaml:1: " MISSING_MODELS;
	fixture_bad("", all);
	fixture_bad("# nothing\n", all);
	fixture_bad("{}", all);
	fixture_bad("[a]", "t.yaml:1: got a list; expected a mapping of keys to values\n");
	fixture_bad(
	    "listen: []\nbackends: {}\nmodels: {}\n",
	    "t.yaml:1: listen: at least one is needed; expected a list such as [\"127.0.0.1:8080\"]\n"
	    "t.yaml:2: backends: at least one is needed; expected a mapping of names to backends, such as local: "
	    "{url: \"http://127.0.0.1:8000/v1\"}\n"
	    "t.yaml:3: models: at least one is needed; expected a mapping of names to plans, such as small: "
	    "local/llama-3-8b\n");
}

static void a_listener_needs_an_address_and_both_files(void **state)
{
	(void)state;
	fixture_bad(
	    "listen:\n"
	    "  - nowhere\n"
	    "  - {}\n"
	    "  - address: h:1\n"
	    "    tls:\n"
	    "      key: /nonexistent.pem\n"
	    "backends: { a: { url: http://h } }\n"
	    "models: { m: a/x }\n",
	    "t.yaml:2: listen[0]: got \"nowhere\"; expected an address with port, such as 127.0.0.1:8080 or "
	    "\"[::1]:8080\"\n"
	    "t.yaml:3: listen[1].address: missing; expected an address with port, such as 127.0.0.1:8080 or "
	    "\"[::1]:8080\"\n"
	    "t.yaml:5: listen[2].tls.certificate: missing; expected the path of a readable file\n"
	    "t.yaml:6: listen[2].tls.key: got \"/nonexistent.pem\"; expected the path of a readable file (No such "
	    "file or directory)\n");
}

static void model_names_have_1_to_256_bytes(void **state)
{
	(void)state;
	char name[258];
	char yaml[1024];
	memset(name, 'n', 257);
	name[257] = '\0';
	for (size_t len = 256; len <= 257; len++) {
		snprintf(yaml, sizeof(yaml),
			 "listen: [h:1]\nbackends: {a: {url: http://h}}\nmodels:\n  ? %.*s\n  : a/x\n", (int)len, name);
		const struct config *config = fixture_load(yaml);
		assert_int_equal(config != NULL, len == 256);
		config_drop(config);
	}
	fixture_bad("listen: [h:1]\nbackends: {a: {url: http://h}}\nmodels: {\"\": a/x}\n",
		    "t.yaml:3: models.: a model's name is 1 to 256 bytes\n");
}

static void findings_are_sorted_by_line_whatever_the_order_of_reading(void **state)
{
	(void)state;
	fixture_bad("models:\n  m: a\nlisten: [h]\nbackends:\n  a: { url: http://h }\n",
		    "t.yaml:2: models.m: got \"a\"; expected a target such as backend/model, or one combinator such as "
		    "fallback: [a/model, b/model]\n"
		    "t.yaml:3: listen[0]: got \"h\"; expected an address with port, such as 127.0.0.1:8080 or "
		    "\"[::1]:8080\"\n");
}

static void fifty_findings_are_told_and_the_rest_counted(void **state)
{
	(void)state;
	char yaml[8192];
	size_t len = (size_t)snprintf(yaml, sizeof(yaml), "models:\n  m: nothing\n");
	for (int i = 0; i < 60; i++)
		len += (size_t)snprintf(yaml + len, sizeof(yaml) - len, "unknown%d: 1\n", i);
	snprintf(yaml + len, sizeof(yaml) - len, "listen: [h:1]\nbackends: { a: { url: http://h } }\n");
	assert_null(fixture_load(yaml));
	const char *text = fixture_findings();
	unsigned lines = 0;
	for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++)
		lines++;
	assert_int_equal(lines, 51);
	/* The plan is read last, but stands first in the file. */
	assert_ptr_equal(strstr(text, "t.yaml:2: models.m: "), text);
	assert_non_null(strstr(text, "t.yaml:51: unknown48: unknown key\n"));
	assert_null(strstr(text, "unknown49"));
	assert_non_null(strstr(text, "\nt.yaml: 11 more errors are not shown\n"));
}

static void a_file_that_cannot_be_read_says_why(void **state)
{
	(void)state;
	buf_reset(&fixture_errors);
	assert_null(config_load_file("/nonexistent.yaml", &fixture_errors));
	assert_string_equal(fixture_findings(),
			    "/nonexistent.yaml: the file cannot be read: No such file or directory\n");
	buf_reset(&fixture_errors);
	assert_null(config_load_file("/tmp", &fixture_errors));
	assert_string_equal(fixture_findings(), "/tmp: the file cannot be read: Is a directory\n");
	buf_reset(&fixture_errors);
	assert_null(config_load_file("/dev/zero", &fixture_errors));
	assert_string_equal(fixture_findings(), "/dev/zero: the file is larger than 4 MiB\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_least_configuration_has_every_default),
	    cmocka_unit_test(a_backend_is_resilient_by_default),
	    cmocka_unit_test(resilience_is_configured_per_backend),
	    cmocka_unit_test(a_listener_may_have_several_certificates),
	    cmocka_unit_test(every_value_goes_where_it_belongs),
	    cmocka_unit_test(an_empty_key_is_no_key),
	    cmocka_unit_test(a_section_whose_keys_are_all_switched_off_is_allowed),
	    cmocka_unit_test(models_are_found_by_name),
	    cmocka_unit_test(a_snapshot_lives_until_its_last_reference_is_dropped),
	    cmocka_unit_test(each_kind_of_finding_has_its_line_key_and_words),
	    cmocka_unit_test(origins_are_refused_one_by_one),
	    cmocka_unit_test(one_origin_needs_no_list),
	    cmocka_unit_test(what_makes_a_backend_resilient_is_checked),
	    cmocka_unit_test(a_probe_without_a_path_is_none),
	    cmocka_unit_test(yaml_that_is_not_understood_is_refused_by_line),
	    cmocka_unit_test(nesting_is_bounded),
	    cmocka_unit_test(listeners_backends_and_models_are_needed),
	    cmocka_unit_test(a_listener_needs_an_address_and_both_files),
	    cmocka_unit_test(model_names_have_1_to_256_bytes),
	    cmocka_unit_test(findings_are_sorted_by_line_whatever_the_order_of_reading),
	    cmocka_unit_test(fifty_findings_are_told_and_the_rest_counted),
	    cmocka_unit_test(a_file_that_cannot_be_read_says_why),
	};
	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
