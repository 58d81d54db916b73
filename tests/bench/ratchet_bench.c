/* SPDX-License-Identifier: MIT */
/*
 * Instructions of the gateway per request, event and cache hit, one line each
 * on standard output: NAME, a tab, COUNT. Each case is run a few times first,
 * so that connections, pools and tables are there, then in rounds. The cheapest
 * round counts: what the gateway does by the clock falls into some of them.
 *
 *   ratchet_bench FILE   writes the lines to FILE; profiles go to RATCHET_DIR
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/lockstep.h"
#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/h2.h"
#include "tests/scenario/harness/scenario.h"
#include "tests/redis/redis_server.h"

enum { ROUNDS = 20, WARM_UP = 40, COUNTED = 10, LARGE_COUNTED = 1, EVENTS = 100 /* in each round */ };
enum { CACHED_EVENTS = 50, LARGE_PROMPT = 200000 };

#define CHAT_FILE "tests/bench/chat_2k.json"
#define MESSAGES_FILE "tests/bench/messages_2k.json"
#define CHAT "/v1/chat/completions"
#define MESSAGES "/v1/messages"
#define RESPONSES_FILE "tests/bench/responses_2k.json"
#define RESPONSES "/v1/responses"
#define STREAMED "\"stream\":true,\"stream_options\":{\"include_usage\":true}"
#define EVENT_OF(delta, finish)                                                                         \
	"data: {\"id\":\"chatcmpl-7f3a9c1e5b2d4860\",\"object\":\"chat.completion.chunk\",\"created\":" \
	"1760000000,\"model\":\"river-1\",\"system_fingerprint\":\"fp_41\",\"choices\":[{\"index\":0,"  \
	"\"delta\":{" delta "},\"logprobs\":null,\"finish_reason\":" finish "}]}\n\n"
#define STREAM_HEAD "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"

/* What the backend says in the dialect of Anthropic. */
#define MESSAGE_EVENT(name, more) "event: " name "\ndata: {\"type\":\"" name "\"" more "}\n\n"
#define MESSAGE_TEXT \
	MESSAGE_EVENT("content_block_delta", ",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\" level\"}")
#define MESSAGE_USAGE "\"usage\":{\"input_tokens\":512,\"output_tokens\":38}"

static const char message_body[] =
    "{\"id\":\"msg_7f3a9c1e5b2d4860\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-1\",\"content\":["
    "{\"type\":\"text\",\"text\":\"Kaub: 148 cm at noon, falling. In three days about 131 cm; Cochem holds 212 "
    "cm.\\nToo low "
    "for 2.5 m of draught.\"}],\"stop_reason\":\"end_turn\",\"stop_sequence\":null," MESSAGE_USAGE "}";

/* The same in that of Responses. */
#define RESPONSE_EVENT(name, more) "event: response." name "\ndata: {\"type\":\"response." name "\"," more "}\n\n"
#define RESPONSE_TEXT                                                                                                \
	RESPONSE_EVENT("output_text.delta", "\"sequence_number\":9,\"item_id\":\"msg_7f3a9c1e\",\"output_index\":0," \
					    "\"content_index\":0,\"delta\":\" level\",\"logprobs\":[]")
#define RESPONSE_USAGE "\"usage\":{\"input_tokens\":512,\"output_tokens\":38,\"total_tokens\":550}"
#define RESPONSE(status, output)                                                                                   \
	"{\"id\":\"resp_7f3a9c1e5b2d4860\",\"object\":\"response\",\"created_at\":1760000000,\"status\":\"" status \
	"\",\"model\":\"reply-1\",\"error\":null,\"output\":[" output "]," RESPONSE_USAGE "}"

static const char response_body[] = RESPONSE(
    "completed",
    "{\"type\":\"message\",\"id\":\"msg_7f3a9c1e\",\"role\":\"assistant\",\"status\":\"completed\",\"content\":["
    "{\"type\":\"output_text\",\"text\":\"Kaub: 148 cm at noon, falling. In three days about 131 cm; Cochem holds "
    "212 cm.\\nToo low for 2.5 m of draught.\",\"annotations\":[]}]}");

