/* SPDX-License-Identifier: MIT */
/*
 * Asking the kernel about its TCP sockets: by sock_diag, which leaves out the thousands that are in TIME_WAIT and can
 * tell of one alone, or, where there is none, by reading /proc/net/tcp, which takes tens of milliseconds.
 */
#include "tests/scenario/harness/tcp_table.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void tcp_table_add(struct tcp_table *table, const struct tcp_row *row)
{
	if ((table->count & (table->count - 1)) == 0) {
		size_t capacity = table->count == 0 ? 1 : table->count * 2;
		table->rows = realloc(table->rows, capacity * sizeof *row);
		if (table->rows == NULL)
			abort();
	}
	table->rows[table->count++] = *row;
}

static void tcp_table_read_file(struct tcp_table *table, const char *path)
{
	char line[512];
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return;
	while (fgets(line, sizeof line, file) != NULL) {
		struct tcp_row row;
		if (sscanf(line, " %*d: %*[0-9A-F]:%x %*[0-9A-F]:%x %x %*x:%x %*s %*s %*d %*d %lu", &row.local_port,
			   &row.remote_port, &row.state, &row.unread, &row.inode) == 5)
			tcp_table_add(table, &row);
	}
	fclose(file);
}

enum { TCP_STATE_TIME_WAIT = 6 };

struct diag_answer {
	struct nlmsghdr head;
	union {
		struct nlmsgerr error;
		struct inet_diag_msg socket;
		char room[32768];
	} body;
};

static bool diag_ask(int netlink, unsigned char family, unsigned short flags, const struct inet_diag_sockid *id)
{
	struct {
		struct nlmsghdr head;
		struct inet_diag_req_v2 wanted;
	} question = {.head = {.nlmsg_len = sizeof question,
			       .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			       .nlmsg_flags = (unsigned short)(NLM_F_REQUEST | flags)},
		      .wanted = {.sdiag_family = family,
				 .sdiag_protocol = IPPROTO_TCP,
				 .idiag_states = ~(1u << TCP_STATE_TIME_WAIT),
				 .id = *id}};
	return send(netlink, &question, sizeof question, 0) == (ssize_t)sizeof question;
}

/* Adds all sockets of a family; false when the kernel can't tell. */
static bool diag_add_all(struct tcp_table *table, int netlink, unsigned char family)
{
	static _Thread_local struct diag_answer answer;
	if (!diag_ask(netlink, family, NLM_F_DUMP, &(struct inet_diag_sockid){0}))
		return false;
	for (;;) {
		ssize_t got = recv(netlink, &answer, sizeof answer, 0);
		if (got <= 0)
			return false;
		size_t left = (size_t)got;
		for (const struct nlmsghdr *at = &answer.head; NLMSG_OK(at, left); at = NLMSG_NEXT(at, left)) {
			const struct inet_diag_msg *socket = NLMSG_DATA(at);
			if (at->nlmsg_type == NLMSG_DONE)
				return true;
			if (at->nlmsg_type != SOCK_DIAG_BY_FAMILY)
				return false;
			tcp_table_add(table, &(struct tcp_row){.local_port = ntohs(socket->id.idiag_sport),
							       .remote_port = ntohs(socket->id.idiag_dport),
							       .state = socket->idiag_state,
							       .unread = socket->idiag_rqueue,
							       .inode = socket->idiag_inode});
		}
	}
}

void tcp_table_read(struct tcp_table *table)
{
	int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	bool told = netlink >= 0 && diag_add_all(table, netlink, AF_INET) && diag_add_all(table, netlink, AF_INET6);
	if (netlink >= 0)
		close(netlink);
	if (told)
		return;
	tcp_table_free(table);
	tcp_table_read_file(table, "/proc/net/tcp");
	tcp_table_read_file(table, "/proc/net/tcp6");
}

void tcp_table_free(struct tcp_table *table)
{
	free(table->rows);
	*table = (struct tcp_table){0};
}

const struct tcp_row *tcp_table_find_inode(const struct tcp_table *table, unsigned long inode)
{
	for (size_t i = 0; i < table->count; i++)
		if (table->rows[i].inode == inode)
			return &table->rows[i];
	return NULL;
}

const struct tcp_row *tcp_table_find_ports(const struct tcp_table *table, unsigned local_port, unsigned remote_port)
{
	for (size_t i = 0; i < table->count; i++)
		if (table->rows[i].local_port == local_port && table->rows[i].remote_port == remote_port)
			return &table->rows[i];
	return NULL;
}

bool tcp_table_has_listener(const struct tcp_table *table, unsigned port)
{
	for (size_t i = 0; i < table->count; i++)
		if (table->rows[i].state == TCP_TABLE_LISTEN && table->rows[i].local_port == port)
			return true;
	return false;
}

/* True when the kernel told, also that there is no such socket. */
static bool diag_unread(int netlink, const struct sockaddr_in *local, const struct sockaddr_in *remote,
			unsigned *unread)
{
	struct diag_answer answer;
	const struct inet_diag_sockid id = {.idiag_sport = local->sin_port,
					    .idiag_dport = remote->sin_port,
					    .idiag_src = {local->sin_addr.s_addr},
					    .idiag_dst = {remote->sin_addr.s_addr},
					    .idiag_cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE}};
	if (!diag_ask(netlink, AF_INET, 0, &id) ||
	    recv(netlink, &answer, sizeof answer, 0) < (ssize_t)sizeof answer.head)
		return false;
	if (answer.head.nlmsg_type == NLMSG_ERROR) {
		*unread = 0;
		return answer.body.error.error == -ENOENT;
	}
	*unread = answer.body.socket.idiag_rqueue;
	return answer.head.nlmsg_type == SOCK_DIAG_BY_FAMILY;
}

unsigned tcp_unread(const struct sockaddr_in *local, const struct sockaddr_in *remote)
{
	struct tcp_table table = {0};
	unsigned unread = 0;
	int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	bool told = netlink >= 0 && diag_unread(netlink, local, remote, &unread);
	if (netlink >= 0)
		close(netlink);
	if (told)
		return unread;
	tcp_table_read(&table);
	const struct tcp_row *row = tcp_table_find_ports(&table, ntohs(local->sin_port), ntohs(remote->sin_port));
	unread = row == NULL ? 0 : row->unread;
	tcp_table_free(&table);
	return unread;
}
