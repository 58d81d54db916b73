/* SPDX-License-Identifier: MIT */
/*
 * An origin: what its requests have in common, written once, and its pools of
 * connections and calls. It lives until its owner has let go of it and the last
 * call is back.
 */
#include "clients/http/origin.h"

#include <stdio.h>
#include <stdlib.h>

#include "clients/http/call.h"
#include "clients/http/channel.h"
#include "clients/http/connect_attempt.h"
#include "clients/http/credentials.h"

enum { ORIGIN_MAX_IDLE_CALLS = 256 };

static CURLU *url_parse(const char *prefix, const char *path)
{
	size_t size = strlen(prefix) + strlen(path) + 1;
	char *text = malloc(size);
	CURLU *url = curl_url();
	if (text != NULL && url != NULL) {
		snprintf(text, size, "%s%s", prefix, path);
		if (curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK) {
			free(text);
			return url;
		}
	}
	free(text);
	curl_url_cleanup(url);
	return NULL;
}

/* A part of the URL, to be freed by curl_free; NULL: it has none. */
static char *url_part(CURLU *url, CURLUPart part, unsigned flags)
{
	char *text = NULL;
	return curl_url_get(url, part, &text, flags) == CURLUE_OK ? text : NULL;
}

/* Whether the URL has the part; its text is not wanted. */
static bool url_has(CURLU *url, CURLUPart part)
{
	char *text = url_part(url, part, 0);
	curl_free(text);
	return text != NULL;
}

/* "METHOD path?query HTTP/1.1" and "Host: host:port". */
static char *opening_print(const char *method, CURLU *url)
{
	char *path = url_part(url, CURLUPART_PATH, 0), *query = url_part(url, CURLUPART_QUERY, 0);
	char *host = url_part(url, CURLUPART_HOST, CURLU_PUNYCODE);
	char *port = url_part(url, CURLUPART_PORT, CURLU_NO_DEFAULT_PORT);
	char *text = NULL;
	if (path != NULL && host != NULL &&
	    asprintf(&text, "%s %s%s%s HTTP/1.1\r\nHost: %s%s%s\r\n", method, path, query == NULL ? "" : "?",
		     query == NULL ? "" : query, host, port == NULL ? "" : ":", port == NULL ? "" : port) < 0)
		text = NULL;
	curl_free(path);
	curl_free(query);
	curl_free(host);
	curl_free(port);
	return text;
}

static bool path_open(struct http_path *entry, const char *prefix)
{
	CURLU *url = url_parse(prefix, entry->path);
	if (url == NULL)
		return false;
	char *post = opening_print("POST", url), *get = opening_print("GET", url);
	curl_url_cleanup(url);
	entry->opening[false] = span_of(post);
	entry->opening[true] = span_of(get);
	return post != NULL && get != NULL;
}

static void path_free(struct http_path *entry)
{
	free((char *)entry->opening[false].at);
	free((char *)entry->opening[true].at);
	free(entry);
}

/* Paths are few: constants of the dialects. So they are kept for good. */
const struct http_path *origin_path(struct http_origin *origin, const char *path)
{
	for (struct http_path *at = origin->paths; at != NULL; at = at->next)
		if (strcmp(at->path, path) == 0)
			return at;
	size_t size = strlen(path) + 1;
	struct http_path *entry = calloc(1, sizeof(*entry) + size);
	if (entry == NULL)
		return NULL;
	memcpy(entry->path, path, size);
	if (!path_open(entry, origin->url)) {
		path_free(entry);
		return NULL;
	}
	entry->next = origin->paths;
	origin->paths = entry;
	return entry;
}

static char *lines_print(const struct http_origin *origin, bool get, bool stream, const char *bearer)
{
	char *text = NULL;
	int len =
	    asprintf(&text,
		     "User-Agent: sluice/" SLUICE_VERSION "\r\nAccept: %s\r\n"
		     "Accept-Encoding: identity\r\n%s%s%s%s%s",
		     stream ? "text/event-stream" : "application/json", get ? "" : "Content-Type: application/json\r\n",
		     origin->more_lines, bearer == NULL ? "" : origin->bearer_line, bearer == NULL ? "" : bearer,
		     bearer == NULL ? "" : "\r\n");
	return len < 0 ? NULL : text;
}

