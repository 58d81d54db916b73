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
