/* SPDX-License-Identifier: MIT */
/* The commands of sluice keys; keys_main.h holds the contract. */
#include "service/keys_main.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "config/key_values.h"
#include "config/values.h"
#include "lib/api_key.h"
#include "lib/hmac.h"
#include "service/command.h"
#include "service/keys_store_main.h"

enum { SECRET_MAX = 4096, PEPPER_LEAST = 32 };

#define PEPPER_VARIABLE "SLUICE_PEPPER"

const char keys_main_usage[] =
    "       sluice keys create --name NAME [--tenant ORG/TEAM/AGENT] [--pepper-file FILE]\n"
    "                                make a key: print it, once, and the row of it for the configuration\n"
    "       sluice keys hash [--pepper-file FILE]\n"
    "                                read a key from stdin and print its hash for the configuration\n"
    "                                without a file, the pepper (auth.pepper) is $" PEPPER_VARIABLE "\n";

struct keys_arguments {
	const char *name, *tenant, *pepper_file;
};

static const char **place_of(struct keys_arguments *arguments, bool creates, const char *option)
{
	if (strcmp(option, "--pepper-file") == 0)
		return &arguments->pepper_file;
	if (creates && strcmp(option, "--name") == 0)
		return &arguments->name;
	return creates && strcmp(option, "--tenant") == 0 ? &arguments->tenant : NULL;
}

/* The first argument that makes no sense; NULL = they all do. */
static const char *read_arguments(struct keys_arguments *arguments, bool creates, int count, char **list)
{
	for (int i = 0; i < count; i++) {
		const char **place = place_of(arguments, creates, list[i]);
		if (place == NULL || i + 1 == count)
			return list[i];
		*place = list[++i];
	}
	return NULL;
}

/* Reads a secret without the end of its line. False: there is none, or it is too long. */
static bool read_secret(FILE *file, char secret[SECRET_MAX])
{
	size_t len = fread(secret, 1, SECRET_MAX - 1, file);
	bool whole = feof(file) && !ferror(file) && memchr(secret, '\0', len) == NULL;
	secret[len] = '\0';
	if (len > 0 && secret[len - 1] == '\n')
		secret[--len] = '\0';
	if (len > 0 && secret[len - 1] == '\r')
		secret[--len] = '\0';
	return whole && len > 0;
}

static bool read_pepper(const char *path, char pepper[SECRET_MAX])
{
	const char *variable = getenv(PEPPER_VARIABLE);
	FILE *file = path == NULL ? NULL : fopen(path, "re");
	bool good = file != NULL && read_secret(file, pepper);
	if (file != NULL)
		fclose(file);
	if (path == NULL && variable != NULL)
		good = (size_t)snprintf(pepper, SECRET_MAX, "%s", variable) < SECRET_MAX;
	if (path != NULL && !good)
		fprintf(stderr, "sluice: %s: the pepper cannot be read\n", path);
	else if (!good)
		fputs("sluice: keys: there is no pepper; expected --pepper-file FILE, or $" PEPPER_VARIABLE
		      ", such as `openssl rand -hex 32` prints\n",
		      stderr);
	else if (strlen(pepper) < PEPPER_LEAST)
		fprintf(stderr, "sluice: keys: the pepper has %zu characters; expected at least %d\n", strlen(pepper),
			PEPPER_LEAST);
	return good && strlen(pepper) >= PEPPER_LEAST;
}

/* Appends "ID:HEX". */
static bool write_hash(struct span key, struct span pepper, struct buf *out)
{
	unsigned char sum[HMAC_SIZE];
	struct span id;
	struct hmac *hmac = hmac_create(pepper);
	bool good = hmac != NULL && hmac_sum(hmac, key, sum) && api_key_parse(key, &id);
	hmac_destroy(hmac);
	if (!good)
		return false;
	buf_printf(out, "%.*s:", SPAN_ARG(id));
	for (size_t i = 0; i < HMAC_SIZE; i++)
		buf_printf(out, "%02x", sum[i]);
	return !buf_failed(out);
}

static bool are_names(const struct keys_arguments *arguments)
{
	struct arena arena;
	const char *tenant;
	arena_init(&arena, 0);
	bool name = value_is_name(span_of(arguments->name));
	bool path = arguments->tenant == NULL || key_value_tenant(&arena, span_of(arguments->tenant), &tenant);
	if (!name)
		fprintf(stderr,
			"sluice: keys create: --name: got \"%s\"; expected 1 to %d letters, digits, \".\", \"_\" and "
			"\"-\"\n",
			arguments->name, VALUE_NAME_MAX);
	if (!path)
		fprintf(stderr, "sluice: keys create: --tenant: got \"%s\"; expected one to three names by slashes\n",
			arguments->tenant);
	arena_fini(&arena);
	return name && path;
}

static bool create(const struct keys_arguments *arguments, struct span pepper, struct buf *out)
{
	char key[API_KEY_LENGTH + 1];
	if (!are_names(arguments) || !api_key_make(key))
		return false;
	buf_printf(out, "%s\n\nkeys:\n  %s:\n    hash: ", key, arguments->name);
	bool done = write_hash((struct span){key, API_KEY_LENGTH}, pepper, out);
	if (arguments->tenant != NULL)
		buf_printf(out, "\n    tenant: %s", arguments->tenant);
	buf_append(out, SPAN("\n"));
	explicit_bzero(key, sizeof(key));
	return done;
}

static bool hash(struct span pepper, struct buf *out)
{
	char key[SECRET_MAX];
	struct span id;
	bool good = read_secret(stdin, key) && api_key_parse(span_of(key), &id);
	if (!good)
		fputs("sluice: keys hash: expected a key on stdin, as `sluice keys create` prints it\n", stderr);
	bool done = good && write_hash(span_of(key), pepper, out);
	buf_append(out, SPAN("\n"));
	explicit_bzero(key, sizeof(key));
	return done;
}

int keys_main(int count, char **arguments, struct buf *text, const char **unexpected)
{
	struct keys_arguments read = {.name = NULL};
	char pepper[SECRET_MAX];
	const char *command = count == 0 ? "" : arguments[0];
	if (count > 0 && keys_store_is_meant(command, count - 1, arguments + 1))
		return keys_store_main(command, count - 1, arguments + 1, text, unexpected);
	bool creates = strcmp(command, "create") == 0;
	*unexpected = creates || strcmp(command, "hash") == 0 ? read_arguments(&read, creates, count - 1, arguments + 1)
							      : (count == 0 ? "keys" : command);
	if (*unexpected == NULL && creates && read.name == NULL)
		fputs("sluice: keys create: --name NAME is missing; sluice --help tells more\n", stderr);
	if (*unexpected != NULL || (creates && read.name == NULL))
		return COMMAND_USAGE;
	bool done = read_pepper(read.pepper_file, pepper) &&
		    (creates ? create(&read, span_of(pepper), text) : hash(span_of(pepper), text));
	explicit_bzero(pepper, sizeof(pepper));
	if (done)
		command_print(stdout, text);
	return done ? COMMAND_OK : COMMAND_FAILED;
}
