/* SPDX-License-Identifier: MIT */
/* Reads the limits of control groups; memory_limit.h holds the contract. */
#include "lib/memory_limit.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PATH_MOST = 1024 };

/* Lowers *least to the number in the file. A file that is missing or says "max" is no limit. */
static void lower_to(const char *path, size_t *least)
{
	FILE *file = fopen(path, "re");
	uint64_t bytes = 0;
	if (file == NULL)
		return;
	if (fscanf(file, "%" SCNu64, &bytes) == 1 && bytes > 0 && bytes < *least)
		*least = (size_t)bytes;
	fclose(file);
}

/* Lowers *least to the limits of a group and of those around it. */
static void lower_to_groups(const char *mount, char *group, const char *name, size_t *least)
{
	char path[PATH_MOST];
	for (;;) {
		if ((size_t)snprintf(path, sizeof(path), "%s%s/%s", mount, group, name) < sizeof(path))
			lower_to(path, least);
		char *last = strrchr(group, '/');
		if (last == NULL)
			return;
		*last = '\0';
	}
}

/* Whether "memory" is one of the controllers, which are separated by commas. */
static bool has_memory(const char *controllers, size_t len)
{
	static const char name[] = "memory";
	while (len > 0) {
		const char *comma = memchr(controllers, ',', len);
		size_t part = comma == NULL ? len : (size_t)(comma - controllers);
		if (part == sizeof(name) - 1 && memcmp(controllers, name, part) == 0)
			return true;
		part += comma != NULL;
		controllers += part;
		len -= part;
	}
	return false;
}

/* A line of /proc/self/cgroup: "0::/path" of version 2, "4:memory:/path" of version 1. */
static void take_line(char *line, const char *mount, size_t *least)
{
	char below[PATH_MOST];
	line[strcspn(line, "\n")] = '\0';
	char *controllers = strchr(line, ':');
	char *group = controllers == NULL ? NULL : strchr(controllers + 1, ':');
	if (group == NULL)
		return;
	size_t len = (size_t)(group - controllers) - 1;
	if (len == 0) {
		lower_to_groups(mount, group + 1, "memory.max", least);
	} else if (has_memory(controllers + 1, len) &&
		   (size_t)snprintf(below, sizeof(below), "%s/memory", mount) < sizeof(below)) {
		lower_to_groups(below, group + 1, "memory.limit_in_bytes", least);
	}
}

size_t memory_limit_of(const char *groups, const char *mount, size_t physical)
{
	char line[PATH_MOST];
	size_t least = physical;
	FILE *file = fopen(groups, "re");
	if (file == NULL)
		return least;
	while (fgets(line, sizeof(line), file) != NULL)
		take_line(line, mount, &least);
	fclose(file);
	return least;
}

size_t memory_limit(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
	size_t physical = pages > 0 && page > 0 ? (size_t)pages * (size_t)page : SIZE_MAX;
	return memory_limit_of("/proc/self/cgroup", "/sys/fs/cgroup", physical);
}
