/* SPDX-License-Identifier: MIT */
/*
 * What a program under test holds: memory, and descriptors told apart by their
 * connection, so that pooled backend connections do not count as leaks.
 */
#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/proc.h"
#include "tests/scenario/harness/tcp_table.h"

static void count_fd(struct proc_fds *fds, const struct tcp_table *table, const char *link)
{
	unsigned long inode;
	const struct tcp_row *row = NULL;
	if (sscanf(link, "socket:[%lu]", &inode) == 1)
		row = tcp_table_find_inode(table, inode);
	if (row == NULL || row->state == TCP_TABLE_LISTEN)
		fds->other++;
	else if (tcp_table_has_listener(table, row->local_port))
		fds->downstream++;
	else
		fds->upstream++;
}

struct proc_fds proc_fds(const struct proc *proc)
{
	struct proc_fds fds = {0};
	struct tcp_table table = {0};
	char path[64];
	tcp_table_read(&table);
	snprintf(path, sizeof path, "/proc/%d/fd", (int)proc->pid);
	DIR *directory = opendir(path);
	assert_non_null(directory);
	for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
		char link[64] = "";
		if (entry->d_name[0] != '.' && readlinkat(dirfd(directory), entry->d_name, link, sizeof link - 1) > 0)
			count_fd(&fds, &table, link);
	}
	closedir(directory);
	tcp_table_free(&table);
	return fds;
}

size_t proc_rss(const struct proc *proc)
{
	char path[64];
	unsigned long pages = 0;
	snprintf(path, sizeof path, "/proc/%d/statm", (int)proc->pid);
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	assert_int_equal(fscanf(file, "%*u %lu", &pages), 1);
	fclose(file);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}
