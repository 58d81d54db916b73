/* SPDX-License-Identifier: MIT */
/*
 * The commands write what they are told as the JSON that /admin/keys takes, so that both are checked by the same
 * tables, and print what the same operations answer.
 */
#include "service/keys_store_main.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "clients/redis/redis.h"
#include "config/config.h"
#include "config/values.h"
#include "lib/json_write.h"
#include "lib/log.h"
#include "service/access/key_book.h"
#include "service/command.h"
#include "service/loop/loop.h"

enum { BODY_MAX = 1 << 20, LABELS_MOST = 64, WAIT_MS = 30000, DEPTH = 64, SECOND_US = 1000000 };

const char keys_store_usage[] =
    "       sluice keys create --config FILE --name NAME [--tenant ORG/TEAM/AGENT] [--models A,B] [--endpoints A,B]\n"
    "                   [--networks A,B] [--expires DAY] [--admin] [--label NAME=TEXT] [--limits JSON] [--json]\n"
    "                                make a key in the store of the configuration (auth.store): print it, once\n"
    "       sluice keys list --config FILE [--tenant TENANT] [--state STATE] [--json]\n"
    "       sluice keys show --config FILE ID [--json]\n"
    "       sluice keys rotate --config FILE ID [--overlap 24h] [--json]\n"
    "                                give a key a new secret: print it, once; the former one stays good meanwhile\n"
    "       sluice keys revoke --config FILE ID [--json]\n";

enum store_command { CREATE, LIST, SHOW, ROTATE, REVOKE, COMMANDS };

static const char *const commands[COMMANDS] = {
    [CREATE] = "create", [LIST] = "list", [SHOW] = "show", [ROTATE] = "rotate", [REVOKE] = "revoke"};

static const enum key_operation operations[COMMANDS] = {
    [CREATE] = KEY_CREATE, [LIST] = KEY_LIST, [SHOW] = KEY_SHOW, [ROTATE] = KEY_ROTATE, [REVOKE] = KEY_REVOKE};

struct store_arguments {
	const char *config, *name, *tenant, *models, *endpoints, *networks, *expires, *limits, *state, *overlap, *id;
	const char *labels[LABELS_MOST];
	size_t label_count;
	bool admin, json;
};

static enum store_command command_of(const char *word)
{
	enum store_command command = 0;
	while (command < COMMANDS && strcmp(word, commands[command]) != 0)
		command++;
	return command;
}

static bool is_config(const char *option)
{
	return strcmp(option, "--config") == 0 || strcmp(option, "-c") == 0;
}

bool keys_store_is_meant(const char *command, int count, char **arguments)
{
	bool meant = command_of(command) != COMMANDS && command_of(command) != CREATE;
	for (int i = 0; i < count && command_of(command) == CREATE; i++)
		meant = meant || is_config(arguments[i]);
	return meant;
}

/* ---- arguments ---- */

/* Where the value of an option goes; NULL = the command has no such option. */
static const char **place_of(struct store_arguments *read, enum store_command command, const char *option)
{
	const struct {
		unsigned commands; /* a bit for each */
		const char *option;
		const char **place;
	} rows[] = {
	    {1u << CREATE, "--name", &read->name},         {1u << CREATE | 1u << LIST, "--tenant", &read->tenant},
	    {1u << CREATE, "--models", &read->models},     {1u << CREATE, "--endpoints", &read->endpoints},
	    {1u << CREATE, "--networks", &read->networks}, {1u << CREATE, "--expires", &read->expires},
	    {1u << CREATE, "--limits", &read->limits},     {1u << LIST, "--state", &read->state},
	    {1u << ROTATE, "--overlap", &read->overlap},
	};
	if (is_config(option))
		return &read->config;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if ((rows[i].commands >> command & 1) != 0 && strcmp(rows[i].option, option) == 0)
			return rows[i].place;
	if (command == CREATE && strcmp(option, "--label") == 0 && read->label_count < LABELS_MOST)
		return &read->labels[read->label_count++];
	return NULL;
}