static const char answer_body[] =
    "{\"id\":\"chatcmpl-7f3a9c1e5b2d4860\",\"object\":\"chat.completion\",\"created\":1760000000,\"model\":\"river-1\","
    "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"Kaub: 148 cm at noon, falling. In "
    "three days about 131 cm; Cochem holds 212 cm.\\nToo low for 2.5 m of draught.\"},\"logprobs\":null,"
    "\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":512,\"completion_tokens\":38,\"total_tokens\":550}}";

/* A key and its hash under the pepper, and a key that is nobody's. */
#define PEPPER "0123456789abcdef0123456789abcdef"
#define KEY "sk-sluice-GLjbmnz3hG5TdsjK6Co65kwIfzjsOgbkfB0WgC2p36Kz"
#define UNKNOWN_KEY "sk-sluice-C9mMnbojvGvSXCvZOgZbl0COwIUhRdBvlVJz2e06prqB"
#define KEY_HASH "GLjbmnz3:7f557a8bb5f1fdf3a425e1708a992a3aa86e88bb00d2fca1bb33c4f7fd0727d1"

struct bench {
	struct lockstep lockstep;
	const char *key; /* that requests show */
	FILE *out;
	struct bytes whole; /* requests */
	struct bytes stream;
	struct bytes cacheable;
	struct bytes cacheable_stream;
	struct bytes large;
	struct bytes claude_whole; /* the same of the model behind Messages */
	struct bytes claude_stream;
	struct bytes message_whole; /* requests of Messages */
	struct bytes message_stream;
	struct bytes claude_message_stream; /* of the model behind Messages */
	struct bytes reply_whole;           /* chats of the model behind Responses */
	struct bytes reply_stream;
	struct bytes response_whole; /* requests of Responses */
	struct bytes response_stream;
	struct bytes reply_response_stream; /* of the model behind Responses */
};

/* text with its one occurrence of part replaced. */
static void replace(struct bytes *into, const char *text, const char *part, const char *by)
{
	const char *at = strstr(text, part);
	assert_non_null(at);
	bytes_append(into, text, (size_t)(at - text));
	bytes_append(into, by, strlen(by));
	bytes_append(into, at + strlen(part), strlen(at + strlen(part)));
}

/* One that is deterministic and refers to nothing outside. */
static void make_cacheable(struct bytes *into, const char *chat, const char *temperature)
{
	struct bytes inside = {0};
	replace(&inside, chat, "https://example.org/fairway/kaub.png", "data:image/png;base64,iVBORw0KGgo=");
	replace(into, bytes_text(&inside), "\"temperature\":0.2", temperature);
	bytes_free(&inside);
}

static void make_requests(struct bench *bench)
{
	struct bytes prompt = {0};
	assert_true(bytes_read_file(&bench->stream, CHAT_FILE));
	const char *chat = bytes_text(&bench->stream);
	replace(&bench->whole, chat, STREAMED, "\"stream\":false");
	make_cacheable(&bench->cacheable_stream, chat, "\"temperature\":0");
	make_cacheable(&bench->cacheable, bytes_text(&bench->whole), "\"temperature\":0.0,\"n\":1");
	while (prompt.len < LARGE_PROMPT)
		bytes_printf(&prompt,
			     "Gauge %zu: the level fell by 3 cm since Tuesday, said the \\\"K\xc3\xb6ln\\\" "
			     "office;\\nsee table 4 of the yearly report.\\n",
			     prompt.len);
	replace(&bench->large, bytes_text(&bench->whole), "How high is the Rhine", bytes_text(&prompt));
	replace(&bench->claude_stream, chat, "\"demo\"", "\"claude\"");
	replace(&bench->claude_whole, bytes_text(&bench->whole), "\"demo\"", "\"claude\"");
	assert_true(bytes_read_file(&bench->message_stream, MESSAGES_FILE));
	replace(&bench->message_whole, bytes_text(&bench->message_stream), "\"stream\":true", "\"stream\":false");
	replace(&bench->claude_message_stream, bytes_text(&bench->message_stream), "\"demo\"", "\"claude\"");
	replace(&bench->reply_stream, chat, "\"demo\"", "\"reply\"");
	replace(&bench->reply_whole, bytes_text(&bench->whole), "\"demo\"", "\"reply\"");
	assert_true(bytes_read_file(&bench->response_stream, RESPONSES_FILE));
	replace(&bench->response_whole, bytes_text(&bench->response_stream), "\"stream\":true", "\"stream\":false");
	replace(&bench->reply_response_stream, bytes_text(&bench->response_stream), "\"demo\"", "\"reply\"");
	bytes_free(&prompt);
}

