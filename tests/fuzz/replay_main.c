/* SPDX-License-Identifier: MIT */
/*
 * Replays inputs through a fuzz target without libFuzzer, so that any compiler
 * can run the corpora: each argument is a file, or a directory of files.
 */
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t replayed;

static bool replay_file(const char *path, size_t size)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data = malloc(size == 0 ? 1 : size); /* exact, for the sanitizers */
	bool read = file != NULL && data != NULL && fread(data, 1, size, file) == size;
	if (read) {
		LLVMFuzzerTestOneInput(data, size);
		replayed++;
	} else {
		fprintf(stderr, "%s: cannot be read\n", path);
	}
	free(data);
	if (file != NULL)
		fclose(file);
	return read;
}

static bool replay(const char *path);

static bool replay_directory(const char *path)
{
	DIR *directory = opendir(path);
	bool ok = directory != NULL;
	for (struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;) {
		char inner[4096];
		if (entry->d_name[0] == '.')
			continue;
		int len = snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name);
		ok = len > 0 && (size_t)len < sizeof(inner) && replay(inner) && ok;
	}
	if (directory != NULL)
		closedir(directory);
	else
		perror(path);
	return ok;
}

static bool replay(const char *path)
{
	struct stat about;
	if (stat(path, &about) != 0) {
		perror(path);
		return false;
	}
	return S_ISDIR(about.st_mode) ? replay_directory(path) : replay_file(path, (size_t)about.st_size);
}

int main(int argc, char **argv)
{
	bool ok = argc > 1;
	for (int i = 1; i < argc; i++)
		ok = replay(argv[i]) && ok;
	printf("%s: %zu inputs\n", argv[0], replayed);
	return ok && replayed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
