/* SPDX-License-Identifier: MIT */
/*
 * A resolver that a scenario commands: loaded in front of the C library, it
 * answers the names of the file that SLUICE_TEST_NAMES tells, a line each:
 * NAME ADDRESS DELAY_MS, the address "-" for a name that does not exist. Names
 * that are not there are the C library's. Names that are asked for are written
 * to the file SLUICE_TEST_ASKED, a line each, when it is set.
 */
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef int resolver(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **answer);

static resolver *real_resolver(void)
{
	resolver *real;
	*(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
	return real;
}

/* What the file says of name now. */
static int find(const char *name, char address[64], long *delay_ms)
{
	const char *path = getenv("SLUICE_TEST_NAMES");
	FILE *file = path == NULL ? NULL : fopen(path, "re");
	char known[128] = "";
	int found = 0;
	while (file != NULL && !found && fscanf(file, "%127s %63s %ld", known, address, delay_ms) == 3)
		found = strcmp(known, name) == 0;
	if (file != NULL)
		fclose(file);
	return found;
}

static void write_asked(const char *name)
{
	const char *path = getenv("SLUICE_TEST_ASKED");
	FILE *file = path == NULL ? NULL : fopen(path, "ae");
	if (file == NULL)
		return;
	fprintf(file, "%s\n", name);
	fclose(file);
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **answer)
{
	char address[64] = "";
	long delay_ms = 0;
	if (name != NULL)
		write_asked(name);
	if (name == NULL || !find(name, address, &delay_ms))
		return real_resolver()(name, service, hints, answer);
	struct timespec delay = {delay_ms / 1000, delay_ms % 1000 * 1000000};
	nanosleep(&delay, NULL);
	return strcmp(address, "-") == 0 ? EAI_NONAME : real_resolver()(address, service, hints, answer);
}
