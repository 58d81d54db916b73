/* SPDX-License-Identifier: MIT */
/*
 * A resolver that a scenario commands: loaded in front of the C library, it
 * answers the names of the file that SLUICE_TEST_NAMES tells, a line each:
 * NAME ADDRESS, the address "-" for a name that does not exist, "?" for one that
 * is answered when the file says something else. Names that are not there are the C library's. Names that are asked for
 * are written to the file SLUICE_TEST_ASKED, a line each, when it is set.
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
static int find(const char *name, char address[64])
{
	const char *path = getenv("SLUICE_TEST_NAMES");
	FILE *file = path == NULL ? NULL : fopen(path, "re");
	char known[128] = "";
	int found = 0;
	while (file != NULL && !found && fscanf(file, "%127s %63s", known, address) == 2)
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
	if (name != NULL)
		write_asked(name);
	if (name == NULL || !find(name, address))
		return real_resolver()(name, service, hints, answer);
	/* the answer comes when the file says that it may */
	for (const struct timespec moment = {0, 10000000}; strcmp(address, "?") == 0; nanosleep(&moment, NULL))
		if (!find(name, address))
			return EAI_AGAIN;
	return strcmp(address, "-") == 0 ? EAI_NONAME : real_resolver()(address, service, hints, answer);
}
