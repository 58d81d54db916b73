/* SPDX-License-Identifier: MIT */
/*
 * Answers of backends of the Anthropic dialect, as bytes: cut at every offset, in the form that was not asked for, with
 * strange but lawful orders of events. A chat's client reads the same chunks each time, a Messages client the very
 * bytes of the backend, or an answer of its own dialect where there are none.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/harness/backend.h"
#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/client.h"
#include "tests/scenario/harness/scenario.h"

#define MESSAGES "/v1/messages"
#define CHAT "/v1/chat/completions"
#define HELLO "\"max_tokens\":9,\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]"
#define STREAMED "{\"model\":\"m\",\"stream\":true," HELLO "}"
#define AT_ONCE "{\"model\":\"m\"," HELLO "}"

#define EVENT(name, data) "event: " name "\ndata: {\"type\":\"" name "\"" data "}\n\n"
#define BEGIN                                                                                                      \
	EVENT("message_start",                                                                                     \
	      ",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-x\"," \
	      "\"content\":[],\"stop_reason\":null,\"usage\":{\"input_tokens\":8,\"output_tokens\":1}}")
#define TEXT(text)                                                                                       \
	EVENT("content_block_start", ",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}") \
	EVENT("content_block_delta", ",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"" text "\"}")
#define CALL                                                                                                           \
	EVENT("content_block_stop", ",\"index\":0")                                                                    \
	EVENT("content_block_start", ",\"index\":1,\"content_block\":{\"type\":\"tool_use\",\"id\":\"t1\",\"name\":"   \
				     "\"f\",\"input\":{}}")                                                            \
	EVENT("content_block_delta", ",\"index\":1,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":"         \
				     "\"{\\\"a\\\":\"}")                                                               \
	EVENT("content_block_delta", ",\"index\":1,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"1}\"}") \
	EVENT("content_block_stop", ",\"index\":1")
#define END                                                                                                 \
	EVENT("message_delta", ",\"delta\":{\"stop_reason\":\"tool_use\"},\"usage\":{\"output_tokens\":5}") \
	EVENT("message_stop", "")

/* Characters of two, three and four bytes, an escaped pair, comments, CRs, several data lines. */
static const char plain[] =
    ": hi\r\n\r\n" BEGIN EVENT("ping", "") TEXT("\xc3\xa9\xe4\xbd\xa0\xf0\x9f\x98\x80 \\ud83d\\ude00") CALL
    "event: message_delta\rdata: {\"type\":\r"
    "data: \"message_delta\",\"delta\":{\"stop_reason\":"
    "\"tool_use\"},\"usage\":{\"output_tokens\":5}}\r\r"
    "id: 7\n" EVENT("message_stop", "");

#define WHOLE                                                                                                          \
	"{\"id\":\"msg_1\", \"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-x\",\"content\":[{\"type\"" \
	":\"text\",\"text\":\"Hi there\"}],\"stop_reason\":\"end_turn\",\"new\": 1.0,\"usage\":{\"input_tokens\":8,"   \
	"\"output_tokens\":5}}"

static struct sluice *start_for(const struct backend *backend)
{
	return sluice_start("backends: { a: { url: 'http://127.0.0.1:%d/v1', dialect: anthropic, breaker: { enabled: "
			    "false } } }\nmodels: { m: a/claude }\ncache: { policy: off }\n",
			    backend_port(backend));
}

/* ---- every split ---- */

/* Fetches one answer on a kept connection; its body is compared with *want, which the first one fills. */
static void check_cut(struct h1 *h1, const char *path, const char *body, size_t cut, struct bytes *want)
{
	h1_post(h1, path, "", body);
	h1_wait_end(h1);
	if (h1->answer.status != 200 || !h1->answer.ended)
		fail_msg("cut at byte %zu: status %d, %s: %s", cut, h1->answer.status,
			 h1->answer.ended ? "ended" : "broken", bytes_text(&h1->answer.body));
	char *created = strstr(bytes_text(&h1->answer.body), "\"created\":");
	for (; created != NULL; created = strstr(created, "\"created\":"))
		for (created += 10; *created >= '0' && *created <= '9'; created++)
			*created = '0';
	if (want->len == 0)
		bytes_append(want, h1->answer.body.at, h1->answer.body.len);
	if (want->len != h1->answer.body.len || memcmp(want->at, h1->answer.body.at, want->len) != 0)
		print_error("cut at byte %zu:\n", cut);
	check_same(h1->answer.body.at, h1->answer.body.len, want->at, want->len);
	h1_next(h1);
}

