/* SPDX-License-Identifier: MIT */
/* How much memory the process may have: that of the machine, or what its control groups allow. */
#ifndef SLUICE_LIB_MEMORY_LIMIT_H
#define SLUICE_LIB_MEMORY_LIMIT_H

#include <stddef.h>

/* Returns bytes. */
size_t memory_limit(void);

/*
 * The same from the files of a system. groups: as /proc/self/cgroup; mount: where control groups are mounted, as
 * /sys/fs/cgroup; physical: bytes of the machine. Control groups of version 2 and 1; a limit of any group around the
 * process counts, also when the process sees its own group as the root (a container).
 */
size_t memory_limit_of(const char *groups, const char *mount, size_t physical);

#endif
