/* SPDX-License-Identifier: MIT */
/* The kernel's TCP sockets: who is connected to whom, and what waits unread. */
#ifndef SLUICE_TESTS_HARNESS_TCP_TABLE_H
#define SLUICE_TESTS_HARNESS_TCP_TABLE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

enum { TCP_TABLE_LISTEN = 10 };

struct tcp_row {
	unsigned local_port;
	unsigned remote_port;
	unsigned state;
	unsigned unread; /* bytes received that the owner has not read */
	unsigned long inode;
};

struct tcp_table {
	struct tcp_row *rows;
	size_t count;
};

/* Reads IPv4 and IPv6, maybe without those in TIME_WAIT. Zero-initialise before; tcp_table_free after. Safe in any
 * thread. */
void tcp_table_read(struct tcp_table *table);
void tcp_table_free(struct tcp_table *table);

const struct tcp_row *tcp_table_find_inode(const struct tcp_table *table, unsigned long inode);
const struct tcp_row *tcp_table_find_ports(const struct tcp_table *table, unsigned local_port, unsigned remote_port);
bool tcp_table_has_listener(const struct tcp_table *table, unsigned port);

/*
 * What the owner of the socket with these two ends has not read; 0 when there is no such socket. In microseconds,
 * where the whole table takes milliseconds.
 */
unsigned tcp_unread(const struct sockaddr_in *local, const struct sockaddr_in *remote);

#endif