/* want: what the client must get; NULL: the same for all cuts, whatever the first gave. */
static void check_every_cut(const char *type, const char *answer, const char *path, const char *body, const char *want)
{
	struct bytes expected = {0}, response = {0};
	struct h1 h1;
	struct backend *backend = backend_start();
	bytes_printf(&response, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n%s", type,
		     strlen(answer), answer);
	for (size_t cut = 1; cut < response.len; cut++)
		backend_script(backend,
			       (const struct step[]){SEND_BYTES(response.at, cut), DRAIN,
						     SEND_BYTES(response.at + cut, response.len - cut), AGAIN});
	struct sluice *sluice = start_for(backend);
	bytes_append(&expected, want, want == NULL ? 0 : strlen(want));
	h1_open(&h1, sluice->port, false);
	for (size_t cut = 1; cut < response.len; cut++)
		check_cut(&h1, path, body, cut, &expected);
	h1_close(&h1);
	assert_int_equal(backend_requests(backend), response.len - 1);
	bytes_free(&expected);
	bytes_free(&response);
}

static void a_message_has_the_bytes_of_the_backend_at_every_cut(void **state)
{
	(void)state;
	check_every_cut("text/event-stream", plain, MESSAGES, STREAMED, plain);
	check_every_cut("application/json", WHOLE, MESSAGES, AT_ONCE, WHOLE);
}

static void a_chat_has_the_same_chunks_at_every_cut(void **state)
{
	(void)state;
	check_every_cut("text/event-stream", plain, CHAT, STREAMED, NULL);
	check_every_cut("application/json", WHOLE, CHAT, AT_ONCE, NULL);
}

static void an_answer_of_the_other_form_is_the_same_at_every_cut(void **state)
{
	(void)state;
	check_every_cut("text/event-stream", plain, MESSAGES, AT_ONCE, NULL);
	check_every_cut("application/json", WHOLE, MESSAGES, STREAMED, NULL);
}

/* ---- the other form ---- */

static void ask_both(const char *type, const char *reply, const char *body, const char *message_part,
		     const char *chat_part)
{
	const char *const paths[] = {MESSAGES, CHAT}, *const parts[] = {message_part, chat_part};
	for (size_t i = 0; i < 2; i++) {
		struct answer answer;
		struct backend *backend = backend_start();
		struct sluice *sluice = start_for(backend);
		struct bytes response = {0};
		bytes_printf(&response, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n%s", type,
			     strlen(reply), reply);
		backend_script(backend, (const struct step[]){SEND_BYTES(response.at, response.len), FIN});
		client_fetch(sluice, VIA_H1, paths[i], body, &answer);
		assert_int_equal(answer.status, 200);
		check_contains(&answer.body, parts[i]);
		check_lacks(&answer.body, i == 0 ? "chat.completion" : "message_start");
		check_lacks(&answer.body, i == 0 ? "[DONE]" : "message_stop");
		check_lacks(&answer.body, "upstream_");
		answer_free(&answer);
		bytes_free(&response);
	}
}

static void a_whole_message_for_a_stream_is_streamed_in_the_dialect_of_the_client(void **state)
{
	(void)state;
	ask_both("application/json", WHOLE, STREAMED, "event: message_stop\n", "data: [DONE]\n");
	ask_both("application/json", WHOLE, STREAMED, "\"text\":\"Hi there\"", "\"content\":\"Hi there\"");
}

static void a_stream_for_a_whole_message_is_whole_in_the_dialect_of_the_client(void **state)
{
	(void)state;
	ask_both("text/event-stream", BEGIN TEXT("Hi there") END, AT_ONCE,
		 "\"content\":[{\"type\":\"text\",\"text\":\"Hi there\"}", "\"content\":\"Hi there\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(a_whole_message_for_a_stream_is_streamed_in_the_dialect_of_the_client),
	    SCENARIO(a_stream_for_a_whole_message_is_whole_in_the_dialect_of_the_client),
	    SCENARIO(a_message_has_the_bytes_of_the_backend_at_every_cut),
	    SCENARIO(a_chat_has_the_same_chunks_at_every_cut),
	    SCENARIO(an_answer_of_the_other_form_is_the_same_at_every_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
