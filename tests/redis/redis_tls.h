/* SPDX-License-Identifier: MIT */
/* Real redis-server processes that speak TLS on a port of their own, beside the one in cleartext. Header only. */
#ifndef SLUICE_TESTS_REDIS_REDIS_TLS_H
#define SLUICE_TESTS_REDIS_REDIS_TLS_H

#include <stdio.h>

#include "tests/redis/redis_server.h"
#include "tests/tls/authority.h"

/* Writes what a server with TLS on that port needs, with more lines behind it. */
static inline void redis_tls_options(char *options, size_t size, int port, const struct authority *authority,
				     const struct authority_files *files, const char *more)
{
	snprintf(options, size,
		 "tls-port %d\ntls-ca-cert-file %s\ntls-cert-file %s\ntls-key-file %s\ntls-auth-clients no\n%s", port,
		 authority->ca, files->certificate, files->key, more);
}

/* Starts a server, or a sentinel; *port becomes that of TLS. */
static inline struct redis_process *redis_tls_start(int *port, const struct authority *authority,
						    const struct authority_files *files, const char *more,
						    bool sentinel)
{
	char options[1024];
	*port = redis_free_port();
	redis_tls_options(options, sizeof(options), *port, authority, files, more);
	return sentinel ? redis_process_start_sentinel(options) : redis_process_start(options);
}

/* As redis_cluster_start, over TLS alone between the nodes; ports: those of TLS. */
static inline void redis_tls_cluster_start(struct redis_process **nodes, int *ports, size_t count,
					   const struct authority *authority, const struct authority_files *files)
{
	for (size_t i = 0; i < count; i++) {
		nodes[i] = redis_tls_start(
		    &ports[i], authority, files,
		    "cluster-enabled yes\ncluster-node-timeout 3000\ntls-cluster yes\ntls-replication yes\n", false);
		redis_process_say(nodes[i], "CLUSTER ADDSLOTSRANGE %zu %zu", 16384 * i / count,
				  16384 * (i + 1) / count - 1);
		redis_process_say(nodes[i], "CLUSTER SET-CONFIG-EPOCH %zu", i + 1);
	}
	for (size_t i = 1; i < count; i++)
		redis_process_say(nodes[i], "CLUSTER MEET 127.0.0.1 %d", ports[0]);
	for (size_t i = 0; i < count; i++)
		redis_process_await(nodes[i], "CLUSTER INFO", "cluster_state:ok");
}

#endif
