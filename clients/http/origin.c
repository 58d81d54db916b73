/* SPDX-License-Identifier: MIT */
/*
 * An origin: its URL, parsed once per path, the header lists that all its
 * requests share, and the pool of calls with their easies. It lives until its
 * owner has let go of it and the last call is back.
 */
#include "clients/http/origin.h"

#include <stdio.h>
#include <stdlib.h>

#include "clients/http/call.h"
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

/* Whether the URL has the part; its text is not wanted. */
static bool url_has(CURLU *url, CURLUPart part)
{
	char *text = NULL;
	bool has = curl_url_get(url, part, &text, 0) == CURLUE_OK;
	curl_free(text);
	return has;
}

/* Paths are few: constants of the dialects. So they are kept for good. */
const struct http_path *origin_path(struct http_origin *origin, const char *path)
{
	for (struct http_path *at = origin->paths; at != NULL; at = at->next)
		if (strcmp(at->path, path) == 0)
			return at;
	size_t size = strlen(path) + 1;
	struct http_path *entry = malloc(sizeof(*entry) + size);
	if (entry == NULL)
		return NULL;
	memcpy(entry->path, path, size);
	entry->url = url_parse(origin->url, path);
	if (entry->url == NULL) {
		free(entry);
		return NULL;
	}
	entry->next = origin->paths;
	origin->paths = entry;
	return entry;
}

static bool headers_add(struct curl_slist **list, const char *header)
{
	struct curl_slist *longer = curl_slist_append(*list, header);
	if (longer != NULL)
		*list = longer;
	return longer != NULL;
}

/* "Expect:" takes curl's own Expect header away. */
static bool headers_build(struct curl_slist **list, bool get, bool stream, const char *authorization)
{
	return headers_add(list, "User-Agent: sluice/" SLUICE_VERSION) &&
	       headers_add(list, stream ? "Accept: text/event-stream" : "Accept: application/json") &&
	       headers_add(list, "Accept-Encoding: identity") &&
	       (get || (headers_add(list, "Content-Type: application/json") && headers_add(list, "Expect:"))) &&
	       (authorization == NULL || headers_add(list, authorization));
}

static void headers_free(struct curl_slist *list)
{
	for (struct curl_slist *at = list; at != NULL; at = at->next)
		explicit_bzero(at->data, strlen(at->data)); /* one of them is a secret */
	curl_slist_free_all(list);
}

static bool origin_build_headers(struct http_origin *origin, const char *bearer)
{
	char *authorization = NULL;
	bool ok = bearer == NULL || asprintf(&authorization, "Authorization: Bearer %s", bearer) >= 0;
	for (int get = 0; get < 2; get++)
		for (int stream = 0; stream < 2; stream++)
			ok = ok && headers_build(&origin->headers[get][stream], get, stream, authorization);
	if (bearer != NULL && authorization != NULL)
		explicit_bzero(authorization, strlen(authorization));
	free(authorization);
	return ok;
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
	error = "the bearer holds a line break";
	if (options->bearer != NULL && strpbrk(options->bearer, "\r\n") != NULL)
		goto out;
	error = credentials_check(options);
	if (error != NULL)
		goto out;
	error = "out of memory";
	char *host = url_host(url);
	if (host == NULL || !text_copy(&origin->url, options->url) || !text_copy(&origin->ca_file, options->ca_file) ||
	    !text_copy(&origin->certificate, options->certificate) ||
	    !text_copy(&origin->key, options->key == NULL ? options->certificate : options->key) ||
	    !origin_build_headers(origin, options->bearer)) {
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
		curl_url_cleanup(origin->paths->url);
		free(origin->paths);
		origin->paths = next;
	}
	for (int i = 0; i < 4; i++)
		headers_free(origin->headers[i / 2][i % 2]);
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
	origin->number = ++client->last_origin;
	origin->holders = 1;
	origin->connect_timeout_us = options->connect_timeout_us;
	origin->resolve_us = options->resolve_us;
	origin->metrics = options->metrics;
	origin->backend = options->backend;
	TAILQ_INIT(&origin->idle);
	TAILQ_INIT(&origin->name.waiting);
	TAILQ_INSERT_TAIL(&client->origins, origin, link);
	*error = origin_set(origin, options);
	if (*error == NULL)
		return origin;
	origin_drop(origin);
	return NULL;
}

void http_origin_destroy(struct http_origin *origin)
{
	if (origin != NULL)
		origin_drop(origin);
}

void origin_detach(struct http_origin *origin)
{
	struct http_call *call;
	while ((call = TAILQ_FIRST(&origin->idle)) != NULL)
		call_destroy(call);
	origin->idle_count = 0;
	name_fini(origin);
	TAILQ_REMOVE(&origin->client->origins, origin, link);
	origin->client = NULL;
}

struct http_call *origin_borrow(struct http_origin *origin)
{
	struct http_call *call = TAILQ_LAST(&origin->idle, call_list); /* the warmest */
	if (call != NULL)
		origin->idle_count--;
	else
		call = call_create(origin);
	if (origin->unused_count > origin->idle_count)
		origin->unused_count = origin->idle_count;
	if (call != NULL)
		origin->holders++;
	return call;
}

void origin_give(struct http_origin *origin, struct http_call *call)
{
	if (origin->idle_count >= ORIGIN_MAX_IDLE_CALLS)
		call_destroy(call);
	else
		origin->idle_count++;
	origin_drop(origin);
}