/* Counts the rounds of a case. */
struct rounds {
	struct bench *bench;
	const char *name;
	size_t in_round; /* steps */
	size_t steps;
	uint64_t least; /* instructions of a round; 0 = none was counted */
};

/* Is called before each step: WARM_UP, then ROUNDS of in_round steps each. Returns whether there is one more. */
static bool next_step(struct rounds *rounds)
{
	struct lockstep *lockstep = &rounds->bench->lockstep;
	size_t step = rounds->steps++;
	if (step == WARM_UP)
		lockstep_count(lockstep);
	if (step <= WARM_UP || (step - WARM_UP) % rounds->in_round != 0)
		return true;
	uint64_t counted = lockstep_counted(lockstep);
	if (rounds->least == 0 || counted < rounds->least) {
		rounds->least = counted;
		lockstep_keep(lockstep, rounds->name);
	}
	return step < WARM_UP + ROUNDS * rounds->in_round;
}

static void tell(const struct rounds *rounds)
{
	FILE *out = rounds->bench->out;
	fprintf(out, "%s\t%llu\n", rounds->name, (unsigned long long)(rounds->least / rounds->in_round));
	fflush(out);
}

static void chunk(struct bytes *into, const char *bytes)
{
	bytes_printf(into, "%zx\r\n%s\r\n", strlen(bytes), bytes);
}

static void answer_with(struct bench *bench, const char *body)
{
	struct bytes text = {0};
	bytes_printf(&text,
		     "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %zu\r\n"
		     "x-request-id: req-4711\r\n\r\n%s",
		     strlen(body), body);
	lockstep_backend_read(&bench->lockstep);
	lockstep_backend_write(&bench->lockstep, text.at, text.len);
	bytes_free(&text);
}

static void answer_whole(struct bench *bench)
{
	answer_with(bench, answer_body);
}

static void answer_message(struct bench *bench)
{
	answer_with(bench, message_body);
}

static void answer_response(struct bench *bench)
{
	answer_with(bench, response_body);
}

static void send_chunk(struct bench *bench, const char *bytes)
{
	struct bytes text = {0};
	chunk(&text, bytes);
	lockstep_backend_write(&bench->lockstep, text.at, text.len);
	bytes_free(&text);
}

static void begin_stream(struct bench *bench)
{
	struct bytes text = {0};
	bytes_printf(&text, "%s", STREAM_HEAD);
	chunk(&text, EVENT_OF("\"role\":\"assistant\",\"content\":\"\"", "null"));
	lockstep_backend_read(&bench->lockstep);
	lockstep_backend_write(&bench->lockstep, text.at, text.len);
	bytes_free(&text);
}

static void end_stream(struct bench *bench)
{
	struct bytes text = {0};
	chunk(&text, EVENT_OF("", "\"stop\""));
	chunk(&text, "data: {\"id\":\"chatcmpl-7f3a9c1e5b2d4860\",\"object\":\"chat.completion.chunk\",\"created\":"
		     "1760000000,\"model\":\"river-1\",\"choices\":[],\"usage\":{\"prompt_tokens\":512,"
		     "\"completion_tokens\":50,\"total_tokens\":562}}\n\n");
	chunk(&text, "data: [DONE]\n\n");
	bytes_printf(&text, "0\r\n\r\n");
	lockstep_backend_write(&bench->lockstep, text.at, text.len);
	bytes_free(&text);
}

static void begin_message(struct bench *bench)
{
	struct bytes text = {0};
	bytes_printf(&text, "%s", STREAM_HEAD);
	chunk(&text, MESSAGE_EVENT("message_start",
				   ",\"message\":{\"id\":\"msg_7f3a9c1e5b2d4860\",\"type\":\"message\","
				   "\"role\":\"assistant\",\"model\":\"claude-1\",\"content\":[]," MESSAGE_USAGE "}"));
	chunk(&text,
	      MESSAGE_EVENT("content_block_start", ",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}"));
	lockstep_backend_read(&bench->lockstep);
	lockstep_backend_write(&bench->lockstep, text.at, text.len);
	bytes_free(&text);
}

