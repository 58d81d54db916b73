/* SPDX-License-Identifier: MIT */
/*
 * What reading a chat request costs: "decode" reads, validates and decodes it
 * from the field tables, "cjson" only parses it with cJSON and frees the tree.
 * To be run under callgrind, which counts instructions.
 *
 *   decode_bench decode|cjson FILE COUNT
 */
#include <stdio.h>
#include <stdlib.h>

#include <cjson/cJSON.h>

#include "lib/buf.h"
#include "schemas/openai/request.h"

static bool run_decode(struct span body)
{
	struct request request;
	struct findings findings;
	struct arena arena;
	arena_init(&arena, 0);
	bool good = openai_request_decode(&request, ENDPOINT_CHAT, &arena, body, &JSON_DEPTH(64), &findings);
	arena_fini(&arena);
	return good;
}

static bool run_cjson(struct span body)
{
	cJSON *tree = cJSON_ParseWithLength(body.at, body.len);
	bool good = tree != NULL;
	cJSON_Delete(tree);
	return good;
}

static bool read_file(struct buf *body, const char *path)
{
	FILE *file = fopen(path, "rb");
	if (file == NULL)
		return false;
	char *room = buf_reserve(body, 65536);
	if (room != NULL)
		buf_commit(body, fread(room, 1, 65536, file));
	fclose(file);
	return buf_len(body) > 0;
}

int main(int argc, char **argv)
{
	struct buf body;
	buf_init(&body, 1 << 20);
	if (argc != 4 || !read_file(&body, argv[2])) {
		fprintf(stderr, "usage: decode_bench decode|cjson FILE COUNT\n");
		return 2;
	}
	bool (*run)(struct span) = strcmp(argv[1], "decode") == 0 ? run_decode : run_cjson;
	bool good = true;
	for (long i = strtol(argv[3], NULL, 10); good && i > 0; i--)
		good = run(buf_span(&body));
	buf_fini(&body);
	return good ? 0 : 1;
}
