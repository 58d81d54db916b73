/* SPDX-License-Identifier: MIT */
/* Reading /proc/net/tcp. */
#include "tests/scenario/harness/tcp_table.h"

#include <stdio.h>
#include <stdlib.h>

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

void tcp_table_read(struct tcp_table *table)
{
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