/* Returns the first argument that makes no sense; NULL = they all do. */
static const char *read_arguments(struct store_arguments *read, enum store_command command, int count, char **list)
{
	bool takes_id = command == SHOW || command == ROTATE || command == REVOKE;
	for (int i = 0; i < count; i++) {
		const char **place = list[i][0] == '-' ? place_of(read, command, list[i]) : NULL;
		if (place != NULL && i + 1 < count)
			*place = list[++i];
		else if (strcmp(list[i], "--json") == 0)
			read->json = true;
		else if (command == CREATE && strcmp(list[i], "--admin") == 0)
			read->admin = true;
		else if (takes_id && place == NULL && read->id == NULL && list[i][0] != '-')
			read->id = list[i];
		else
			return list[i];
	}
	return NULL;
}

/* Returns what the command cannot do without; NULL = it is there. */
static const char *find_missing(const struct store_arguments *read, enum store_command command)
{
	if (read->config == NULL)
		return "--config FILE";
	if (command == CREATE && read->name == NULL)
		return "--name NAME";
	return command != CREATE && command != LIST && read->id == NULL ? "ID, as `sluice keys list` prints it" : NULL;
}

/* ---- what they say, as JSON ---- */

static void write_member(struct buf *out, const char *name, const char *text)
{
	if (text == NULL)
		return;
	buf_printf(out, "%s\"%s\":", buf_len(out) > 1 ? "," : "", name);
	json_write_string(out, span_of(text));
}

/* "a,b" as an array. */
static void write_list(struct buf *out, const char *name, const char *text)
{
	if (text == NULL)
		return;
	buf_printf(out, "%s\"%s\":[", buf_len(out) > 1 ? "," : "", name);
	for (const char *at = text;; at++) {
		size_t len = strcspn(at, ",");
		json_write_string(out, (struct span){at, len});
		at += len;
		if (*at == '\0')
			break;
		buf_append(out, SPAN(","));
	}
	buf_append(out, SPAN("]"));
}

static void write_labels(struct buf *out, const struct store_arguments *read)
{
	if (read->label_count == 0)
		return;
	buf_printf(out, "%s\"labels\":{", buf_len(out) > 1 ? "," : "");
	for (size_t i = 0; i < read->label_count; i++) {
		size_t len = strcspn(read->labels[i], "=");
		buf_append(out, i == 0 ? SPAN("") : SPAN(","));
		json_write_string(out, (struct span){read->labels[i], len});
		buf_append(out, SPAN(":"));
		json_write_string(out, span_of(read->labels[i] + len + (read->labels[i][len] == '=')));
	}
	buf_append(out, SPAN("}"));
}

static void write_create(struct buf *out, const struct store_arguments *read)
{
	buf_append(out, SPAN("{"));
	write_member(out, "name", read->name);
	write_member(out, "tenant", read->tenant);
	write_list(out, "models", read->models);
	write_list(out, "endpoints", read->endpoints);
	write_list(out, "networks", read->networks);
	write_member(out, "expires", read->expires);
	write_labels(out, read);
	if (read->admin)
		buf_append(out, SPAN(",\"admin\":true"));
	if (read->limits != NULL)
		buf_printf(out, ",\"limits\":%s", read->limits);
	buf_append(out, SPAN("}"));
}

/* False: it is no duration. */
static bool write_rotate(struct buf *out, const char *overlap)
{
	uint64_t overlap_us;
	if (overlap == NULL)
		return true;
	if (!value_parse_duration(span_of(overlap), &overlap_us)) {
		fprintf(stderr, "sluice: keys rotate: --overlap: got \"%s\"; expected a duration such as 24h, or 0s\n",
			overlap);
		return false;
	}
	buf_printf(out, "{\"overlap\":%" PRIu64 "}", overlap_us / SECOND_US);
	return true;
}

