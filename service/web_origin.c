/* SPDX-License-Identifier: MIT */
/* Hosts and origins of requests against what is allowed; web_origin.h holds the contract. */
#include "service/web_origin.h"

#include <arpa/inet.h>
#include <strings.h>

#include "lib/http_text.h"
#include "service/cors.h"

enum { ADDRESS_TEXT = 64 };

bool web_origin_is_kept_out(const struct http_request *request)
{
	struct span path = http_request_path(request), admin = SPAN("/admin/");
	return http_request_is_admin(request) || span_is(path, "/metrics") ||
	       (path.len >= admin.len && memcmp(path.at, admin.at, admin.len) == 0);
}

/* Host without its port; brackets stay. */
static struct span without_port(struct span host)
{
	for (size_t i = host.len; i > 0; i--) {
		if (host.at[i - 1] == ']')
			break;
		if (host.at[i - 1] == ':')
			return (struct span){host.at, i - 1};
	}
	return host;
}

/* Any address, or with loopback one of those alone. No page can have an address for a name of its own. */
static bool is_address(struct span host, bool loopback)
{
	char text[ADDRESS_TEXT];
	struct in_addr v4;
	struct in6_addr v6;
	bool brackets = host.len > 2 && host.at[0] == '[' && host.at[host.len - 1] == ']';
	if (brackets)
		host = (struct span){host.at + 1, host.len - 2};
	if (host.len == 0 || host.len >= sizeof(text))
		return false;
	memcpy(text, host.at, host.len);
	text[host.len] = '\0';
	if (brackets)
		return inet_pton(AF_INET6, text, &v6) == 1 && (!loopback || IN6_IS_ADDR_LOOPBACK(&v6));
	return inet_pton(AF_INET, text, &v4) == 1 && (!loopback || ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET);
}

/* A request without a host, as HTTP/1.0 has them, is no browser's. */
static bool is_answered(const struct config *config, enum http_hosts hosts, struct span host)
{
	host = without_port(host);
	if (hosts == HTTP_HOSTS_ANY || host.len == 0 || http_is_word(host, "localhost") ||
	    is_address(host, hosts == HTTP_HOSTS_LOOPBACK))
		return true;
	for (size_t i = 0; i < config->host_count; i++)
		if (strcmp(config->hosts[i], "*") == 0 || http_is_word(host, config->hosts[i]))
			return true;
	return false;
}

static bool is_safe(struct span method)
{
	return span_is(method, "GET") || span_is(method, "HEAD") || span_is(method, "OPTIONS");
}

/* url: an origin, or the URL of a page. The page is of the very service that is asked. */
static bool is_own(struct span url, struct span host)
{
	const char *colon = memchr(url.at, ':', url.len);
	size_t scheme = colon == NULL ? 0 : (size_t)(colon - url.at) + 3;
	if (scheme == 0 || scheme > url.len || host.len == 0)
		return false;
	struct span authority = {url.at + scheme, url.len - scheme};
	const char *slash = memchr(authority.at, '/', authority.len);
	if (slash != NULL)
		authority.len = (size_t)(slash - authority.at);
	return authority.len == host.len && strncasecmp(authority.at, host.at, host.len) == 0;
}

/* Browsers send Origin with what changes something and Referer with the rest. */
bool web_origin_is_own(const struct http_request *request)
{
	struct span origin = http_request_field(request, "origin"), referer = http_request_field(request, "referer");
	struct span told = origin.len != 0 ? origin : referer;
	return told.len != 0 && is_own(told, http_request_field(request, "host"));
}

static bool is_foreign(const struct config *config, const struct http_request *request, struct span origin)
{
	if (origin.len == 0 || is_own(origin, http_request_field(request, "host")))
		return false;
	return web_origin_is_kept_out(request) || !cors_allows(&config->cors, origin);
}

enum error_code web_origin_check(const struct config *config, const struct http_request *request)
{
	if (!is_answered(config, http_request_hosts(request), http_request_field(request, "host")))
		return ERROR_MISDIRECTED;
	if (is_safe(http_request_method(request)))
		return ERROR_NONE;
	for (size_t i = 0; i < http_request_field_count(request); i++) {
		struct http_field field = http_request_field_at(request, i);
		if (span_is(field.name, "origin") && is_foreign(config, request, field.value))
			return ERROR_FOREIGN_ORIGIN;
	}
	return ERROR_NONE;
}
