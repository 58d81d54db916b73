/* SPDX-License-Identifier: MIT */
/* The arguments of `sluice cache`; cache_main.h holds the contract. */
#include "service/cache_main.h"

#include "service/cache_command.h"
#include "service/cache_remote.h"
#include "service/command.h"

enum { CACHE_REQUEST_MOST = 16 * 1024 * 1024 };

const char cache_main_usage[] =
    "       sluice cache key [--config FILE] [--authorization TEXT | --tenant TENANT] FILE\n"
    "                                print how the cache sees a request read from FILE (-: stdin)\n"
    "       sluice cache show [--url URL] --key KEY [--text]\n"
    "                                print what a running service keeps under a key, with --text all of it\n"
    "                                URL: its admin listener, http://127.0.0.1:9090 or unix:PATH\n"
    "       sluice cache purge [--url URL] [--key KEY] [--model NAME] [--tenant TENANT]\n"
    "                                have it forget what all of them name, without any everything\n";

enum { TENANT_MAX = 256 };

/* What may be said behind a command. */
struct arguments {
	const char *config, *authorization, *tenant;
	struct cache_remote remote;
	const char *file;
};

/* Where the value of an option goes; NULL = the command has no such option. */
static const char **place_of(struct arguments *arguments, const char *command, const char *option)
{
	const struct {
		const char *command;
		const char *option;
		const char **place;
	} rows[] = {
	    {"key", "--config", &arguments->config},          {"key", "--authorization", &arguments->authorization},
	    {"key", "--tenant", &arguments->tenant},          {"show", "--url", &arguments->remote.url},
	    {"show", "--key", &arguments->remote.key},        {"purge", "--url", &arguments->remote.url},
	    {"purge", "--key", &arguments->remote.key},       {"purge", "--model", &arguments->remote.model},
	    {"purge", "--tenant", &arguments->remote.tenant},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(rows[i].command, command) == 0 && strcmp(rows[i].option, option) == 0)
			return rows[i].place;
	return NULL;
}

/* The first argument that makes no sense; NULL = they all do. */
static const char *read_arguments(const char *command, int count, char **list, struct arguments *arguments)
{
	for (int i = 0; i < count; i++) {
		const char **place = place_of(arguments, command, list[i]);
		if (place != NULL && i + 1 < count)
			*place = list[++i];
		else if (strcmp(command, "show") == 0 && strcmp(list[i], "--text") == 0)
			arguments->remote.text = true;
		else if (strcmp(command, "key") == 0 && place == NULL && arguments->file[0] == '\0')
			arguments->file = list[i];
		else
			return list[i];
	}
	return NULL;
}

/* What a command cannot do without; NULL = it is there. */
static const char *find_missing(const char *command, const struct arguments *arguments)
{
	if (strcmp(command, "key") == 0 && arguments->file[0] == '\0')
		return "FILE";
	return strcmp(command, "show") == 0 && arguments->remote.key == NULL ? "--key KEY" : NULL;
}

/* Reads all of a file, or of stdin for "-". */
static bool read_request(const char *path, struct buf *body)
{
	FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	size_t got = file == NULL ? 0 : 1;
	while (got != 0) {
		char *at = buf_reserve(body, 1 << 16);
		got = at == NULL ? 0 : fread(at, 1, 1 << 16, file);
		if (got != 0)
			buf_commit(body, got);
	}
	bool good = file != NULL && !ferror(file) && !buf_failed(body);
	if (file != NULL && file != stdin)
		fclose(file);
	if (!good)
		fprintf(stderr, "sluice: %s: the file cannot be read\n", path);
	return good;
}

/* Where clients show keys, answers are their tenants'. */
static bool is_told_apart(const struct config *config, const struct arguments *arguments)
{
	bool told = config_auth_is_on(config) == (arguments->tenant != NULL);
	if (!told && config_auth_is_on(config))
		fputs("sluice: cache key: --tenant TENANT is missing: clients of this configuration show keys\n",
		      stderr);
	else if (!told)
		fputs("sluice: cache key: clients of this configuration show no keys; expected --authorization\n",
		      stderr);
	return told;
}

/* As config_key.identity has it. */
static struct span tenant_of(const struct arguments *arguments, char text[TENANT_MAX])
{
	if (arguments->tenant == NULL)
		return span_of(arguments->authorization);
	snprintf(text, TENANT_MAX, "\n%s", arguments->tenant);
	return span_of(text);
}

static bool explain_key(const struct arguments *arguments, struct buf *text)
{
	struct buf body;
	char tenant[TENANT_MAX];
	buf_init(&body, CACHE_REQUEST_MOST);
	const struct config *config = command_load(arguments->config, text);
	bool told = config != NULL && is_told_apart(config, arguments) && read_request(arguments->file, &body) &&
		    cache_command_key(config, buf_span(&body), tenant_of(arguments, tenant), text);
	buf_fini(&body);
	config_drop(config);
	return told;
}

int cache_main(int count, char **arguments, struct buf *text, const char **unexpected)
{
	struct arguments read = {.authorization = "", .file = "", .remote = {.url = "http://127.0.0.1:9090"}};
	const char *command = count == 0 ? "" : arguments[0];
	bool done = false;
	*unexpected = strcmp(command, "key") != 0 && strcmp(command, "show") != 0 && strcmp(command, "purge") != 0
			  ? (count == 0 ? "cache" : command)
			  : read_arguments(command, count - 1, arguments + 1, &read);
	const char *missing = *unexpected != NULL ? NULL : find_missing(command, &read);
	if (missing != NULL)
		fprintf(stderr, "sluice: cache %s: %s is missing; sluice --help tells more\n", command, missing);
	if (*unexpected != NULL || missing != NULL)
		return COMMAND_USAGE;
	if (strcmp(command, "key") == 0)
		done = explain_key(&read, text);
	else if (strcmp(command, "show") == 0)
		done = cache_remote_show(&read.remote, text);
	else
		done = cache_remote_purge(&read.remote, text);
	command_print(done ? stdout : stderr, text);
	return done ? COMMAND_OK : COMMAND_FAILED;
}