static void end_message(struct bench *bench)
{
	struct bytes text = {0};
	chunk(&text, MESSAGE_EVENT("content_block_stop", ",\"index\":0"));
	chunk(&text, MESSAGE_EVENT("message_delta",
				   ",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":50}"));
	chunk(&text, MESSAGE_EVENT("message_stop", ""));
	bytes_printf(&text, "0\r\n\r\n");
	lockstep_backend_write(&bench->lockstep, text.at, text.len);
	bytes_free(&text);
}

static void begin_response(struct bench *bench)
{
	struct bytes text = {0};
	bytes_printf(&text, "%s", STREAM_HEAD);
	chunk(&text, RESPONSE_EVENT("created", "\"sequence_number\":0,\"response\":" RESPONSE("in_progress", "")));
	lockstep_backend_read(&bench->lockstep);
	lockstep_backend_write(&bench->lockstep, text.at, text.len);
	bytes_free(&text);
}

static void end_response(struct bench *bench)
{
	struct bytes text = {0};
	chunk(&text, RESPONSE_EVENT("completed", "\"sequence_number\":99,\"response\":" RESPONSE("completed", "")));
	chunk(&text, "data: [DONE]\n\n");
	bytes_printf(&text, "0\r\n\r\n");
	lockstep_backend_write(&bench->lockstep, text.at, text.len);
	bytes_free(&text);
}

/* How the backend answers a request. */
typedef void (*answer_fn)(struct bench *bench);

static void answer_stream(struct bench *bench)
{
	begin_stream(bench);
	for (size_t i = 0; i < CACHED_EVENTS; i++)
		send_chunk(bench, EVENT_OF("\"content\":\" level\"", "null"));
	end_stream(bench);
}

/* Large bodies go in pieces that the gateway takes one by one. */
static void send_slowly(struct bench *bench, struct h1 *h1, const char *bytes, size_t len)
{
	enum { PIECE = 16384 };
	for (size_t sent = 0; sent < len; sent += PIECE) {
		h1_send_bytes(h1, bytes + sent, len - sent < PIECE ? len - sent : PIECE);
		lockstep_settle(&bench->lockstep);
	}
}

static void ask(struct bench *bench, struct h1 *h1, const char *path, const struct bytes *body, int status,
		answer_fn answer)
{
	struct bytes text = {0};
	bytes_printf(&text,
		     "POST %s HTTP/1.1\r\nHost: sluice.test\r\nUser-Agent: bench/1.0\r\nAccept: */*\r\n"
		     "Authorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
		     path, bench->key, body->len, bytes_text(body));
	send_slowly(bench, h1, text.at, text.len);
	if (answer != NULL)
		answer(bench);
	h1_wait_end(h1);
	assert_int_equal(h1->answer.status, status);
	h1_next(h1);
	lockstep_settle(&bench->lockstep);
	bytes_free(&text);
}

struct request_case {
	const char *name;
	const struct bytes *body;
	answer_fn first;  /* how the backend answers the first request */
	answer_fn others; /* and the others; NULL: it does not hear of them */
	const char *path; /* NULL = that of chats */
	size_t count;     /* in each round */
	int status;
	bool anew; /* each time in other bytes, which mean the same */
};

static void measure_requests(struct bench *bench, const struct request_case *it)
{
	struct h1 h1;
	struct bytes body = {0};
	struct rounds rounds = {.bench = bench, .name = it->name, .in_round = it->count};
	bytes_append(&body, it->body->at, it->body->len);
	h1_open(&h1, bench->lockstep.port, false);
	for (answer_fn answer = it->first; next_step(&rounds); answer = it->others) {
		ask(bench, &h1, it->path == NULL ? CHAT : it->path, &body, it->status, answer);
		if (it->anew)
			bytes_append(&body, " ", 1);
	}
	tell(&rounds);
	h1_close(&h1);
	bytes_free(&body);
}

/* Cases of a gateway of their own. */
static void measure_all(struct bench *bench, const struct request_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++)
		measure_requests(bench, &cases[i]);
}

