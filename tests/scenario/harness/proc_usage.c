/* SPDX-License-Identifier: MIT */
/*
 * What a program under test holds: memory, and descriptors told apart by their
 * connection, so that pooled backend connections do not count as leaks.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/proc.h"
#include "tests/scenario/harness/tcp_table.h"

/* No listener's: stands for a pooled connection that died, whose descriptor Sluice keeps as an end of a closed pair. */
enum { DEAD_POOLED_PORT = 1 };

/*
 * The local port of a TCP socket that the kernel's table does not list any more,
 * because a reset closed it while its owner did not; 0 when it is none.
 */
static unsigned closed_socket_port(int pidfd, int fd)
{
	struct sockaddr_in address = {0};
	socklen_t size = sizeof address;
	int own = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	bool named = own >= 0 && getsockname(own, (struct sockaddr *)&address, &size) == 0;
	if (own >= 0)
		close(own);
	if (named && address.sin_family == AF_UNIX)
		return DEAD_POOLED_PORT;
	return named && address.sin_family == AF_INET ? ntohs(address.sin_port) : 0;
}

static void count_fd(struct proc_fds *fds, const struct tcp_table *table, int pidfd, int fd, const char *link)
{
	unsigned long inode;
	bool is_socket = sscanf(link, "socket:[%lu]", &inode) == 1;
	const struct tcp_row *row = is_socket ? tcp_table_find_inode(table, inode) : NULL;
	unsigned port = row != NULL ? row->local_port : is_socket ? closed_socket_port(pidfd, fd) : 0;
	if (port == 0 || (row != NULL && row->state == TCP_TABLE_LISTEN))
		fds->other++;
	else if (tcp_table_has_listener(table, port))
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
	int pidfd = (int)syscall(SYS_pidfd_open, proc->pid, 0);
	DIR *directory = opendir(path);
	assert_non_null(directory);
	for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
		char link[64] = "";
		if (entry->d_name[0] != '.' && readlinkat(dirfd(directory), entry->d_name, link, sizeof link - 1) > 0)
			count_fd(&fds, &table, pidfd, atoi(entry->d_name), link);
	}
	closedir(directory);
	close(pidfd);
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