/* The query of the page behind a key. Names of tenants and states need no escapes, else they are refused. */
static void write_query(struct buf *out, const struct store_arguments *read, struct span after)
{
	buf_append(out, SPAN("limit=1000"));
	if (after.at != NULL)
		buf_printf(out, "&after=%.*s", SPAN_ARG(after));
	if (read->tenant != NULL)
		buf_printf(out, "&tenant=%s", read->tenant);
	if (read->state != NULL)
		buf_printf(out, "&state=%s", read->state);
}

/* ---- what comes of it ---- */

static bool print_failure(const char *command, const struct key_task *task)
{
	struct span message = task->message.at != NULL ? task->message : span_of(error_row(task->error)->text);
	fprintf(stderr, "sluice: keys %s: %.*s\n", command, SPAN_ARG(message));
	return false;
}

/* "member: value" in lines; a new key comes first, alone. */
static bool write_key(struct span answer, struct arena *arena, struct buf *out)
{
	struct json json;
	struct json_error error;
	if (!json_parse(&json, arena, answer, DEPTH, &error))
		return false;
	uint32_t key = json_member(&json, 0, "key");
	if (key != JSON_NONE)
		buf_printf(out, "%.*s\n\n", SPAN_ARG(json_string(&json, key, arena)));
	for (uint32_t at = json_first(&json, 0); at != JSON_NONE; at = json_next(&json, 0, at)) {
		if (at + 1 == key || json_type(&json, at + 1) == JSON_NULL || json_string_is(&json, at, "object"))
			continue;
		struct span name = json_string(&json, at, arena);
		struct span value = json_type(&json, at + 1) == JSON_STRING ? json_string(&json, at + 1, arena)
									    : json_raw(&json, at + 1);
		buf_printf(out, "%.*s:%*s%.*s\n", SPAN_ARG(name), name.len < 13 ? 13 - (int)name.len : 1, "",
			   SPAN_ARG(value));
	}
	return true;
}

static struct span member(const struct json *json, uint32_t object, const char *name, struct arena *arena)
{
	uint32_t node = json_member(json, object, name);
	return node == JSON_NONE || json_type(json, node) != JSON_STRING ? SPAN("-") : json_string(json, node, arena);
}

/* Appends the keys of a page. *last: the id of its last one, {NULL,0} when no page follows; in the arena. */
static bool write_page(struct span answer, bool as_json, struct arena *arena, struct span *last, struct buf *out)
{
	struct json json;
	struct json_error error;
	if (!json_parse(&json, arena, answer, DEPTH, &error))
		return false;
	uint32_t data = json_member(&json, 0, "data"), more = json_member(&json, 0, "has_more");
	for (uint32_t at = json_first(&json, data); at != JSON_NONE; at = json_next(&json, data, at)) {
		if (as_json)
			buf_printf(out, "%s%.*s",
				   buf_len(out) > 1 && buf_span(out).at[buf_len(out) - 1] == '}' ? "," : "",
				   SPAN_ARG(json_raw(&json, at)));
		else
			buf_printf(
			    out, "%.*s  %-8.*s  %-24.*s  %-32.*s  %.*s\n", SPAN_ARG(member(&json, at, "id", arena)),
			    SPAN_ARG(member(&json, at, "state", arena)), SPAN_ARG(member(&json, at, "name", arena)),
			    SPAN_ARG(member(&json, at, "tenant", arena)),
			    SPAN_ARG(member(&json, at, "expires", arena)));
	}
	*last = (struct span){NULL, 0};
	if (json_type(&json, more) == JSON_TRUE)
		*last = arena_copy(arena, member(&json, 0, "last_id", arena));
	return true;
}