/* How a backend streams in its dialect. */
struct speech {
	void (*begin)(struct bench *bench);
	const char *event;
	void (*end)(struct bench *bench);
};

static const struct speech chat_speech = {begin_stream, EVENT_OF("\"content\":\" level\"", "null"), end_stream};
static const struct speech message_speech = {begin_message, MESSAGE_TEXT, end_message};
static const struct speech response_speech = {begin_response, RESPONSE_TEXT, end_response};

/* A stream over HTTP/1.1, whose client and backend may speak other dialects. */
struct event_case {
	const char *name, *path;
	const struct bytes *body;
	const struct speech *speech;
};

static void measure_h1_events(struct bench *bench, const struct event_case *it)
{
	struct h1 h1;
	struct rounds rounds = {.bench = bench, .name = it->name, .in_round = EVENTS};
	h1_open(&h1, bench->lockstep.port, false);
	h1_post(&h1, it->path, "", bytes_text(it->body));
	it->speech->begin(bench);
	while (next_step(&rounds)) {
		send_chunk(bench, it->speech->event);
		h1_wait_body(&h1, h1.answer.body.len + 1);
	}
	tell(&rounds);
	it->speech->end(bench);
	h1_wait_end(&h1);
	assert_int_equal(h1.answer.status, 200);
	h1_close(&h1);
}

static void measure_h2_events(struct bench *bench)
{
	struct h2 h2;
	struct rounds rounds = {.bench = bench, .name = "event-h2", .in_round = EVENTS};
	h2_open(&h2, bench->lockstep.port, 0);
	struct h2_stream *stream = h2_post(&h2, CHAT, bytes_text(&bench->stream));
	begin_stream(bench);
	while (next_step(&rounds)) {
		send_chunk(bench, EVENT_OF("\"content\":\" level\"", "null"));
		h2_wait_body(&h2, stream, stream->answer.body.len + 1);
		lockstep_settle(&bench->lockstep); /* it may have got window updates */
	}
	tell(&rounds);
	end_stream(bench);
	h2_wait_end(&h2, stream);
	assert_int_equal(stream->answer.status, 200);
	h2_close(&h2);
}

