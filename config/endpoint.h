/* SPDX-License-Identifier: MIT */
/* Addresses to listen on and base URLs of backends: checked and taken apart. */
#ifndef SLUICE_CONFIG_ENDPOINT_H
#define SLUICE_CONFIG_ENDPOINT_H

#include "lib/arena.h"

/*
 * "host:port" or "[v6]:port", port 0..65535. host and port: copies in the arena,
 * host without brackets. False when it is something else.
 */
bool endpoint_parse_address(struct arena *arena, struct span text, const char **host, const char **port);

/*
 * http:// or https://, host, optional port 1..65535 and path (RFC 3986, section
 * 3), without user, query and fragment. url: a copy in the arena, without
 * slashes at its end. False when it is something else.
 */
bool endpoint_parse_url(struct arena *arena, struct span text, const char **url);

/* "/…" without query and fragment. path: a copy in the arena. False when it is something else. */
bool endpoint_parse_path(struct arena *arena, struct span text, const char **path);

/*
 * scheme://host[:port] as the field Origin has it (RFC 6454, section 6.2), or "*". origin: a
 * copy in the arena in the form that browsers send: lower case, without the scheme's own port.
 * False when it is something else.
 */
bool endpoint_parse_origin(struct arena *arena, struct span text, const char **origin);

/* A host as requests name it, without a port, or "*"; in lower case. An IPv6 address in brackets. */
bool endpoint_parse_host(struct arena *arena, struct span text, const char **host);

#endif