static void lines_free(struct span lines[2][2])
{
	for (int i = 0; i < 4; i++) {
		struct span at = lines[i / 2][i % 2];
		if (at.at != NULL)
			explicit_bzero((char *)at.at, at.len); /* one of them is a secret */
		free((char *)at.at);
	}
}

/* Writes the lines with the present bearer in the place of those that are there. False: out of memory, these stay. */
static bool origin_print_lines(struct http_origin *origin)
{
	struct span lines[2][2];
	unsigned version = origin->bearer == NULL ? 0 : secret_version(origin->bearer);
	const struct secret_text *bearer = origin->bearer == NULL ? NULL : secret_text_hold(origin->bearer);
	bool good = true;
	for (int i = 0; i < 4; i++) {
		lines[i / 2][i % 2] = span_of(lines_print(origin, i / 2, i % 2, bearer == NULL ? NULL : bearer->at));
		good = good && lines[i / 2][i % 2].at != NULL;
	}
	secret_text_drop(bearer);
	if (good) {
		lines_free(origin->lines);
		memcpy(origin->lines, lines, sizeof(lines));
		origin->bearer_version = version;
	} else {
		lines_free(lines);
	}
	return good;
}

struct span origin_lines(struct http_origin *origin, bool get, bool stream)
{
	if (origin->bearer != NULL && secret_version(origin->bearer) != origin->bearer_version)
		origin_print_lines(origin);
	return origin->lines[get][stream];
}

/* What is wrong with a URL, or NULL. */
static const char *origin_check_url(struct http_origin *origin, CURLU *url)
{
	char *scheme = NULL;
	if (url == NULL || curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK)
		return "the URL is malformed";
	origin->secure = strcmp(scheme, "https") == 0;
	bool plain = strcmp(scheme, "http") == 0;
	curl_free(scheme);
	if (!origin->secure && !plain)
		return "the URL's scheme is neither http nor https";
	if (url_has(url, CURLUPART_USER) || url_has(url, CURLUPART_PASSWORD))
		return "the URL holds credentials; use the key for the secret";
	if (url_has(url, CURLUPART_QUERY) || url_has(url, CURLUPART_FRAGMENT))
		return "the URL has a query or a fragment";
	return NULL;
}

/* The host as curl will look for it: without brackets, in ASCII. */
static char *url_host(CURLU *url)
{
	char *host = NULL;
	if (curl_url_get(url, CURLUPART_HOST, &host, CURLU_PUNYCODE) != CURLUE_OK)
		return NULL;
	size_t len = strlen(host);
	bool bracketed = len > 2 && host[0] == '[' && host[len - 1] == ']';
	char *copy = bracketed ? strndup(host + 1, len - 2) : strdup(host);
	curl_free(host);
	return copy;
}

static unsigned url_port(CURLU *url)
{
	char *port = NULL;
	if (curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) != CURLUE_OK)
		return 0;
	unsigned number = (unsigned)strtoul(port, NULL, 10);
	curl_free(port);
	return number;
}

static bool text_copy(char **to, const char *from)
{
	*to = from == NULL ? NULL : strdup(from);
	return from == NULL || *to != NULL;
}

/* Fills a new origin in. NULL, or what is wrong. */
static const char *origin_set(struct http_origin *origin, const struct http_origin_options *options)
{
	CURLU *url = url_parse(options->url, "");
	const char *error = origin_check_url(origin, url);
	if (error != NULL)
		goto out;
	error = credentials_check(options);
	if (error != NULL)
		goto out;
	error = "out of memory";
	char *host = url_host(url);
	if (host == NULL || !text_copy(&origin->url, options->url) || !text_copy(&origin->ca_file, options->ca_file) ||
	    !text_copy(&origin->certificate, options->certificate) ||
	    !text_copy(&origin->key, options->key == NULL ? options->certificate : options->key) ||
	    !origin_print_lines(origin)) {
		free(host);
		goto out;
	}
	name_init(origin, host, url_port(url));
	error = NULL;
out:
	curl_url_cleanup(url);
	return error;
}

