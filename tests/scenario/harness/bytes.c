/* SPDX-License-Identifier: MIT */
/* The growing buffer of the tests. */
#include "tests/scenario/harness/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void bytes_make_room(struct bytes *bytes, size_t len)
{
	size_t needed = bytes->len + len + 1;
	if (needed <= bytes->capacity)
		return;
	size_t capacity = bytes->capacity == 0 ? 256 : bytes->capacity;
	while (capacity < needed)
		capacity *= 2;
	bytes->at = realloc(bytes->at, capacity);
	if (bytes->at == NULL)
		abort();
	bytes->capacity = capacity;
}

void bytes_append(struct bytes *bytes, const void *data, size_t len)
{
	bytes_make_room(bytes, len);
	if (len != 0)
		memcpy(bytes->at + bytes->len, data, len);
	bytes->len += len;
	bytes->at[bytes->len] = '\0';
}

void bytes_printf(struct bytes *bytes, const char *format, ...)
{
	char *text;
	va_list arguments;
	va_start(arguments, format);
	int len = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (len < 0)
		abort();
	bytes_append(bytes, text, (size_t)len);
	free(text);
}

void bytes_drop(struct bytes *bytes, size_t len)
{
	if (len == 0)
		return;
	memmove(bytes->at, bytes->at + len, bytes->len - len + 1);
	bytes->len -= len;
}

void bytes_free(struct bytes *bytes)
{
	free(bytes->at);
	*bytes = (struct bytes){0};
}

const char *bytes_text(const struct bytes *bytes)
{
	return bytes->at == NULL ? "" : bytes->at;
}

bool bytes_contain(const struct bytes *bytes, const char *part)
{
	return memmem(bytes_text(bytes), bytes->len, part, strlen(part)) != NULL;
}

bool bytes_read_file(struct bytes *bytes, const char *path)
{
	FILE *file = fopen(path, "r");
	if (file == NULL)
		return false;
	char block[65536];
	size_t got;
	while ((got = fread(block, 1, sizeof block, file)) > 0)
		bytes_append(bytes, block, got);
	fclose(file);
	return true;
}
