/* SPDX-License-Identifier: MIT */
/* Strict by allow-lists: what is let through here is put into request lines and handed to resolvers. */
#include "config/endpoint.h"

#include <arpa/inet.h>

enum { HOST_MAX = 253, PORT_DIGITS_MAX = 5, PORT_MAX = 65535 };

static bool is_alphanumeric(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* A DNS name or an IPv4 address. */
static bool is_host_name(struct span host)
{
	if (host.len == 0 || host.len > HOST_MAX)
		return false;
	for (size_t i = 0; i < host.len; i++)
		if (!is_alphanumeric(host.at[i]) && strchr("-._", host.at[i]) == NULL)
			return false;
	return is_alphanumeric(host.at[0]);
}

static bool is_ipv6(struct span host)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr address;
	if (host.len >= sizeof(text))
		return false;
	memcpy(text, host.at, host.len);
	text[host.len] = '\0';
	return inet_pton(AF_INET6, text, &address) == 1;
}

static bool is_port(struct span port, unsigned least)
{
	unsigned number = 0;
	if (port.len == 0 || port.len > PORT_DIGITS_MAX)
		return false;
	for (size_t i = 0; i < port.len; i++) {
		if (port.at[i] < '0' || port.at[i] > '9')
			return false;
		number = number * 10 + (unsigned)(port.at[i] - '0');
	}
	return number >= least && number <= PORT_MAX;
}

/* Takes the host from the front of *rest, brackets off. False when it is no host. */
static bool take_host(struct span *rest, struct span *host)
{
	if (rest->len != 0 && rest->at[0] == '[') {
		const char *close = memchr(rest->at, ']', rest->len);
		if (close == NULL)
			return false;
		*host = (struct span){rest->at + 1, (size_t)(close - rest->at) - 1};
		rest->len -= host->len + 2;
		rest->at += host->len + 2;
		return is_ipv6(*host);
	}
	const char *colon = memchr(rest->at, ':', rest->len);
	*host = (struct span){rest->at, colon == NULL ? rest->len : (size_t)(colon - rest->at)};
	rest->at += host->len;
	rest->len -= host->len;
	return is_host_name(*host);
}

bool endpoint_parse_address(struct arena *arena, struct span text, const char **host, const char **port)
{
	struct span name;
	if (text.len == 0 || !take_host(&text, &name) || text.len == 0 || text.at[0] != ':')
		return false;
	struct span number = {text.at + 1, text.len - 1};
	if (!is_port(number, 0))
		return false;
	*host = arena_copy(arena, name).at;
	*port = arena_copy(arena, number).at;
	return *host != NULL && *port != NULL;
}

/* Printable ASCII that may stand in a path. */
static bool is_path(struct span path)
{
	for (size_t i = 0; i < path.len; i++)
		if (path.at[i] <= ' ' || path.at[i] >= 0x7f || strchr("?#\"<>\\^`{|}", path.at[i]) != NULL)
			return false;
	return true;
}

static bool take_scheme(struct span *rest)
{
	static const char *const schemes[] = {"http://", "https://"};
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		size_t len = strlen(schemes[i]);
		if (rest->len < len || memcmp(rest->at, schemes[i], len) != 0)
			continue;
		rest->at += len;
		rest->len -= len;
		return true;
	}
	return false;
}

bool endpoint_parse_url(struct arena *arena, struct span text, const char **url)
{
	while (text.len > 0 && text.at[text.len - 1] == '/')
		text.len--;
	struct span rest = text;
	if (!take_scheme(&rest))
		return false;
	const char *slash = memchr(rest.at, '/', rest.len);
	struct span authority = {rest.at, slash == NULL ? rest.len : (size_t)(slash - rest.at)};
	struct span path = {rest.at + authority.len, rest.len - authority.len};
	struct span host;
	if (authority.len == 0 || !take_host(&authority, &host) || !is_path(path))
		return false;
	if (authority.len != 0 &&
	    (authority.at[0] != ':' || !is_port((struct span){authority.at + 1, authority.len - 1}, 1)))
		return false;
	*url = arena_copy(arena, text).at;
	return *url != NULL;
}

bool endpoint_parse_path(struct arena *arena, struct span text, const char **path)
{
	if (text.len == 0 || text.at[0] != '/' || !is_path(text))
		return false;
	*path = arena_copy(arena, text).at;
	return *path != NULL;
}

/* The length of the scheme in front of "://" (RFC 3986, section 3.1); 0 when there is none. */
static size_t scheme_length(struct span text)
{
	size_t len = 0;
	while (len < text.len && (is_alphanumeric(text.at[len]) || strchr("+-.", text.at[len]) != NULL))
		len++;
	bool begins = len > 0 && (text.at[0] < '0' || text.at[0] > '9') && is_alphanumeric(text.at[0]);
	return begins && text.len - len > 3 && memcmp(text.at + len, "://", 3) == 0 ? len : 0;
}

/* Every browser leaves the port out that its scheme implies. */
static bool is_implied_port(struct span scheme, struct span port)
{
	return (span_is(scheme, "http") && span_is(port, "80")) || (span_is(scheme, "https") && span_is(port, "443"));
}

static void lower(char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] >= 'A' && text[i] <= 'Z')
			text[i] = (char)(text[i] - 'A' + 'a');
}

bool endpoint_parse_host(struct arena *arena, struct span text, const char **host)
{
	struct span found;
	char *copy = arena_alloc(arena, text.len + 1);
	if (copy == NULL)
		return false;
	memcpy(copy, text.at, text.len);
	copy[text.len] = '\0';
	lower(copy, text.len);
	*host = copy;
	struct span rest = {copy, text.len};
	return span_is(text, "*") || (take_host(&rest, &found) && rest.len == 0);
}

bool endpoint_parse_origin(struct arena *arena, struct span text, const char **origin)
{
	struct span host;
	size_t scheme = scheme_length(text);
	char *copy = arena_alloc(arena, text.len + 1);
	if (copy == NULL)
		return false;
	memcpy(copy, text.at, text.len);
	copy[text.len] = '\0';
	lower(copy, text.len);
	*origin = copy;
	if (span_is(text, "*"))
		return true;
	struct span rest = {copy + scheme + 3, text.len - scheme - 3};
	if (scheme == 0 || !take_host(&rest, &host))
		return false;
	if (rest.len == 0)
		return true;
	struct span port = {rest.at + 1, rest.len - 1};
	if (rest.at[0] != ':' || !is_port(port, 1))
		return false;
	if (is_implied_port((struct span){copy, scheme}, port))
		copy[text.len - rest.len] = '\0';
	return true;
}