static void origin_free(struct http_origin *origin)
{
	if (origin->client != NULL)
		origin_detach(origin);
	while (origin->paths != NULL) {
		struct http_path *next = origin->paths->next;
		path_free(origin->paths);
		origin->paths = next;
	}
	lines_free(origin->lines);
	secret_drop(origin->bearer);
	free(origin->url);
	free(origin->ca_file);
	free(origin->certificate);
	free(origin->key);
	free(origin);
}

static void origin_drop(struct http_origin *origin)
{
	if (--origin->holders == 0)
		origin_free(origin);
}

struct http_origin *http_origin_create(struct http_client *client, const struct http_origin_options *options,
				       const char **error)
{
	struct http_origin *origin = calloc(1, sizeof(*origin));
	if (origin == NULL) {
		*error = "out of memory";
		return NULL;
	}
	origin->client = client;
	origin->holders = 1;
	origin->connect_timeout_us = options->connect_timeout_us;
	origin->resolve_us = options->resolve_us;
	origin->metrics = options->metrics;
	origin->backend = options->backend;
	origin->bearer = options->bearer == NULL ? NULL : secret_hold(options->bearer);
	origin->bearer_line = options->bearer_line == NULL ? "Authorization: Bearer " : options->bearer_line;
	origin->more_lines = options->lines == NULL ? "" : options->lines;
	TAILQ_INIT(&origin->idle_calls);
	TAILQ_INIT(&origin->spare);
	TAILQ_INIT(&origin->used);
	TAILQ_INIT(&origin->idle);
	TAILQ_INIT(&origin->name.waiting);
	TAILQ_INSERT_TAIL(&client->origins, origin, link);
	*error = origin_set(origin, options);
	if (*error == NULL)
		return origin;
	origin_drop(origin);
	return NULL;
}

struct http_origin *http_origin_hold(struct http_origin *origin)
{
	origin->holders++;
	return origin;
}

void http_origin_use_bearer(struct http_origin *origin, struct secret *bearer)
{
	struct secret *before = origin->bearer;
	if (bearer == before)
		return;
	origin->bearer = bearer == NULL ? NULL : secret_hold(bearer);
	if (!origin_print_lines(origin)) {
		secret_drop(origin->bearer);
		origin->bearer = before;
		return;
	}
	secret_drop(before);
}

void http_origin_count_as(struct http_origin *origin, struct metrics_cells *metrics, uint32_t backend)
{
	origin->metrics = metrics;
	origin->backend = backend;
}

void http_origin_destroy(struct http_origin *origin)
{
	if (origin != NULL)
		origin_drop(origin);
}

void origin_detach(struct http_origin *origin)
{
	struct http_call *call;
	channels_close_idle(origin, origin->channel_pool.count);
	attempts_destroy_spare(origin);
	while ((call = TAILQ_FIRST(&origin->idle_calls)) != NULL)
		call_destroy(call);
	name_fini(origin);
	TAILQ_REMOVE(&origin->client->origins, origin, link);
	origin->client = NULL;
}

struct http_call *origin_borrow(struct http_origin *origin)
{
	struct http_call *call = TAILQ_LAST(&origin->idle_calls, call_list); /* the warmest */
	if (call != NULL)
		pool_take(&origin->call_pool);
	else
		call = call_create(origin);
	if (call != NULL)
		origin->holders++;
	return call;
}

void origin_give(struct http_origin *origin, struct http_call *call)
{
	if (origin->call_pool.count >= ORIGIN_MAX_IDLE_CALLS)
		call_destroy(call);
	else
		pool_put(&origin->call_pool);
	origin_drop(origin);
}
