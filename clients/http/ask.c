/* SPDX-License-Identifier: MIT */
/* Requests that are waited for; ask.h holds the contract. */
#include "clients/http/ask.h"

#include <curl/curl.h>

enum { ASK_URL_MOST = 65536 };

static size_t on_body(char *bytes, size_t size, size_t count, void *context)
{
	return buf_append(context, (struct span){bytes, size * count}) ? size * count : 0;
}

/* The path of a base that is a unix socket; NULL = it is a URL. */
static const char *socket_of(const char *base)
{
	static const char scheme[] = "unix:";
	return strncmp(base, scheme, sizeof(scheme) - 1) == 0 ? base + sizeof(scheme) - 1 : NULL;
}

/* Base, path and query, with a NUL at its end. False when out of memory. */
static bool write_url(const struct http_ask *ask, CURL *easy, struct buf *url)
{
	struct span base = socket_of(ask->base) == NULL ? span_of(ask->base) : SPAN("http://localhost");
	bool first = true;
	while (base.len > 0 && base.at[base.len - 1] == '/')
		base.len--;
	buf_append(url, base);
	buf_append(url, span_of(ask->path));
	for (size_t i = 0; i < ask->parameter_count; i++) {
		if (ask->parameters[i].value == NULL)
			continue;
		char *value = curl_easy_escape(easy, ask->parameters[i].value, 0);
		if (value == NULL)
			return false;
		buf_printf(url, "%c%s=%s", first ? '?' : '&', ask->parameters[i].name, value);
		first = false;
		curl_free(value);
	}
	return buf_append(url, (struct span){"", 1});
}

static bool set_up(CURL *easy, const struct http_ask *ask, const char *url, struct buf *body, char *words)
{
	return curl_easy_setopt(easy, CURLOPT_URL, url) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, socket_of(ask->base)) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, ask->method) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_NOPROXY, "*") == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)ask->timeout_ms) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_WRITEDATA, body) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, words) == CURLE_OK;
}

int http_ask(const struct http_ask *ask, struct buf *body, const char **error)
{
	static _Thread_local char words[CURL_ERROR_SIZE];
	long status = 0;
	struct buf url;
	CURL *easy = curl_easy_init();
	buf_init(&url, ASK_URL_MOST);
	words[0] = '\0';
	*error = "out of memory";
	if (easy != NULL && write_url(ask, easy, &url) && set_up(easy, ask, buf_span(&url).at, body, words)) {
		CURLcode result = curl_easy_perform(easy);
		if (result == CURLE_OK)
			curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
		else
			*error = words[0] != '\0' ? words : curl_easy_strerror(result);
	}
	if (easy != NULL)
		curl_easy_cleanup(easy);
	buf_fini(&url);
	return (int)status;
}
