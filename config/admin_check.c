/* SPDX-License-Identifier: MIT */
/* Addresses that overlap; admin_check.h holds the contract. */
#include "config/admin_check.h"

static bool is_any(const char *host)
{
	return strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

/* Listeners of IPv6 leave IPv4 alone, so that "::" overlaps with addresses of its own family only. */
static bool hosts_overlap(const char *a, const char *b)
{
	bool a_is_6 = strchr(a, ':') != NULL, b_is_6 = strchr(b, ':') != NULL;
	return strcmp(a, b) == 0 || (a_is_6 == b_is_6 && (is_any(a) || is_any(b)));
}

static bool overlaps(const struct config_listener *admin, const struct config_listener *listener)
{
	return listener->host != NULL && strcmp(admin->port, "0") != 0 && strcmp(admin->port, listener->port) == 0 &&
	       hosts_overlap(admin->host, listener->host);
}

void admin_check(const struct reader *reader, const struct config *config)
{
	const struct config_listener *admin = &config->admin;
	for (size_t i = 0; admin->host != NULL && i < config->listener_count; i++) {
		const struct config_listener *listener = &config->listeners[i];
		if (!overlaps(admin, listener))
			continue;
		findings_add(reader->findings, admin->line == 0 ? listener->line : admin->line, "admin",
			     "%s%s:%s is the address of listen[%zu] at line %u, too; expected another port, unix:PATH "
			     "or off",
			     admin->line == 0 ? "the default " : "", admin->host, admin->port, i, listener->line);
		return;
	}
}
