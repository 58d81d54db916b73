/* SPDX-License-Identifier: MIT */
/* CPU time by the scheduler's own accounting, in nanoseconds: /proc/PID/stat counts in ticks of 10 ms. */
#include "tests/bench/load/load.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>

static uint64_t cpu_of_thread(int pid, const char *thread)
{
	char path[320];
	uint64_t ns = 0;
	snprintf(path, sizeof path, "/proc/%d/task/%s/schedstat", pid, thread);
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return 0; /* it ended meanwhile */
	if (fscanf(file, "%" SCNu64, &ns) != 1)
		load_fail("%s cannot be read", path);
	fclose(file);
	return ns;
}

uint64_t cpu_of(const int *pids, size_t count)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < count; i++) {
		char path[64];
		snprintf(path, sizeof path, "/proc/%d/task", pids[i]);
		DIR *threads = opendir(path);
		if (threads == NULL)
			load_fail("process %d is gone", pids[i]);
		for (struct dirent *entry; (entry = readdir(threads)) != NULL;)
			if (entry->d_name[0] != '.')
				sum += cpu_of_thread(pids[i], entry->d_name);
		closedir(threads);
	}
	return sum;
}
