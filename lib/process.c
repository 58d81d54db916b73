/* SPDX-License-Identifier: MIT */
/* Reads figures of the process from the system; process.h holds the contract. */
#include "lib/process.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { PROC_TEXT_MAX = 4096, STAT_START_FIELD = 22 /* proc_pid_stat(5) */ };

/* The beginning of a file of /proc, NUL-terminated. */
static bool read_text(const char *path, char text[PROC_TEXT_MAX])
{
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return false;
	size_t len = fread(text, 1, PROC_TEXT_MAX - 1, file);
	text[len] = '\0';
	fclose(file);
	return len != 0;
}

#if defined(__has_feature)
#define HAS_LEAK_CHECK (__has_feature(address_sanitizer) || __has_feature(leak_sanitizer))
#elif defined(__SANITIZE_ADDRESS__)
#define HAS_LEAK_CHECK 1
#else
#define HAS_LEAK_CHECK 0
#endif

void process_refuse_dumps(void)
{
	if (!HAS_LEAK_CHECK)
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

bool process_resident_bytes(double *value)
{
	char text[PROC_TEXT_MAX];
	unsigned long pages = 0;
	if (!read_text("/proc/self/statm", text) || sscanf(text, "%*u %lu", &pages) != 1)
		return false;
	*value = (double)pages * (double)sysconf(_SC_PAGESIZE);
	return true;
}

bool process_open_fds(double *value)
{
	DIR *directory = opendir("/proc/self/fd");
	if (directory == NULL)
		return false;
	double count = -1; /* the directory's own */
	for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory))
		count += entry->d_name[0] != '.';
	closedir(directory);
	*value = count;
	return true;
}

bool process_max_fds(double *value)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return false;
	*value = (double)limit.rlim_cur;
	return true;
}

bool process_cpu_seconds(double *value)
{
	struct timespec used;
	if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) != 0)
		return false;
	*value = (double)used.tv_sec + (double)used.tv_nsec / 1e9;
	return true;
}

/* Ticks from boot to the start of this process. The name in parentheses may hold anything. */
static bool read_start_ticks(unsigned long long *ticks)
{
	char text[PROC_TEXT_MAX];
	if (!read_text("/proc/self/stat", text))
		return false;
	const char *at = strrchr(text, ')');
	for (int field = 2; at != NULL && field < STAT_START_FIELD; field++)
		at = strchr(at + 1, ' ');
	return at != NULL && sscanf(at, "%llu", ticks) == 1;
}

bool process_start_seconds(double *value)
{
	unsigned long long ticks = 0;
	struct timespec now;
	struct timespec since_boot;
	if (!read_start_ticks(&ticks) || clock_gettime(CLOCK_REALTIME, &now) != 0 ||
	    clock_gettime(CLOCK_BOOTTIME, &since_boot) != 0)
		return false;
	*value = (double)(now.tv_sec - since_boot.tv_sec) + (double)ticks / (double)sysconf(_SC_CLK_TCK);
	return true;
}
