/* SPDX-License-Identifier: MIT */
/* The issuers of tokens in the configuration's tree; walk_internal.h holds the contract. */
#include "config/walk_internal.h"

#include <arpa/inet.h>

/* Returns whether the host of a URL is an address of this machine, or localhost. */
static bool is_loopback(const char *url)
{
	static const char scheme[] = "http://";
	const char *host = url + strlen(scheme);
	char text[INET6_ADDRSTRLEN];
	struct in_addr v4;
	size_t len = strcspn(host, ":/");
	if (strncmp(host, "[::1]", 5) == 0)
		return true;
	if (len >= sizeof(text))
		return false;
	memcpy(text, host, len);
	text[len] = '\0';
	return strcmp(text, "localhost") == 0 ||
	       (inet_pton(AF_INET, text, &v4) == 1 && ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET);
}

static void refuse(struct walk *walk, const struct tree_node *node, const char *name, const char *why)
{
	const struct tree_node *member = tree_member(node, name);
	size_t len = member == NULL ? strlen(walk->path) : walk_enter(walk, span_of(name));
	findings_add(walk->in.findings, member == NULL ? node->key_line : member->key_line, walk->path, "%s", why);
	walk_leave(walk, len);
}

static void check_source(struct walk *walk, const struct tree_node *node, const struct config_issuer *issuer)
{
	bool file = tree_member(node, "keys") != NULL, url = tree_member(node, "jwks") != NULL;
	if (file && url)
		refuse(walk, node, "jwks", "there is a file of keys, too; expected one of \"keys\" and \"jwks\"");
	if (!file && !url)
		refuse(walk, node, "", "it has no public keys; expected \"jwks\", a URL, or \"keys\", a file");
	if (issuer->jwks != NULL && strncmp(issuer->jwks, "http://", 7) == 0 && !is_loopback(issuer->jwks))
		refuse(walk, node, "jwks",
		       "anybody on the way could change the keys; expected https://, or a loopback address");
	if (issuer->ca != NULL && !url)
		refuse(walk, node, "ca", "it is for \"jwks\", which is not there");
}

/* Checks the keys of an issuer against each other. */
static void check_issuer(struct walk *walk, const struct tree_node *node, const struct config_issuer *issuer)
{
	check_source(walk, node, issuer);
	if (issuer->refresh_least_us > issuer->refresh_us)
		refuse(walk, node, tree_member(node, "refresh") != NULL ? "refresh" : "refresh_least",
		       tree_member(node, "refresh") != NULL
			   ? "it is shorter than refresh_least; expected the longer of the two"
			   : "it is longer than refresh; expected the shorter of the two");
	if (issuer->tenant == NULL && issuer->claims.tenant == NULL)
		refuse(walk, node, "tenant",
		       "it is any, and no claim says the tenant; expected \"claims.tenant\" beside it");
	const struct tree_node *audience = tree_member(node, "audience");
	if (audience != NULL && issuer->audience_count == 0)
		refuse(walk, node, "audience", "it is empty; expected at least one name of this gateway");
}

static void read_issuer(struct walk *walk, const struct tree_node *node, void *entry)
{
	struct config_issuer *issuer = entry;
	issuer->name = issuer->tenant = node->key.at;
	issuer->line = node->key_line;
	walk_defaults(walk, KEY_OF_config_issuer, issuer);
	walk_name(walk, node, "an issuer's");
	walk_entry(walk, "auth.jwt.*", node, issuer);
	if (node->kind == TREE_MAPPING)
		check_issuer(walk, node, issuer);
}

/* Tokens find their issuer by `iss` alone. */
static void refuse_same(struct walk *walk, const struct config_issuer *issuers, size_t count)
{
	char place[READER_PATH_MAX];
	for (size_t i = 1; i < count; i++)
		for (size_t j = 0; j < i; j++)
			if (issuers[i].issuer != NULL && issuers[j].issuer != NULL &&
			    strcmp(issuers[i].issuer, issuers[j].issuer) == 0)
				findings_add(walk->in.findings, issuers[i].line,
					     reader_path(place, walk->path, span_of(issuers[i].name)),
					     "its issuer is that of %s at line %u, too; expected one of its own",
					     issuers[j].name, issuers[j].line);
}

void walk_issuers(struct walk *walk, const struct key *key, const struct tree_node *node)
{
	struct walk_entries entries = walk_mapping(walk, key, node, sizeof(struct config_issuer), read_issuer);
	refuse_same(walk, entries.list, entries.count);
	walk->snapshot->config.auth.issuers = entries.list;
	walk->snapshot->config.auth.issuer_count = entries.count;
}
