/* SPDX-License-Identifier: MIT */
/*
 * Any request that the schemas accept reaches the backend byte by byte, but for
 * the name of the model. The requests are random ones made from the field tables.
 */
#include "tests/generate/document.h"

#include <time.h>

#include "tests/scenario/harness/backend.h"
#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/scenario.h"

#include "schemas/openai/request_fields.h"

enum { REQUESTS = 200, REQUEST_MOST = 1 << 20 };

/* Closes behind every answer: a call always has a connection of its own. */
static const struct step refusal[] = {
    SEND("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"), FIN, SCRIPT_END};

struct model_place {
	size_t start, end;
};

static void on_member(void *context, unsigned depth, const char *name, size_t start, size_t end)
{
	if (depth == 1 && strcmp(name, "model") == 0)
		*(struct model_place *)context = (struct model_place){start, end};
}

/* What the backend must see: the document with the target's model. */
static void expect_body(struct bytes *want, const struct buf *document, const struct model_place *model)
{
	struct span text = buf_span(document);
	bytes_append(want, text.at, model->start);
	bytes_append(want, "\"org/real\"", strlen("\"org/real\""));
	bytes_append(want, text.at + model->end, text.len - model->end);
}

static void check_requests(enum via via, enum endpoint endpoint, const char *path)
{
	struct backend *backend = backend_start();
	backend_script(backend, refusal);
	struct sluice *sluice = sluice_start("backends: { b: { url: 'http://127.0.0.1:%d/v1', stream_usage: false } }\n"
					     "models: { small: b/org/real }\n"
					     "cache: { policy: off }\n", /* it would ask for the same input once */
					     backend_port(backend));
	struct buf document;
	struct model_place model = {0};
	buf_init(&document, REQUEST_MOST);
	struct generator g = {.state = (uint64_t)time(NULL) << 1 | 1,
			      .out = &document,
			      .model = "small",
			      .on_member = on_member,
			      .context = &model};
	print_message("seed %" PRIu64 "\n", g.state);
	for (size_t i = 0; i < REQUESTS; i++) {
		struct answer answer;
		struct bytes want = {0}, got = {0};
		buf_reset(&document);
		generate_object(&g, openai_request_fields(endpoint), NULL);
		expect_body(&want, &document, &model);
		buf_append(&document, (struct span){"", 1});
		client_fetch(sluice, via, path, buf_span(&document).at, &answer);
		check_error(&answer, 400, "upstream_rejected");
		backend_request_body(backend, i, &got);
		check_same(got.at, got.len, want.at, want.len);
		answer_free(&answer);
		bytes_free(&want);
		bytes_free(&got);
	}
	buf_fini(&document);
}

static void chat_requests_reach_the_backend_byte_by_byte(void **state)
{
	(void)state;
	check_requests(VIA_H1, ENDPOINT_CHAT, "/v1/chat/completions");
}

static void completion_requests_reach_the_backend_byte_by_byte(void **state)
{
	(void)state;
	check_requests(VIA_H2, ENDPOINT_COMPLETIONS, "/v1/completions");
}

static void embedding_requests_reach_the_backend_byte_by_byte(void **state)
{
	(void)state;
	check_requests(VIA_H1_TLS, ENDPOINT_EMBEDDINGS, "/v1/embeddings");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(chat_requests_reach_the_backend_byte_by_byte),
	    SCENARIO(completion_requests_reach_the_backend_byte_by_byte),
	    SCENARIO(embedding_requests_reach_the_backend_byte_by_byte),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