static void instructions_are_counted(void **state)
{
	const char *path = getenv("RATCHET_OUT");
	const char *directory = getenv("RATCHET_DIR") == NULL ? "build/ratchet" : getenv("RATCHET_DIR");
	struct bench bench = {.key = "sk-bench", .out = fopen(path == NULL ? "/dev/stdout" : path, "w")};
	struct bytes bad = {0};
	(void)state;
	assert_non_null(bench.out);
	make_requests(&bench);
	replace(&bad, bytes_text(&bench.whole), "\"temperature\":0.2", "\"temperature\":\"9.5\"");
	const struct request_case cases[] = {
	    {"request-h1", &bench.whole, answer_whole, answer_whole, NULL, COUNTED, 200, false},
	    {"request-200k", &bench.large, answer_whole, answer_whole, NULL, LARGE_COUNTED, 200, false},
	    {"stream-52", &bench.stream, answer_stream, answer_stream, NULL, LARGE_COUNTED, 200, false},
	    {"hit", &bench.cacheable, answer_whole, NULL, NULL, COUNTED, 200, false},
	    {"hit-anew", &bench.cacheable, NULL, NULL, NULL, COUNTED, 200, true},
	    {"hit-stream-52", &bench.cacheable_stream, answer_stream, NULL, NULL, COUNTED, 200, false},
	    {"rejected", &bad, NULL, NULL, NULL, COUNTED, 400, false},
	    {"request-from-messages", &bench.message_whole, answer_whole, answer_whole, MESSAGES, COUNTED, 200, false},
	    {"request-to-messages", &bench.claude_whole, answer_message, answer_message, CHAT, COUNTED, 200, false},
	    {"request-from-responses", &bench.response_whole, answer_whole, answer_whole, RESPONSES, COUNTED, 200,
	     false},
	    {"request-to-responses", &bench.reply_whole, answer_response, answer_response, CHAT, COUNTED, 200, false},
	};
	const struct event_case event_cases[] = {
	    {"event-h1", CHAT, &bench.stream, &chat_speech},
	    {"event-from-messages", MESSAGES, &bench.message_stream, &chat_speech},
	    {"event-to-messages", CHAT, &bench.claude_stream, &message_speech},
	    {"event-own-messages", MESSAGES, &bench.claude_message_stream, &message_speech},
	    {"event-from-responses", RESPONSES, &bench.response_stream, &chat_speech},
	    {"event-to-responses", CHAT, &bench.reply_stream, &response_speech},
	    {"event-own-responses", RESPONSES, &bench.reply_response_stream, &response_speech},
	};
	const struct request_case key_cases[] = {
	    {"request-key", &bench.whole, answer_whole, answer_whole, NULL, COUNTED, 200, false},
	};
	const struct request_case limited_cases[] = {
	    {"limited", &bench.whole, answer_whole, answer_whole, NULL, COUNTED, 200, false},
	};
	const struct request_case spent_cases[] = {
	    {"limit-reached", &bench.whole, NULL, NULL, NULL, COUNTED, 429, false},
	};
	const struct request_case rejected_cases[] = {
	    {"rejected-key", &bench.whole, NULL, NULL, NULL, COUNTED, 401, false},
	};
	const struct request_case remote_cases[] = {
	    {"hit-redis", &bench.cacheable, answer_whole, NULL, NULL, COUNTED, 200, false},
	};
	lockstep_start(&bench.lockstep, directory, "");
	measure_all(&bench, cases, sizeof cases / sizeof *cases);
	for (size_t i = 0; i < sizeof event_cases / sizeof *event_cases; i++)
		measure_h1_events(&bench, &event_cases[i]);
	measure_h2_events(&bench);
	lockstep_close(&bench.lockstep);

	lockstep_start(&bench.lockstep, directory,
		       "auth: { pepper: " PEPPER ", failures: 100000 }\nkeys: { bench: { hash: '" KEY_HASH "' } }\n");
	bench.key = KEY;
	measure_all(&bench, key_cases, 1);
	bench.key = UNKNOWN_KEY;
	measure_all(&bench, rejected_cases, 1);
	bench.key = KEY;
	lockstep_close(&bench.lockstep);

	lockstep_start(&bench.lockstep, directory,
		       "auth: { pepper: " PEPPER " }\nkeys: { bench: { hash: '" KEY_HASH
		       "', limits: { tokens: 1000000000/minute } } }\n");
	measure_all(&bench, limited_cases, 1);
	lockstep_close(&bench.lockstep);

	lockstep_start(&bench.lockstep, directory,
		       "auth: { pepper: " PEPPER " }\nkeys: { bench: { hash: '" KEY_HASH
		       "', limits: { tokens: 1/minute } } }\n");
	measure_all(&bench, spent_cases, 1);
	bench.key = "sk-bench";
	lockstep_close(&bench.lockstep);

	struct redis_process *redis = redis_process_start("");
	char more[256];
	snprintf(more, sizeof more, "cache: { size: 0 }\nredis: { unix: %s, budget: 10s, connect: 10s }\n",
		 redis->socket);
	lockstep_start(&bench.lockstep, directory, more);
	measure_all(&bench, remote_cases, sizeof remote_cases / sizeof *remote_cases);
	lockstep_close(&bench.lockstep);
	redis_process_stop(redis);

	fclose(bench.out);
	bytes_free(&bad);
	bytes_free(&bench.whole);
	bytes_free(&bench.stream);
	bytes_free(&bench.cacheable);
	bytes_free(&bench.cacheable_stream);
	bytes_free(&bench.large);
	bytes_free(&bench.claude_whole);
	bytes_free(&bench.claude_stream);
	bytes_free(&bench.message_whole);
	bytes_free(&bench.message_stream);
	bytes_free(&bench.claude_message_stream);
	bytes_free(&bench.reply_whole);
	bytes_free(&bench.reply_stream);
	bytes_free(&bench.response_whole);
	bytes_free(&bench.response_stream);
	bytes_free(&bench.reply_response_stream);
}

int main(void)
{
	const struct CMUnitTest tests[] = {SCENARIO(instructions_are_counted)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
