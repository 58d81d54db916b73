/* SPDX-License-Identifier: MIT */
/* The cache of a service that runs; cache_remote.h holds the contract. */
#include "service/cache_remote.h"

#include <inttypes.h>

#include "clients/http/ask.h"
#include "clients/http/http_client.h"
#include "lib/json.h"

enum {
	REMOTE_ANSWER_MOST = 80 << 20,
	REMOTE_TIMEOUT_MS = 10000,
	REMOTE_DEPTH = 128,
	REMOTE_STATUS_OK = 200,
	REMOTE_STATUS_BAD = 400
};

/* The answer of a service, read. */
struct told {
	struct buf body;
	struct arena arena;
	struct json json;
};

static void told_fini(struct told *told)
{
	buf_fini(&told->body);
	arena_fini(&told->arena);
}

static void write_string(struct told *told, uint32_t node, struct buf *out)
{
	buf_append(out, json_string(&told->json, node, &told->arena));
}

/* What a service says instead of what was asked for. Others have errors of the same shape, but not of the same codes.
 */
static void write_refusal(struct told *told, const struct cache_remote *what, int status, bool read, struct buf *out)
{
	uint32_t error = read ? json_member(&told->json, 0, "error") : JSON_NONE;
	uint32_t message = error == JSON_NONE ? JSON_NONE : json_member(&told->json, error, "message");
	uint32_t code = error == JSON_NONE ? JSON_NONE : json_member(&told->json, error, "code");
	bool known =
	    code != JSON_NONE && (status == REMOTE_STATUS_BAD || json_string_is(&told->json, code, "model_not_found"));
	buf_printf(out, "sluice: %s: ", what->url);
	if (!known || message == JSON_NONE || json_type(&told->json, message) != JSON_STRING)
		buf_printf(out, "this is no Sluice, or not its admin listener: it answered %d to /admin/cache", status);
	else
		write_string(told, message, out);
	buf_append(out, SPAN("\n"));
}

/* Asks, and reads an answer of that "object". False with what is wrong appended. */
static bool ask(const struct cache_remote *what, const struct http_ask *request, const char *object, struct told *told,
		struct buf *out)
{
	struct json_error json_error;
	const char *error = "";
	buf_init(&told->body, REMOTE_ANSWER_MOST);
	arena_init(&told->arena, 0);
	http_client_global_setup();
	int status = http_ask(request, &told->body, &error);
	http_client_global_teardown();
	if (status == 0) {
		buf_printf(out, "sluice: %s: no answer: %s\n", what->url, error);
		return false;
	}
	bool read = json_parse_relaxed(&told->json, &told->arena, buf_span(&told->body), &JSON_DEPTH(REMOTE_DEPTH),
				       &json_error);
	uint32_t is = read ? json_member(&told->json, 0, "object") : JSON_NONE;
	if (status == REMOTE_STATUS_OK && is != JSON_NONE && json_string_is(&told->json, is, object))
		return true;
	write_refusal(told, what, status, read, out);
	return false;
}

/* "name: value": strings decoded, all else as it is. */
static void write_line(struct told *told, uint32_t entry, const char *member, struct buf *out)
{
	uint32_t value = json_member(&told->json, entry, member);
	if (value == JSON_NONE || json_type(&told->json, value) == JSON_NULL)
		return;
	int pad = 14 - (int)strlen(member);
	buf_printf(out, "%s:%*s", member, pad, "");
	if (json_type(&told->json, value) == JSON_STRING)
		write_string(told, value, out);
	else
		buf_append(out, json_raw(&told->json, value));
	buf_append(out, SPAN("\n"));
}

static bool write_entry(struct told *told, const struct cache_remote *what, struct buf *out)
{
	static const char *const members[] = {"key", "model",   "tenant", "target", "finish_reason",
					      "ttl", "created", "age",    "bytes",  "answer"};
	uint32_t entry = json_member(&told->json, 0, "entry");
	if (entry == JSON_NONE || json_type(&told->json, entry) != JSON_OBJECT) {
		buf_printf(out, "sluice: %s: nothing is kept under the key %s\n", what->url, what->key);
		return false;
	}
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		write_line(told, entry, members[i], out);
	return true;
}

bool cache_remote_show(const struct cache_remote *what, struct buf *out)
{
	struct told told;
	const struct http_ask_parameter parameters[] = {{"key", what->key}, {"text", what->text ? "true" : NULL}};
	const struct http_ask request = {.method = "GET",
					 .base = what->url,
					 .path = "/admin/cache",
					 .parameters = parameters,
					 .parameter_count = sizeof(parameters) / sizeof(parameters[0]),
					 .timeout_ms = REMOTE_TIMEOUT_MS};
	bool shown = ask(what, &request, "cache", &told, out) && write_entry(&told, what, out);
	told_fini(&told);
	return shown;
}

bool cache_remote_purge(const struct cache_remote *what, struct buf *out)
{
	struct told told;
	int64_t purged = 0;
	const struct http_ask_parameter parameters[] = {
	    {"key", what->key}, {"model", what->model}, {"tenant", what->tenant}};
	const struct http_ask request = {.method = "DELETE",
					 .base = what->url,
					 .path = "/admin/cache",
					 .parameters = parameters,
					 .parameter_count = sizeof(parameters) / sizeof(parameters[0]),
					 .timeout_ms = REMOTE_TIMEOUT_MS};
	bool done = ask(what, &request, "cache.purge", &told, out);
	uint32_t count = done ? json_member(&told.json, 0, "purged") : JSON_NONE;
	done = count != JSON_NONE && json_int(&told.json, count, &purged);
	if (done)
		buf_printf(out, "purged: %" PRId64 "\n", purged);
	told_fini(&told);
	return done;
}