/* All pages, one after the other. */
static bool list(struct key_book *book, const struct store_arguments *read, struct buf *out)
{
	struct arena arena; /* of the ids from page to page */
	struct span last = {NULL, 0};
	bool good = true;
	arena_init(&arena, 0);
	buf_append(out, read->json ? SPAN("{\"object\":\"list\",\"data\":[") : SPAN(""));
	do {
		struct key_task task;
		struct buf query;
		key_task_init(&task, KEY_LIST);
		buf_init(&query, BODY_MAX);
		write_query(&query, read, last);
		task.query = buf_span(&query);
		key_book_run(book, &task);
		good = task.error == ERROR_NONE ? write_page(buf_span(&task.answer), read->json, &arena, &last, out)
						: print_failure("list", &task);
		buf_fini(&query);
		key_task_fini(&task);
	} while (good && last.at != NULL);
	buf_append(out, read->json ? SPAN("]}\n") : SPAN(""));
	arena_fini(&arena);
	return good;
}

static bool run_one(struct key_book *book, enum store_command command, const struct store_arguments *read,
		    struct buf *out)
{
	struct key_task task;
	struct buf body;
	key_task_init(&task, operations[command]);
	buf_init(&body, BODY_MAX);
	bool good = command != ROTATE || write_rotate(&body, read->overlap);
	if (command == CREATE)
		write_create(&body, read);
	task.id = span_of(read->id);
	task.body = buf_span(&body);
	if (good) {
		key_book_run(book, &task);
		good = task.error == ERROR_NONE || print_failure(commands[command], &task);
	}
	if (good && read->json)
		buf_printf(out, "%.*s\n", SPAN_ARG(buf_span(&task.answer)));
	else if (good)
		good = write_key(buf_span(&task.answer), &task.arena, out);
	buf_fini(&body);
	key_task_fini(&task);
	return good;
}

/* ---- the store ---- */

static bool run_book(const struct config *config, struct redis_shared *redis, enum store_command command,
		     const struct store_arguments *read, struct buf *out)
{
	struct loop *loop = loop_create();
	struct key_store_options options = {
	    .config = config, .redis = redis, .loop = loop, .wait_ms = WAIT_MS, .creates = command == CREATE};
	struct key_book *book = loop == NULL ? NULL : key_book_create(&options);
	bool good = false;
	if (book == NULL)
		fputs("sluice: keys: out of memory or descriptors\n", stderr);
	else
		good = command == LIST ? list(book, read, out) : run_one(book, command, read, out);
	key_book_destroy(book);
	if (loop != NULL)
		loop_destroy(loop);
	return good;
}

static bool run(const struct config *config, enum store_command command, const struct store_arguments *read,
		struct buf *out)
{
	struct redis_shared *redis = NULL;
	if (!config_auth_has_store(config)) {
		fprintf(stderr,
			"sluice: %s: auth.store is none, so that there are no keys to manage; expected sqlite or "
			"redis\n",
			config->file);
		return false;
	}
	signal(SIGPIPE, SIG_IGN);
	log_set_level(LOG_ERROR);
	if (config->auth.store == CONFIG_STORE_REDIS && (redis = redis_shared_create(&config->redis, out)) == NULL) {
		fprintf(stderr, "sluice: %s: %.*s\n", config->file, SPAN_ARG(buf_span(out)));
		return false;
	}
	bool good = run_book(config, redis, command, read, out);
	if (redis != NULL)
		redis_shared_destroy(redis);
	return good;
}

int keys_store_main(const char *command, int count, char **arguments, struct buf *text, const char **unexpected)
{
	struct store_arguments read = {.config = NULL};
	enum store_command which = command_of(command);
	*unexpected = read_arguments(&read, which, count, arguments);
	const char *missing = *unexpected != NULL ? NULL : find_missing(&read, which);
	if (missing != NULL)
		fprintf(stderr, "sluice: keys %s: %s is missing; sluice --help tells more\n", command, missing);
	if (*unexpected != NULL || missing != NULL)
		return COMMAND_USAGE;
	const struct config *config = command_load(read.config, text);
	bool done = config != NULL && run(config, which, &read, text) && !buf_failed(text);
	config_drop(config);
	if (done)
		command_print(stdout, text);
	return done ? COMMAND_OK : COMMAND_FAILED;
}
